package train_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/portable"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx/random"
	"github.com/seed-aefebe89/graft/tokenize"
	"github.com/seed-aefebe89/graft/train"
	"github.com/seed-aefebe89/graft/train/data"
)

// words is the size of the test vocabulary, without special tokens.
const words = 40

// task is a random encoder with a task that adapters can learn: words 0–9 are people, 10–19 places.
type task struct {
	model   *importer.Model
	encoder *train.Encoder
	train   []*train.Example
	dev     []*train.Example
}

func newTask(t *testing.T) *task {
	t.Helper()
	dir := t.TempDir()
	if err := random.Folder(dir, 3, random.Config{VocabSize: words + 5, NumHiddenLayers: 2, Spread: 0.4}); err != nil {
		t.Fatal(err)
	}
	m, err := importer.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	vocab := []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
	for i := range words {
		vocab = append(vocab, fmt.Sprintf("w%d", i))
	}
	tok, err := tokenize.ParseVocab([]byte(strings.Join(vocab, "\n")), false)
	if err != nil {
		t.Fatal(err)
	}
	tr, dev := sentences(60, 1), sentences(20, 2)
	labels, err := data.NewLabelSet(data.Labels(tr, dev))
	if err != nil {
		t.Fatal(err)
	}
	k := &task{model: m, encoder: &train.Encoder{Tokenizer: tok, Labels: labels, MaxLength: 32}}
	if k.train, err = k.encoder.Examples("train", tr); err != nil {
		t.Fatal(err)
	}
	if k.dev, err = k.encoder.Examples("dev", dev); err != nil {
		t.Fatal(err)
	}
	return k
}

func sentences(n int, seed uint64) []data.Sentence {
	r := rand.New(rand.NewPCG(seed, seed))
	out := make([]data.Sentence, n)
	for i := range out {
		last := "O"
		for range 3 + r.IntN(9) {
			w := r.IntN(words)
			tag := "O"
			switch {
			case w < 10:
				tag = "PER"
			case w < 20:
				tag = "LOC"
			}
			switch {
			case tag == "O":
				last = "O"
			case last == tag:
				tag = "I-" + tag
			default:
				last, tag = tag, "B-"+tag
			}
			out[i].Words = append(out[i].Words, fmt.Sprintf("w%d", w))
			out[i].Tags = append(out[i].Tags, tag)
		}
	}
	return out
}

func (k *task) params(t *testing.T, m peft.Method) *graph.Params {
	t.Helper()
	p, err := graph.NewParams(k.model, m, k.encoder.Labels.Len(), 5)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// kernels are those of two threads.
func kernels() []kernel.Kernels { return []kernel.Kernels{portable.New(), portable.New()} }

var top = peft.Bottleneck{Where: peft.Top, Size: 16, Activation: kernel.ReLU}
var lora = peft.LoRA{R: 4, Alpha: 8, Targets: []string{"query", "value"}}

// countdown is a context that ends after Err was asked n times: an interruption in the midst of work.
type countdown struct {
	context.Context
	left *atomic.Int64
}

func interruptAfter(n int64) countdown {
	c := countdown{context.Background(), &atomic.Int64{}}
	c.left.Store(n)
	return c
}

func (c countdown) Err() error {
	if c.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}
