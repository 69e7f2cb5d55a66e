package graph_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/cpu"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx/random"
)

// randomEncoder imports an encoder of random weights.
func randomEncoder(t testing.TB, c random.Config) *importer.Model {
	t.Helper()
	dir := t.TempDir()
	if err := random.Folder(dir, 3, c); err != nil {
		t.Fatal(err)
	}
	m, err := importer.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// disentangled imports an encoder of random weights with relative positions.
func disentangled(t testing.TB) *importer.Model {
	t.Helper()
	file, err := random.Disentangled(3, random.Config{}, random.Relative{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.onnx")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteTo(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	m, err := importer.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func threads(n int) []kernel.Kernels {
	ks := make([]kernel.Kernels, n)
	for i := range ks {
		ks[i] = cpu.New()
	}
	return ks
}

func newParams(t testing.TB, m *importer.Model, method peft.Method) *graph.Params {
	t.Helper()
	p, err := graph.NewParams(m, method, 4, 3)
	if err != nil {
		t.Fatal(err)
	}
	shake(p, 5)
	return p
}

// gradients are those of a step of a session, the loss first.
func gradients(t testing.TB, s *graph.Session, train []*graph.Param, seqs []*graph.Sequence) [][]float32 {
	t.Helper()
	loss, err := s.Step(context.Background(), seqs, 0.1)
	if err != nil {
		t.Fatal(err)
	}
	out := [][]float32{{float32(loss)}}
	for i, p := range train {
		g := make([]float32, p.Size())
		if err := s.Grad(i, g); err != nil {
			t.Fatal(err)
		}
		out = append(out, g)
	}
	return out
}

// Values that are computed again are the same, and so are the gradients; what is kept between is a layer's input.
func TestRecomputedActivationsChangeNoBit(t *testing.T) {
	m := randomEncoder(t, random.Config{NumHiddenLayers: 12})
	for name, method := range methods(m) {
		for _, all := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, all weights %t", name, all), func(t *testing.T) {
				seqs, _ := labelled(500, 4, 6, 1, 9, 30)
				run := func(memory graph.Memory) ([][]float32, int) {
					p := newParams(t, m, method)
					p.Memory = memory
					train := p.Of(graph.Adapter, graph.Head)
					if all {
						for _, b := range p.Encoding(true) {
							b.Thaw()
							train = append(train, b)
						}
					}
					s := graph.NewTrainer(p, threads(2), train)
					g := gradients(t, s, train, seqs)
					f, err := graph.FootprintOf(p, s)
					if err != nil {
						t.Fatal(err)
					}
					return g, f.Arena
				}
				want, much := run(graph.Memory{})
				got, little := run(graph.Memory{Recompute: true})
				for i := range want {
					if !slices.Equal(got[i], want[i]) {
						t.Fatalf("value %d differs", i)
					}
				}
				// Without, eleven layers' values wait for the backward pass. An adapter on top asks for none of them.
				if on := name == "top" && !all; on && little != much || !on && little > much*6/10 {
					t.Errorf("the arenas take %d bytes with recomputation, %d without", little, much)
				}
			})
		}
	}
}

// The same bits on ten repeats, for each number of threads, also from sessions of their own.
func TestStepsAreDeterministic(t *testing.T) {
	m := randomEncoder(t, random.Config{})
	seqs, _ := labelled(500, 4, 6, 1, 9, 17, 3, 30)
	for _, n := range []int{1, 2, 3, 5} {
		p := newParams(t, m, methods(m)["lora"])
		train := append(p.Of(graph.Adapter, graph.Head), p.Encoding(true)...)
		for _, q := range train {
			q.Thaw()
		}
		s := graph.NewTrainer(p, threads(n), train)
		want := gradients(t, s, train, seqs)
		for k := range 10 {
			if k == 5 {
				s = graph.NewTrainer(p, threads(n), train)
			}
			for i, g := range gradients(t, s, train, seqs) {
				if !slices.Equal(g, want[i]) {
					t.Fatalf("%d threads: value %d differs in repeat %d", n, i, k)
				}
			}
		}
	}
}

func TestASessionsStepAllocatesNothing(t *testing.T) {
	t.Run("absolute positions", func(t *testing.T) { allocatesNothing(t, randomEncoder(t, random.Config{})) })
	t.Run("relative positions", func(t *testing.T) { allocatesNothing(t, disentangled(t)) })
}

// allocatesNothing checks steps of a model on two batches in turn, once it knows both.
func allocatesNothing(t *testing.T, m *importer.Model) {
	t.Helper()
	p := newParams(t, m, methods(m)["lora"])
	train := p.Of(graph.Adapter, graph.Head)
	table := p.Encoding(true)[slices.IndexFunc(p.Encoding(true), (*graph.Param).Embedding)]
	table.Thaw()
	train = append(train, table)
	s := graph.NewTrainer(p, threads(2), train)
	small, _ := labelled(500, 4, 6, 1, 9)
	large, _ := labelled(500, 4, 20, 7, 9, 11, 100)
	for _, q := range large {
		q.Types = nil
	}
	grads := gradients(t, s, train, large)[1:]
	gradients(t, s, train, small)
	ctx := context.Background()
	if a := testing.AllocsPerRun(20, func() {
		for _, seqs := range [][]*graph.Sequence{small, large} {
			if _, err := s.Step(ctx, seqs, 0.1); err != nil {
				t.Error(err)
			}
			for i, g := range grads {
				if err := s.Grad(i, g); err != nil {
					t.Error(err)
				}
			}
		}
	}); a > 0 {
		t.Errorf("two steps and their gradients allocate %v times", a)
	}
}

// A table's gradient takes memory for the batch's tokens, not for the vocabulary.
func TestTheGradientOfATableIsSparse(t *testing.T) {
	arena := func(words int) int {
		m := randomEncoder(t, random.Config{VocabSize: words})
		p := newParams(t, m, nil)
		train := p.Encoding(true)
		for _, q := range train {
			q.Thaw()
		}
		s := graph.NewTrainer(p, threads(1), train)
		seqs, _ := labelled(500, 4, 6, 9)
		gradients(t, s, train, seqs)
		f, err := graph.FootprintOf(p, s)
		if err != nil {
			t.Fatal(err)
		}
		return f.Arena
	}
	if a, b := arena(500), arena(5000); a != b {
		t.Errorf("the arena takes %d bytes for 500 words, %d for 5000", a, b)
	}
}

// An interruption ends a step after the operator in progress, on every thread, and the session serves on.
func TestAStepStopsWithinAnOperator(t *testing.T) {
	config := random.Config{}
	lengths := []int{30, 30}
	if !testing.Short() { // BERT-base's size: an operator takes some 10 ms, a step seconds
		config = random.Config{VocabSize: 500, HiddenSize: 768, NumHiddenLayers: 12, NumAttentionHeads: 12, IntermediateSize: 3072}
		lengths = slices.Repeat([]int{128}, 16)
	}
	m := randomEncoder(t, config)
	p := newParams(t, m, peft.LoRA{R: 2, Alpha: 2, Targets: []string{"query", "value"}})
	train := p.Of(graph.Adapter, graph.Head)
	var ks []kernel.Kernels
	counts := make([]*counting, 2)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for i := range counts {
		counts[i] = &counting{Kernels: cpu.New(), at: -1}
		ks = append(ks, counts[i])
	}
	s := graph.NewTrainer(p, ks, train)
	seqs, _ := labelled(500, 4, lengths...)
	counts[0].at, counts[0].cancel = 5, cancel
	counts[1].after = ctx
	if _, err := s.Step(ctx, seqs, 0.1); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	if counts[0].calls != 6 {
		t.Errorf("the thread that was interrupted in product 5 ran %d", counts[0].calls)
	}
	if n := counts[1].late.Load(); n > 1 { // it may have looked at the context just before
		t.Errorf("the other thread began %d products after the interruption", n)
	}
	if testing.Short() {
		got := gradients(t, s, train, seqs)
		fresh := gradients(t, graph.NewTrainer(p, threads(2), train), train, seqs)
		for i := range got {
			if !slices.Equal(got[i], fresh[i]) {
				t.Fatalf("after an interruption value %d differs", i)
			}
		}
	}
}

// counting ends a context in its product number at, and counts the products that it begins after a context's end.
type counting struct {
	kernel.Kernels
	calls, at int
	cancel    func()
	after     context.Context
	late      atomic.Int64
}

func (k *counting) MatMul(out, a, b kernel.Tensor, o kernel.MatMul) {
	if k.calls == k.at {
		k.cancel()
	}
	k.calls++
	if k.after != nil && k.after.Err() != nil {
		k.late.Add(1)
	}
	k.Kernels.MatMul(out, a, b, o)
}

// What is told before the first step is what the first step then takes: the heap grows by it.
func TestTheFootprintIsWhatIsAllocated(t *testing.T) {
	m := randomEncoder(t, random.Config{VocabSize: 500, HiddenSize: 192, NumHiddenLayers: 4, NumAttentionHeads: 4, IntermediateSize: 768})
	seqs, _ := labelled(500, 4, slices.Repeat([]int{60}, 40)...) // in four shards, whose gradients are kept
	packs := threads(1)[0].Pack(kernel.F32(make([]float32, 64), 8, 8), false, kernel.Float32, nil) != nil
	for _, memory := range []graph.Memory{{}, {Unpacked: true}, {Recompute: true}} {
		t.Run(fmt.Sprintf("%+v", memory), func(t *testing.T) {
			p := newParams(t, m, peft.LoRA{R: 64, Alpha: 2, Targets: []string{"query", "value"}})
			p.Memory = memory
			s := graph.NewTrainer(p, threads(2), p.Of(graph.Adapter, graph.Head))
			s.Reserve(slices.Values([][]*graph.Sequence{seqs[:3], seqs, seqs[:7]}))
			told, err := graph.FootprintOf(p, s)
			if err != nil {
				t.Fatal(err)
			}
			before := heap()
			for _, b := range [][]*graph.Sequence{seqs[:3], seqs, seqs[:7]} {
				if _, err := s.Step(context.Background(), b, 0.1); err != nil {
					t.Fatal(err)
				}
			}
			grown := heap() - before
			after, err := graph.FootprintOf(p, s)
			if err != nil || after != told {
				t.Errorf("before %+v, after %+v, %v", told, after, err)
			}
			if (told.Packed == 0) != (memory.Unpacked || !packs) {
				t.Errorf("packed matrices of %d bytes", told.Packed)
			}
			// Beside it: batches, the kernels' scratch, the runtime's rounding of large objects to pages. Kernels that
			// gain nothing by layouts pack in their scratch.
			scratch := 1 << 20
			if !packs {
				scratch = 4 << 20
			}
			if want := told.Arena + told.Packed; grown < want || float64(grown) > 1.03*float64(want)+float64(scratch) {
				t.Errorf("the heap grew by %d bytes, told %d", grown, want)
			}
			runtime.KeepAlive(s)
		})
	}
}

func heap() int {
	var m runtime.MemStats
	for range 2 {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// Frozen weights read where they are mapped give what packed ones give, up to the rounding of products that are summed
// in another order.
func TestUnpackedWeightsGiveTheSame(t *testing.T) {
	m := randomEncoder(t, random.Config{})
	seqs, _ := labelled(500, 4, 6, 1, 9)
	var results [2][][]float32
	for i, unpacked := range []bool{false, true} {
		p := newParams(t, m, methods(m)["pfeiffer"])
		p.Memory.Unpacked = unpacked
		train := p.Of(graph.Adapter, graph.Head)
		results[i] = gradients(t, graph.NewTrainer(p, threads(1), train), train, seqs)
	}
	for i := range results[0] {
		for k, want := range results[0][i] {
			if d := math.Abs(float64(results[1][i][k] - want)); d > 1e-4*(1+math.Abs(float64(want))) {
				t.Fatalf("value %d[%d] is %v unpacked, %v packed", i, k, results[1][i][k], want)
			}
		}
	}
}

// Also where layers share their weights, whose gradients are sums over the layers.
func TestRecomputedActivationsOfSharedLayers(t *testing.T) {
	recomputes(t, open(t, "fixtures", "onnx", "albert", "model.opset17.eager.onnx"))
}

// Also where layers share positions that belong to none of them.
func TestRecomputedActivationsWithRelativePositions(t *testing.T) { recomputes(t, disentangled(t)) }

// recomputes checks that recomputation changes no bit of any gradient.
func recomputes(t *testing.T, m *importer.Model) {
	t.Helper()
	seqs, _ := labelled(500, 4, 6, 1, 9)
	for name, method := range methods(m) {
		var want [][]float32
		for _, recompute := range []bool{false, true} {
			p := newParams(t, m, method)
			p.Memory.Recompute = recompute
			train := append(p.Of(graph.Adapter, graph.Head), p.Encoding(true)...)
			for _, q := range train {
				q.Thaw()
			}
			got := gradients(t, graph.NewTrainer(p, threads(1), train), train, seqs)
			for i := range want {
				if !slices.Equal(got[i], want[i]) {
					t.Fatalf("%s: value %d differs", name, i)
				}
			}
			want = got
		}
	}
}
