//go:build ignore

// Tokens per CPU second of this module's tokenizers and of Hugging Face's, in one run. See tokenizers-bench.sh.
//
//	go run scripts/tokenizers-bench.go SHARED FOLDER
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/seed-aefebe89/graft/tokenize"
)

const (
	rounds    = 7     // the first, which warms up, does not count
	sentences = 12000 // of a round; no sentence is in two rounds
	pieces    = 250000
	derived   = 100000 // of the pieces come from the texts
)

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(shared, dir string) error {
	texts, err := readTexts(filepath.Join(shared, "data", "ner"))
	if err != nil {
		return err
	}
	fixtures := filepath.Join(shared, "fixtures", "tokenizers")
	large := filepath.Join(dir, "unigram-250k.json")
	if _, err := os.Stat(large); err != nil {
		if err := makeUnigram(filepath.Join(fixtures, "xlmr-classic.json"), large, texts); err != nil {
			return err
		}
	}
	texts = spread(texts, rounds*sentences)
	theirs, err := startNode(dir, texts)
	if err != nil {
		return err
	}
	fmt.Print("| tokenizer | graft, one by one | theirs, one by one | theirs, in batches | graft is faster by | in batches by | tokens a text | loading, graft | theirs |\n")
	fmt.Print("|---|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, c := range []struct{ name, file string }{
		{"WordPiece, mBERT's 119,547 pieces", filepath.Join(fixtures, "mbert-cased.json")},
		{"Unigram as XLM-R's, 250,002 pieces", large},
		{"byte-level BPE as RoBERTa's", filepath.Join(fixtures, "roberta.json")},
	} {
		if err := compare(theirs, c.name, c.file, texts); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

// compare measures one tokenizer, ours and theirs in turn, and prints a row.
func compare(theirs *node, name, file string, texts []string) error {
	before := cpu()
	tok, err := tokenize.Load(file)
	if err != nil {
		return err
	}
	load := cpu() - before
	var rates [3][]float64
	var tokens, count int
	var other answer
	for r := range rounds {
		from, to := r*sentences, (r+1)*sentences
		n, seconds, err := measure(tok, texts[from:to])
		if err != nil {
			return err
		}
		round := []float64{float64(n) / seconds}
		for _, mode := range []string{"single", "batch"} {
			if other, err = theirs.ask(map[string]any{"file": file, "mode": mode, "from": from, "to": to}); err != nil {
				return err
			}
			if other.Tokens != n {
				return fmt.Errorf("round %d: %d tokens, theirs %d", r, n, other.Tokens)
			}
			round = append(round, float64(other.Tokens)/other.Seconds)
		}
		if r > 0 {
			for i, rate := range round {
				rates[i] = append(rates[i], rate/1000)
			}
		}
		tokens, count = tokens+n, count+to-from
	}
	ratio := func(i int) float64 {
		var list []float64
		for k := range rates[0] {
			list = append(list, rates[0][k]/rates[i][k])
		}
		return median(list)
	}
	fmt.Printf("| %s | %.0f | %.0f | %.0f | %.2f | %.2f | %.1f | %.0f ms | %.0f ms |\n", name, median(rates[0]), median(rates[1]),
		median(rates[2]), ratio(1), ratio(2), float64(tokens)/float64(count), load*1000, other.Load)
	return nil
}

// measure encodes texts one by one and returns the tokens and the CPU time of the whole process, collector included.
func measure(tok *tokenize.Tokenizer, texts []string) (tokens int, seconds float64, err error) {
	before := cpu()
	for _, text := range texts {
		e, err := tok.Encode(text, tokenize.Options{})
		if err != nil {
			return 0, 0, err
		}
		tokens += e.Len()
	}
	return tokens, cpu() - before, nil
}

func cpu() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return (list[len(list)/2] + list[(len(list)-1)/2]) / 2
}

// node is the process of the other library.
type node struct {
	in  io.Writer
	out *bufio.Reader
}

type answer struct {
	Tokens        int
	Seconds, Load float64
}

func startNode(dir string, texts []string) (*node, error) {
	c := exec.Command("node", "scripts/tokenizers-bench.mjs", dir)
	c.Env = append(os.Environ(), "RAYON_NUM_THREADS=1", "UV_THREADPOOL_SIZE=1")
	c.Stderr = os.Stderr
	in, err1 := c.StdinPipe()
	out, err2 := c.StdoutPipe()
	if err := cmp.Or(err1, err2, c.Start()); err != nil {
		return nil, err
	}
	n := &node{in, bufio.NewReader(out)}
	_, err := n.ask(map[string]any{"texts": texts})
	return n, err
}

func (n *node) ask(task any) (a answer, err error) {
	line, err := json.Marshal(task)
	if err != nil {
		return a, err
	}
	if _, err = n.in.Write(append(line, '\n')); err != nil {
		return a, err
	}
	if line, err = n.out.ReadBytes('\n'); err == nil {
		err = json.Unmarshal(line, &a)
	}
	return a, err
}

// readTexts reads the sentences of all IOB2 files, tokens joined by spaces.
func readTexts(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*", "*", "*.iob2"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no texts in %s, %v", dir, err)
	}
	var texts []string
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for sentence := range bytes.SplitSeq(data, []byte("\n\n")) {
			var words []string
			for line := range strings.Lines(string(sentence)) {
				if word, _, ok := strings.Cut(line, "\t"); ok {
					words = append(words, word)
				}
			}
			if len(words) > 0 {
				texts = append(texts, strings.Join(words, " "))
			}
		}
	}
	return texts, nil
}

// spread takes n texts, so that each round has some of every file: text i of round r is the (i*rounds+r)th of them.
func spread(texts []string, n int) []string {
	list := make([]string, n)
	for i := range n {
		list[i%rounds*sentences+i/rounds] = texts[i*len(texts)/n]
	}
	return list
}

// makeUnigram writes a tokenizer like XLM-R's: the frame is the given file's, the pieces are substrings of the texts' words
// by frequency, then generated ones whose scores fall further.
func makeUnigram(frame, path string, texts []string) error {
	data, err := os.ReadFile(frame)
	if err != nil {
		return err
	}
	var file map[string]any
	if err := json.Unmarshal(data, &file); err != nil {
		return err
	}
	type piece struct {
		text  string
		score float64
	}
	words := map[string]int{}
	for _, text := range texts {
		for _, w := range strings.Fields(text) {
			words["\u2581"+w]++
		}
	}
	counts, total := map[string]int{}, 0
	for w, n := range words {
		total += n
		for i, r := range w {
			counts[string(r)] += n
			if n < 3 {
				continue
			}
			end, length := i+utf8.RuneLen(r), 1
			for at, r := range w[end:] {
				if length++; length > 14 {
					break
				}
				counts[w[i:end+at+utf8.RuneLen(r)]] += n
			}
		}
	}
	var list []piece
	for text, n := range counts {
		list = append(list, piece{text, float64(n) * float64(utf8.RuneCountInString(text))})
	}
	slices.SortFunc(list, func(a, b piece) int { return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.text, b.text)) })
	known := map[string]bool{}
	vocab := [][2]any{{"<s>", 0}, {"<pad>", 0}, {"</s>", 0}, {"<unk>", 0}}
	lowest := 0.0
	add := func(text string, score float64) {
		if !known[text] && len(vocab) < pieces+1 {
			known[text] = true
			vocab = append(vocab, [2]any{text, score})
			lowest = min(lowest, score)
		}
	}
	for i, p := range list {
		if i < derived || utf8.RuneCountInString(p.text) == 1 {
			add(p.text, math.Log(float64(counts[p.text])/float64(4*total)))
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	own := vocab[4:]
	for len(vocab) < pieces+1 {
		a, b := []rune(own[rng.IntN(len(own))][0].(string)), []rune(own[rng.IntN(len(own))][0].(string))
		text := append(a[:1+rng.IntN(len(a))], b[rng.IntN(len(b)):]...)
		if shift := []rune{0, 0, 0x3d0, 0x1070, 0x500}[rng.IntN(5)]; shift > 0 { // other scripts' letters
			for i, r := range text {
				if r >= 'a' && r <= 'z' {
					text[i] = r + shift
				}
			}
		}
		if s := strings.ReplaceAll(string(text), "\u2581", ""); len(text) <= 16 && s != "" {
			if text[0] == '\u2581' {
				s = "\u2581" + s
			}
			add(s, lowest-0.00002)
		}
	}
	vocab = append(vocab, [2]any{"<mask>", 0})
	model := file["model"].(map[string]any)
	model["vocab"], model["unk_id"] = vocab, 3
	for _, t := range file["added_tokens"].([]any) {
		if t := t.(map[string]any); t["content"] == "<mask>" {
			t["id"] = len(vocab) - 1
		}
	}
	if data, err = json.Marshal(file); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}
