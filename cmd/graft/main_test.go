package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/seed-aefebe89/graft/export/ort"
	"github.com/seed-aefebe89/graft/importer/onnx/random"
	"github.com/seed-aefebe89/graft/internal/app"
	"github.com/seed-aefebe89/graft/internal/entity"
)

// TestMain runs the command itself where a test starts this binary as another process does graft.
func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

const asCommand = "GRAFT_TEST_AS_COMMAND"

// folder makes a random encoder with a tokenizer, and labelled files of two languages that it can learn.
func folder(t *testing.T) (model string, file func(lang, split string) string) {
	t.Helper()
	dir := t.TempDir()
	model = filepath.Join(dir, "encoder")
	if err := random.Folder(model, 3, random.Config{VocabSize: 65, NumHiddenLayers: 2, Spread: 0.4, Opset: 14}); err != nil {
		t.Fatal(err)
	}
	vocab := []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
	for i := range 60 {
		vocab = append(vocab, fmt.Sprint("w", i))
	}
	write(t, filepath.Join(model, "vocab.txt"), strings.Join(vocab, "\n")+"\n")
	file = func(lang, split string) string { return filepath.Join(dir, lang, split+".iob2") }
	for l, lang := range []string{"aa", "bb", "cc"} {
		for s, split := range []string{"train", "dev", "test"} {
			r := rand.New(rand.NewPCG(uint64(l), uint64(s)))
			var b strings.Builder
			for range 40 {
				for range 3 + r.IntN(6) {
					w := 20*l + r.IntN(20)
					tag := "O"
					if w%20 < 5 {
						tag = "B-PER"
					} else if w%20 < 10 {
						tag = "B-LOC"
					}
					fmt.Fprintf(&b, "w%d\t%s\n", w, tag)
				}
				b.WriteString("\n")
			}
			write(t, file(lang, split), b.String())
		}
	}
	return model, file
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// graft runs a command line and returns what it prints.
func graft(args ...string) (string, error) {
	var out bytes.Buffer
	c := command()
	c.SetOut(&out)
	c.SetErr(&out)
	c.SetArgs(args)
	err := c.ExecuteContext(context.Background())
	return out.String(), err
}

func must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := graft(args...)
	if err != nil {
		t.Fatalf("graft %s: %v", strings.Join(args, " "), err)
	}
	return out
}

// The chain as a user runs it: prime, train with each method, export, evaluate and predict from the exported files.
func TestTheWholeChain(t *testing.T) {
	if err := ort.Load(); err != nil {
		t.Skip(err)
	}
	model, file := folder(t)
	wholeChain(t, model, file, "bert, 2 layers, hidden 32", "Attention 2")
}

// The same chain for an encoder that is not recognised.
func TestTheWholeChainNodeByNode(t *testing.T) {
	if err := ort.Load(); err != nil {
		t.Skip(err)
	}
	model, file := folder(t)
	m, err := random.Twisted(3, random.Config{VocabSize: 65, NumHiddenLayers: 2, Spread: 0.4, Opset: 17},
		random.Twist{Distances: true, Temperature: true, Scaled: true, Gate: true})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(model, "model.onnx"), string(encoded(t, m)))
	wholeChain(t, model, file, "bert, hidden 32", "runs node by node")
}

// wholeChain runs the chain on a model that inspect describes in some words.
func wholeChain(t *testing.T, model string, file func(lang, split string) string, described ...string) {
	dir := t.TempDir()
	primed, served := filepath.Join(dir, "primed"), filepath.Join(dir, "served")
	out := must(t, "inspect", model)
	for _, what := range described {
		if !strings.Contains(out, what) {
			t.Errorf("inspect prints %s", out)
		}
	}
	before, err := os.ReadFile(filepath.Join(model, "model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	must(t, "prime", "--model", model, "--source", file("aa", "train"), "--source", file("bb", "train"), "--steps", "10", "--batch", "8",
		"--outer-lr", "1e-3", "--size", "8", "--out", primed, "-q", "--threads", "2")
	train := []string{"--train", file("cc", "train"), "--dev", file("cc", "dev"), "--lr", "1e-2", "--epochs", "12", "--batch", "8", "-q"}
	exported := []string{"export", "--model", primed, "--out", served}
	for name, flags := range map[string][]string{
		"meta": {"--start", filepath.Join(primed, "adapter")}, "lora": {"--method", "lora", "--rank", "2"},
		"pfeiffer": {"--method", "pfeiffer", "--size", "4", "--activation", "gelu"}, "top": {"--method", "top", "--size", "4", "--activation", "silu"},
	} {
		must(t, append(append([]string{"train", "--model", primed, "--out", filepath.Join(dir, name)}, flags...), train...)...)
		exported = append(exported, "--delta", filepath.Join(dir, name))
	}
	rounded := filepath.Join(dir, "bf16")
	must(t, append([]string{"train", "--model", primed, "--out", rounded, "--method", "lora", "--rank", "2", "--precision", "bf16"}, train...)...)
	out = must(t, "eval", "--model", primed, "--delta", rounded, "--test", file("cc", "test"), "--precision", "bf16", "--json", "-q")
	var lower struct {
		Graph  struct{ Micro struct{ F1 float64 } }
		Record struct{ Precision string }
	}
	if err := json.Unmarshal([]byte(out), &lower); err != nil || lower.Graph.Micro.F1 < 0.5 || lower.Record.Precision != "bf16" {
		t.Errorf("in bf16 %+v, %v", lower, err)
	}
	must(t, exported...)
	var saved []string
	for _, name := range []string{"meta", "lora", "pfeiffer", "top"} {
		path := filepath.Join(dir, name+".json")
		saved = append(saved, path)
		out := must(t, "eval", "--exported", served, "--delta", name, "--test", file("cc", "test"), "--seen", file("cc", "train"), "--save", path, "-q")
		if !strings.Contains(out, "equal predictions on 40 of 40 sentences") {
			t.Errorf("%s: eval prints %s", name, out)
		}
		var r struct {
			Graph struct{ Micro struct{ F1 float64 } }
		}
		b, _ := os.ReadFile(path)
		if err := json.Unmarshal(b, &r); err != nil || r.Graph.Micro.F1 < 0.5 {
			t.Errorf("%s: F1 %.3f, %v", name, r.Graph.Micro.F1, err)
		}
		runtime := must(t, "predict", "--exported", served, "--delta", name, "--json", "w41 w59, w46 .")
		if own := must(t, "predict", "--model", primed, "--delta", filepath.Join(dir, name), "--engine", "graph", "--json", "w41 w59, w46 ."); !sameEntities(t, runtime, own) {
			t.Errorf("%s: onnxruntime finds %s, the graph %s", name, runtime, own)
		}
		if again := must(t, "predict", "--model", primed, "--delta", filepath.Join(dir, name), "--json", "w41 w59, w46 ."); again != runtime {
			t.Errorf("%s: made in memory %s, from files %s", name, again, runtime)
		}
	}
	if out := must(t, append([]string{"report"}, saved...)...); !strings.Contains(out, "on 160 of 160 sentences in 4 evaluations") {
		t.Errorf("report prints %s", out)
	}
	after, err := os.ReadFile(filepath.Join(model, "model.onnx"))
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the base's file changed, %v", err)
	}
	st, err := os.Stat(filepath.Join(served, "model.slotted.onnx"))
	if base, _ := os.Stat(filepath.Join(primed, "model.onnx")); err != nil || st.Size() > base.Size() {
		t.Errorf("the slotted graph takes %d bytes, its base %d", st.Size(), base.Size())
	}
	_, err = graft("eval", "--model", model, "--delta", filepath.Join(dir, "meta"), "--test", file("cc", "test"), "-q")
	if err == nil || !strings.Contains(err.Error(), "not based on this model") || !strings.Contains(err.Error(), "tensor") {
		t.Errorf("a delta of the primed base on the plain one: %v", err)
	}
}

// sameEntities compares two lines of JSON up to the scores' rounding.
func sameEntities(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y []entity.Entity
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil || len(x) != len(y) || len(x) == 0 {
		return false
	}
	for i := range x {
		if d := x[i].Score - y[i].Score; d > 1e-4 || d < -1e-4 {
			return false
		}
		x[i].Score = y[i].Score
		if x[i] != y[i] {
			return false
		}
	}
	return true
}

func TestBadInputIsToldClearly(t *testing.T) {
	model, file := folder(t)
	dir := t.TempDir()
	bad := func(name, content string) string {
		path := filepath.Join(dir, name)
		write(t, path, content)
		return path
	}
	broken := func(name string, f func(dir string)) string {
		to := filepath.Join(dir, name)
		for _, n := range []string{"model.onnx", "config.json", "vocab.txt"} {
			b, err := os.ReadFile(filepath.Join(model, n))
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(to, n), string(b))
		}
		f(to)
		return to
	}
	train := func(model, train string, more ...string) []string {
		return append([]string{"train", "--model", model, "--train", train, "--dev", file("aa", "dev"), "--out", filepath.Join(dir, "out"), "-q"}, more...)
	}
	good := file("aa", "train")
	for want, args := range map[string][]string{
		"the file is empty":        {"inspect", bad("empty.onnx", "")},
		"wire type":                {"inspect", bad("text.onnx", "this is no protobuf message at all, only text")},
		"holds neither":            {"inspect", filepath.Dir(good)},
		"no such file":             {"inspect", filepath.Join(dir, "nowhere")},
		"tokenizer.json":           train(broken("tokenizer", func(d string) { write(t, filepath.Join(d, "tokenizer.json"), `{"model":7}`) }), good),
		"config.json":              train(broken("config", func(d string) { write(t, filepath.Join(d, "config.json"), `{`) }), good),
		"x.iob2:2":                 train(model, bad("x.iob2", "w1\tO\nw2 oops\n")),
		"no label \"B-ORG\"":       train(model, bad("org.iob2", "w1\tB-ORG\n"), "--labels", "O,B-PER,I-PER"),
		"holds no sentence":        train(model, bad("none.iob2", "\n\n")),
		"no adapter method":        train(model, good, "--method", "prefix"),
		"no projection is called":  train(model, good, "--method", "lora", "--targets", "quark"),
		"no activation":            train(model, good, "--activation", "softplus"),
		"at most 128":              train(model, good, "--max-length", "500"),
		"required flag(s) \"out\"": {"train", "--model", model, "--train", good, "--dev", good},
		"a precision can be":       train(model, good, "--precision", "fp8"),
		"ask for the engine graph": {"predict", "--model", model, "--delta", dir, "--precision", "bf16", "text"},
		"not \"int8\"":             {"bench", "--model", model, "--precision", "int8", "-q"},
		"--engine can be":          {"eval", "--model", model, "--delta", dir, "--test", good, "--engine", "gpu"},
		"no adapter_config.json":   {"eval", "--model", model, "--delta", dir, "--test", good, "-q"},
		"no model is named":        {"predict", "--delta", dir, "text"},
		"way of priming":           {"prime", "--model", model, "--source", good, "--out", filepath.Join(dir, "p"), "--how", "reptile", "-q"},
		"called \"prefix\"":        {"bench", "--model", model, "--methods", "prefix", "-q"},
		"no length in tokens":      {"bench", "--model", model, "--lengths", bad("lengths", "12\nx\n"), "-q"},
		"Python with torch":        {"bench", "--model", model, "--peer", filepath.Join(dir, "python"), "-q"},
		"[model random]":           {"bench", "-q"},
		"holds no evaluation":      {"report", bad("r.json", "{}")},
	} {
		if _, err := graft(args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("graft %s: error %v, want one with %q", strings.Join(args, " "), err, want)
		}
	}
}

func TestBenchWritesTableAndJSON(t *testing.T) {
	model, _ := folder(t)
	t.Setenv(asCommand, "1")
	path := filepath.Join(t.TempDir(), "bench.json")
	args := []string{"bench", "--model", model, "--methods", "forward,lora", "--tokens", "32", "--length", "8", "--runs", "1", "--threads", "1", "-q"}
	table := must(t, append(args, "--json", path)...)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var r app.BenchResult
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Rows) != 2 || r.Rows[1].Key != "lora" || r.Tokens != 32 || r.Rows[1].TokensPS <= 0 {
		t.Errorf("%s", b)
	}
	if _, err := os.Stat("/proc/self/status"); err == nil && (r.Rows[0].PrivateMB < 1 || r.Rows[1].PrivateMB < 1) {
		t.Errorf("private memory of %g and %g MB", r.Rows[0].PrivateMB, r.Rows[1].PrivateMB)
	}
	if !strings.Contains(table, "graft forward") || !strings.Contains(table, "LoRA step") || !strings.Contains(table, "private MB") {
		t.Errorf("the table is %s", table)
	}
	if out := must(t, append(args, "--memory=false", "--json", "-")...); json.Unmarshal([]byte(out), &r) != nil || len(r.Rows) != 2 {
		t.Errorf("--json - prints %s", out)
	}
}

func TestEveryCommandHasHelpWithAnExample(t *testing.T) {
	for _, c := range command().Commands() {
		if c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		if c.Example == "" || c.Short == "" {
			t.Errorf("graft %s has no example or no description", c.Name())
		}
		out, err := graft(c.Name(), "--help")
		if err != nil || !strings.Contains(out, "Examples:") {
			t.Errorf("graft %s --help: %v", c.Name(), err)
		}
		checkFlags(t, c)
	}
}

// checkFlags finds flags that the examples of a command use and it lacks.
func checkFlags(t *testing.T, c *cobra.Command) {
	shown := false
	for _, line := range strings.Split(strings.ReplaceAll(c.Example, "\\\n", " "), "\n") {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != "graft" || f[1] != c.Name() {
			continue
		}
		shown = true
		for _, x := range f {
			if name, ok := strings.CutPrefix(x, "--"); ok && c.Flags().Lookup(name) == nil {
				t.Errorf("the example of %s uses --%s, which it does not have", c.Name(), name)
			}
		}
	}
	if !shown {
		t.Errorf("no example of %s shows the command", c.Name())
	}
}
