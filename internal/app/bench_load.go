package app

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx/random"
)

// benchClasses is the size of the head: PER, ORG and LOC in IOB2.
const benchClasses = 7

// benchLoad is what one run goes through: sequences of random tokens, each token with a class.
type benchLoad struct {
	seqs   []*graph.Sequence
	ours   [][]*graph.Sequence // in batches as graft takes them, packed
	padded [][]*graph.Sequence // in batches as onnxruntime is best given them: sorted by length, padded to the longest
	tokens int
	batch  int // sequences of a padded batch
}

// newLoad makes the sequences.
func (b *bench) newLoad() (*benchLoad, error) {
	l := &benchLoad{batch: b.Batch}
	lengths := slices.Repeat([]int{b.Length}, max(b.Tokens/max(b.Length, 1), 1))
	if b.Lengths == "" {
		l.batch = len(lengths)
		if n := b.base.MaxLength(); n > 0 && b.Length > n {
			return nil, fmt.Errorf("sequences of %d tokens were asked for, the encoder takes at most %d", b.Length, n)
		}
	} else {
		var err error
		if lengths, err = readLengths(b.Lengths, b.Batch*b.Batches, b.base.MaxLength()); err != nil {
			return nil, err
		}
	}
	vocab := vocabulary(b.base.Encoder)
	r := rand.New(rand.NewPCG(1, 1))
	for _, n := range lengths {
		q := &graph.Sequence{}
		for range n {
			q.IDs = append(q.IDs, int32(min(5, vocab-1)+r.IntN(max(vocab-5, 1))))
			q.Targets = append(q.Targets, int32(r.IntN(benchClasses)))
		}
		l.seqs = append(l.seqs, q)
		l.tokens += n
	}
	sorted := slices.Clone(l.seqs)
	slices.SortStableFunc(sorted, func(a, b *graph.Sequence) int { return len(a.IDs) - len(b.IDs) })
	l.padded = slices.Collect(slices.Chunk(sorted, l.batch))
	if b.Tokens > 0 {
		l.ours = byTokens(l.seqs, b.Tokens)
	} else {
		l.ours = slices.Collect(slices.Chunk(l.seqs, l.batch))
	}
	return l, nil
}

// byTokens cuts sequences into batches of at most tokens tokens, one sequence at least.
func byTokens(seqs []*graph.Sequence, tokens int) [][]*graph.Sequence {
	var out [][]*graph.Sequence
	start, n := 0, 0
	for i, q := range seqs {
		if n += len(q.IDs); n > tokens && i > start {
			out = append(out, seqs[start:i])
			start, n = i, len(q.IDs)
		}
	}
	return append(out, seqs[start:])
}

// vocabulary is the number of tokens that the encoder knows.
func vocabulary(e *importer.Encoder) int {
	for _, op := range e.Ops {
		if x, ok := op.(*importer.Embedding); ok {
			for k, t := range x.Tables {
				if e.Indexes[x.Index[k]].Input == "input_ids" {
					return t.Shape[0]
				}
			}
		}
	}
	return 1
}

// readLengths reads the first count lengths of a file, again from its start where it is shorter. limit is the longest
// that is allowed, 0 for any.
func readLengths(path string, count, limit int) ([]int, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading lengths: %w", err)
	}
	defer f.Close()
	x, err := parseLengths(f, count, limit)
	if err != nil {
		return nil, fmt.Errorf("reading lengths: %s:%w", path, err)
	}
	for n := len(x); len(x) < count; {
		x = append(x, x[len(x)-n])
	}
	return x, nil
}

// maxLength bounds the lengths that are read: sequences are made of them.
const maxLength = 1 << 20

// parseLengths reads up to count lengths, one a line; blank lines do not count.
func parseLengths(r io.Reader, count, limit int) ([]int, error) {
	if limit == 0 {
		limit = maxLength
	}
	var out []int
	line := 1
	s := bufio.NewScanner(r)
	for ; len(out) < count && s.Scan(); line++ {
		t := strings.TrimSpace(s.Text())
		if t == "" {
			continue
		}
		n, err := strconv.Atoi(t)
		if err != nil {
			return nil, fmt.Errorf("%d: %.40q is no length in tokens", line, t)
		}
		if n < 1 || n > limit {
			return nil, fmt.Errorf("%d: a length of %d tokens, want 1 to %d", line, n, limit)
		}
		out = append(out, n)
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("%d: %w", line, err)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%d: there is no length in it", line)
	}
	return out, nil
}

// BenchSizes are the sizes of random encoders: those of multilingual BERT-base, and of multilingual-e5-small with its
// vocabulary trimmed to 46,287 pieces.
var BenchSizes = []string{"base", "small"}

// randomEncoder writes a random encoder of a size into a temporary folder, which is the caller's to remove, also when
// there is an error.
func randomEncoder(size string) (dir string, err error) {
	c := random.Config{NumHiddenLayers: 12, NumAttentionHeads: 12, MaxPositionEmbeddings: 512, NoPooler: true, Spread: 0.4}
	switch size {
	case "base":
		c.VocabSize, c.HiddenSize, c.IntermediateSize = 119547, 768, 3072
	case "small":
		c.VocabSize, c.HiddenSize, c.IntermediateSize = 46287, 384, 1536
	default:
		return "", fmt.Errorf("there is no size %q of a random encoder; there are %q", size, BenchSizes)
	}
	if dir, err = os.MkdirTemp("", "graft-bench-"); err != nil {
		return "", err
	}
	return dir, random.Folder(dir, 1, c)
}
