package meta_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/portable"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx/random"
	"github.com/seed-aefebe89/graft/train"
	"github.com/seed-aefebe89/graft/train/meta"
)

var top = peft.Bottleneck{Where: peft.Top, Size: 8, Activation: kernel.GELU}
var lora = peft.LoRA{R: 2, Alpha: 4, Targets: []string{"query", "value"}}

func kernels() []kernel.Kernels { return []kernel.Kernels{portable.New(), portable.New()} }

func encoder(t *testing.T) *importer.Model {
	t.Helper()
	dir := t.TempDir()
	if err := random.Folder(dir, 3, random.Config{VocabSize: 60, NumHiddenLayers: 2}); err != nil {
		t.Fatal(err)
	}
	m, err := importer.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// tasks are two languages of random sentences, whose classes depend on the token and on the language.
func tasks() []meta.Task {
	r := rand.New(rand.NewPCG(4, 4))
	var out []meta.Task
	for l := range 2 {
		task := meta.Task{Name: fmt.Sprint("language ", l)}
		for range 24 {
			x := &train.Example{}
			for i := range 2 + r.IntN(6) {
				id := r.IntN(50)
				x.Seq.IDs = append(x.Seq.IDs, int32(5+id))
				x.Seq.Rows = append(x.Seq.Rows, int32(i))
				x.Seq.Targets = append(x.Seq.Targets, int32((id+l)%3))
			}
			task.Examples = append(task.Examples, x)
		}
		out = append(out, task)
	}
	return out
}

func params(t *testing.T, m *importer.Model, method peft.Method) *graph.Params {
	t.Helper()
	p, err := graph.NewParams(m, method, 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var settings = meta.Settings{OuterSteps: 6, OuterLR: 1e-3, Warmup: 2, WeightDecay: 0.01, Clip: 1, InnerSteps: 3, InnerLR: 0.1, Batch: 4, Seed: 8}

// The algorithm again, as design notes write it down, in plain loops: every inner step runs the whole network, nothing is
// computed ahead, gradients are summed by hand. Both must move the parameters alike; the hidden states that priming
// computes ahead for all support batches at once are grouped differently over the threads, which rounds differently.
func TestPrimingFollowsTheAlgorithm(t *testing.T) {
	for name, method := range map[string]peft.Method{"top": top, "lora": lora} {
		t.Run(name, func(t *testing.T) {
			m := encoder(t)
			p := params(t, m, method)
			if _, err := (&meta.Prime{Settings: settings, Params: p, Tasks: tasks(), Kernels: kernels()}).Run(context.Background()); err != nil {
				t.Fatal(err)
			}
			q := params(t, m, method)
			plainly(t, q, settings)
			moved := 0.0
			start := params(t, m, method)
			for i, want := range q.Of(graph.Base, graph.Adapter, graph.Head) {
				got, from := p.Of(graph.Base, graph.Adapter, graph.Head)[i], start.Of(graph.Base, graph.Adapter, graph.Head)[i]
				for k, v := range want.Data {
					moved = math.Max(moved, math.Abs(float64(v-from.Data[k])))
					// Adam divides by the gradient's size: where that is near zero its sign is rounding, and a step is 1e-3
					if d := math.Abs(float64(got.Data[k] - v)); d > 2e-3 || d > 2e-5 && want.Group != graph.Base {
						t.Fatalf("%s %s[%d]: %v, want %v", want.Group, want.Name, k, got.Data[k], v)
					}
				}
			}
			if moved < 1e-3 {
				t.Errorf("nothing moved by more than %g", moved)
			}
		})
	}
}

func plainly(t *testing.T, p *graph.Params, s meta.Settings) {
	t.Helper()
	ctx, ks := context.Background(), kernels()
	base := p.Encoding(false)
	for _, b := range base {
		b.Thaw()
	}
	inner := p.Of(graph.Adapter, graph.Head)
	outer := append(base, p.Adapter...)
	support, query := graph.NewTrainer(p, ks, inner), graph.NewTrainer(p, ks, outer)
	opt, err := train.NewAdamW(ks[0], outer, s.WeightDecay)
	if err != nil {
		t.Fatal(err)
	}
	if query.Into, err = graph.NewVector(ks[0], outer); err != nil {
		t.Fatal(err)
	}
	ts := tasks()
	var streams []*train.Stream
	for i, task := range ts {
		streams = append(streams, &train.Stream{Examples: task.Examples, Batch: s.Batch, Seed: s.Seed + 1000003*uint64(i+1)})
	}
	next := func(i int) (out []*graph.Sequence) {
		for _, x := range streams[i].Next() {
			out = append(out, &x.Seq)
		}
		return out
	}
	for step := range s.OuterSteps {
		start, err := graph.Snapshot(inner)
		if err != nil {
			t.Fatal(err)
		}
		query.Into.Zero()
		var carried [][]float32
		for i := range ts {
			graph.Restore(inner, start)
			for range s.InnerSteps {
				b := next(i)
				if _, err := support.Step(ctx, b, graph.MeanWeight(b)); err != nil {
					t.Fatal(err)
				}
				for k, q := range inner {
					d := make([]float32, q.Size())
					support.Grad(k, d)
					for j := range d {
						q.Data[j] -= float32(s.InnerLR) * d[j]
					}
				}
			}
			b := next(i)
			if _, err := query.Step(ctx, b, graph.MeanWeight(b)); err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				if carried, err = graph.Snapshot(p.Head); err != nil {
					t.Fatal(err)
				}
			}
		}
		graph.Restore(inner, start)
		graph.Restore(p.Head, carried)
		if err := opt.Step(ks, query.Into, train.Linear(s.OuterLR, step, s.Warmup, s.OuterSteps), s.Clip); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSwitches(t *testing.T) {
	m := encoder(t)
	start := params(t, m, top)
	run := func(change func(*meta.Settings)) *graph.Params {
		s := settings
		s.OuterSteps = 2
		change(&s)
		p := params(t, m, top)
		if _, err := (&meta.Prime{Settings: s, Params: p, Tasks: tasks(), Kernels: kernels()}).Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		return p
	}
	differ := func(a, b []*graph.Param) bool {
		for i := range a {
			for k, v := range a[i].Data {
				if b[i].Data[k] != v {
					return true
				}
			}
		}
		return false
	}
	plain := run(func(*meta.Settings) {})
	if !differ(plain.Head, start.Head) || !differ(plain.Adapter, start.Adapter) {
		t.Error("head and adapter are not carried over and learned")
	}
	if zero := run(func(s *meta.Settings) { s.Head = meta.Zero }); differ(zero.Head, run(func(s *meta.Settings) { s.Head = meta.Zero; s.InnerSteps = 1 }).Head) {
		t.Error("a head that starts at zero each step keeps what the inner loop did")
	}
	if learn := run(func(s *meta.Settings) { s.Head = meta.Learn }); !differ(learn.Head, plain.Head) || !differ(learn.Head, start.Head) {
		t.Error("a learned head is as the carried one, or does not move")
	}
	if restart := run(func(s *meta.Settings) { s.Head = meta.Restart }); !differ(restart.Head, start.Head) {
		t.Error("a head that is drawn anew is as it was")
	}
	fresh := run(func(s *meta.Settings) { s.Adapter = meta.Fresh })
	if !differ(fresh.Adapter, start.Adapter) || !differ(fresh.Base, plain.Base) {
		t.Error("a fresh adapter changes nothing")
	}
	for name, change := range map[string]func(*meta.Settings){
		"S":          func(s *meta.Settings) { s.InnerSteps = 1 },
		"α":          func(s *meta.Settings) { s.InnerLR = 0.01 },
		"tasks":      func(s *meta.Settings) { s.Tasks = 1 },
		"ft":         func(s *meta.Settings) { s.Method = meta.FineTuning },
		"seed":       func(s *meta.Settings) { s.Seed = 9 },
		"embeddings": func(s *meta.Settings) { s.Embeddings = true },
	} {
		if !differ(run(change).Base, plain.Base) {
			t.Errorf("the switch %s has no effect", name)
		}
	}
	if differ(run(func(*meta.Settings) {}).Base, plain.Base) {
		t.Error("the same settings give other weights")
	}
	for _, b := range plain.Base {
		if b.Embedding() && differ([]*graph.Param{b}, []*graph.Param{start.Base[indexOf(plain.Base, b)]}) {
			t.Errorf("the table %s moved", b.Name)
		}
	}
}

func indexOf(ps []*graph.Param, p *graph.Param) int {
	for i, q := range ps {
		if p == q {
			return i
		}
	}
	return -1
}

func TestNonsenseIsRefused(t *testing.T) {
	m := encoder(t)
	for want, change := range map[string]func(*meta.Prime){
		"no source":       func(p *meta.Prime) { p.Tasks = nil },
		"way of priming":  func(p *meta.Prime) { p.Method = "reptile" },
		"the head can be": func(p *meta.Prime) { p.Head = "lost" },
		"start can be":    func(p *meta.Prime) { p.Adapter = "stale" },
		"tasks a step":    func(p *meta.Prime) { p.Settings.Tasks = 3 },
		"positive":        func(p *meta.Prime) { p.InnerSteps = -1 },
		"no sentence":     func(p *meta.Prime) { p.Tasks[1].Examples = nil },
	} {
		p := &meta.Prime{Settings: settings, Params: params(t, m, top), Tasks: tasks(), Kernels: kernels()}
		change(p)
		if _, err := p.Run(context.Background()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// countdown is a context that ends after Err was asked n times.
type countdown struct {
	context.Context
	left *atomic.Int64
}

func (c countdown) Err() error {
	if c.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

func TestResumeGivesTheSameBits(t *testing.T) {
	m := encoder(t)
	for name, c := range map[string]struct {
		m         peft.Method
		precision kernel.Precision
	}{"top": {top, kernel.Float32}, "lora": {lora, kernel.Float32}, "lora bf16": {lora, kernel.BFloat16}} {
		t.Run(name, func(t *testing.T) {
			start := func() *graph.Params {
				p := params(t, m, c.m)
				p.Precision = c.precision
				return p
			}
			straight := start()
			want, err := (&meta.Prime{Settings: settings, Params: straight, Tasks: tasks(), Kernels: kernels()}).Run(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			checkpoint := filepath.Join(t.TempDir(), "checkpoint")
			interruptions := 0
			for asks := int64(300); ; asks = asks*2 + 131 {
				p, ctx := start(), countdown{context.Background(), &atomic.Int64{}}
				ctx.left.Store(asks)
				got, err := (&meta.Prime{Settings: settings, Params: p, Tasks: tasks(), Kernels: kernels(), Checkpoint: checkpoint}).Run(ctx)
				if errors.Is(err, train.ErrInterrupted) {
					interruptions++
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if got.Sentences != want.Sentences || got.Query[0] != want.Query[0] {
					t.Errorf("got %+v, want %+v", got, want)
				}
				for i, q := range straight.Of(graph.Base, graph.Adapter, graph.Head) {
					for k, v := range q.Data {
						if x := p.Of(graph.Base, graph.Adapter, graph.Head)[i].Data[k]; x != v {
							t.Fatalf("%s[%d] is %v, want %v", q.Name, k, x, v)
						}
					}
				}
				break
			}
			if interruptions < 2 {
				t.Errorf("the run was interrupted %d times, which tests little", interruptions)
			}
		})
	}
}
