package graph_test

import (
	"context"
	"math"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/cpu"
)

// counted counts the shards that a thread begins: each looks its tokens up once. held, if there is one, is called first.
type counted struct {
	kernel.Kernels
	shards atomic.Int64
	held   func()
}

func (c *counted) Embed(out kernel.Tensor, tables, ids []kernel.Tensor) {
	if c.shards.Add(1); c.held != nil {
		c.held()
	}
	c.Kernels.Embed(out, tables, ids)
}

// A thread that other work holds up leaves the batch to the others, and the result is the same to the bit.
func TestAThreadThatIsHeldUpComputesLess(t *testing.T) {
	m := encoder(t)
	p := loRA(t, m, kernel.Float32)
	seqs, count := labelled(100, 4, slices.Repeat([]int{64, 32, 100, 60}, 16)...)
	train := p.Of(graph.Adapter, graph.Head)
	run := func(held func(other *counted)) (loss float64, grads []float32, first, second int64) {
		a, b := &counted{Kernels: cpu.New()}, &counted{Kernels: cpu.New()}
		if held != nil {
			a.held = func() { held(b) }
		}
		s := graph.NewTrainer(p, []kernel.Kernels{a, b}, train)
		loss, err := s.Step(context.Background(), seqs, 1/float32(count))
		if err != nil {
			t.Fatal(err)
		}
		for i, q := range train {
			g := make([]float32, q.Size())
			if err := s.Grad(i, g); err != nil {
				t.Fatal(err)
			}
			grads = append(grads, g...)
		}
		return loss, grads, a.shards.Load(), b.shards.Load()
	}
	loss, grads, a, b := run(nil)
	shards := a + b
	if shards < 6 {
		t.Fatalf("4096 tokens were cut into %d shards, too few for threads to take in turn", shards)
	}
	got, g, a, b := run(func(other *counted) {
		for end := time.Now().Add(20 * time.Second); other.shards.Load() < shards-1; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Error("the other thread does not take the shards that are left")
				return
			}
		}
	})
	if a > 1 || a+b != shards { // it has none where the other was done before it began
		t.Errorf("the thread that was held up computed %d shards of %d, the other %d", a, shards, b)
	}
	if got != loss || !slices.Equal(g, grads) {
		t.Errorf("the loss is %v, before %v, or the gradients differ", got, loss)
	}

	// One thread cuts the batch otherwise and adds the rows up in another order.
	whole, wholeGrads := step(t, p, cpu.New(), seqs, count, train)
	if d := distance(grads, wholeGrads); !(d < 1e-4 && math.Abs(whole-loss) < 1e-5*whole) {
		t.Errorf("the loss is %v, of one thread %v; the gradients differ by %.2g", loss, whole, d)
	}
	for range 10 {
		if again, g, _, _ := run(nil); again != loss || !slices.Equal(g, grads) {
			t.Fatalf("the loss is %v, at first %v, or the gradients differ", again, loss)
		}
	}
}

// Logits of a batch that is cut are those of its sequences alone.
func TestLogitsOfShardsStandInTheirPlaces(t *testing.T) {
	m := encoder(t)
	p := loRA(t, m, kernel.Float32)
	seqs, _ := labelled(100, 4, slices.Repeat([]int{64, 32, 100, 60}, 16)...)
	ks := []kernel.Kernels{cpu.New(), cpu.New()}
	all, err := graph.NewTagger(p, ks).Logits(context.Background(), seqs)
	if err != nil {
		t.Fatal(err)
	}
	one := graph.NewTagger(p, ks[:1])
	for i, q := range seqs {
		alone, err := one.Logits(context.Background(), []*graph.Sequence{q})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(all[i], alone[0]) {
			t.Errorf("sequence %d differs", i)
		}
	}
}
