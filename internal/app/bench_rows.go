package app

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-aefebe89/graft/export/ort"
	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/train"
)

// benchRow is something that can be measured.
type benchRow struct {
	key, name string
	open      func(b *bench, ks []kernel.Kernels) (*running, error)
}

// running is a row made ready.
type running struct {
	run    func(context.Context) error // all batches of the load
	steps  int                         // how many those are
	tokens int                         // that a run goes through
	flops  float64                     // multiplications and additions that a run needs
	close  func()
}

// runtimeKey is the row that the others are ratios to.
const runtimeKey = "ort"

// allBenchRows are the rows in the table's order.
func allBenchRows() []benchRow {
	step := func(key, name string, base bool, method func(b *bench) peft.Method) benchRow {
		return benchRow{key, name, func(b *bench, ks []kernel.Kernels) (*running, error) {
			return b.openStep(ks, method(b), base)
		}}
	}
	none := func(*bench) peft.Method { return nil }
	return []benchRow{
		{runtimeKey, "onnxruntime forward", (*bench).openRuntime},
		{"forward", "graft forward", (*bench).openForward},
		step("head", "head step", false, none),
		step("top", "top adapter step", false, (*bench).top),
		{"stored", "top adapter step on stored states", (*bench).openStored},
		step("pfeiffer", "Pfeiffer step", false, (*bench).pfeiffer),
		step("lora", "LoRA step", false, (*bench).lora),
		step("full", "full fine-tuning step", true, none),
		{"meta", "meta step", (*bench).openMeta},
	}
}

// BenchKeys are what the rows are called on the command line.
func BenchKeys() []string {
	var out []string
	for _, r := range allBenchRows() {
		out = append(out, r.key)
	}
	return out
}

// benchRows are the rows of some keys, in the table's order; all if none is named.
func benchRows(keys []string) ([]benchRow, error) {
	for _, k := range keys {
		if _, ok := benchRowOf(k); !ok {
			return nil, fmt.Errorf("there is nothing called %q to measure; there are %s", k, strings.Join(BenchKeys(), ", "))
		}
	}
	return slices.DeleteFunc(allBenchRows(), func(r benchRow) bool { return len(keys) > 0 && !slices.Contains(keys, r.key) }), nil
}

func benchRowOf(key string) (benchRow, bool) {
	rows := allBenchRows()
	i := slices.IndexFunc(rows, func(r benchRow) bool { return r.key == key })
	if i < 0 {
		return benchRow{}, false
	}
	return rows[i], true
}

// The methods as they are measured: a bottleneck of a sixteenth of the hidden size, as in AdapterHub, and LoRA of rank 8
// on queries and values, as in PEFT.

func (b *bench) bottleneck() int { return max(graph.HiddenSize(b.base.Encoder)/16, 1) }

func (b *bench) top() peft.Method {
	return peft.Bottleneck{Where: peft.Top, Size: b.bottleneck(), Activation: kernel.ReLU}
}

func (b *bench) pfeiffer() peft.Method {
	return peft.Bottleneck{Where: peft.LayerOutput, Size: b.bottleneck(), Activation: kernel.ReLU}
}

func (b *bench) lora() peft.Method { return peft.LoRA{R: 8, Alpha: 8, Targets: b.base.queryValue()} }

// openRuntime is onnxruntime's forward pass on padded batches.
func (b *bench) openRuntime(ks []kernel.Kernels) (*running, error) {
	var outputs []string
	for _, out := range b.base.Outputs {
		if !out.Pooled {
			outputs = append(outputs, out.Name)
		}
	}
	s, err := ort.OpenFile(b.base.Path, b.base.File.Model, ort.Options{Threads: len(ks), Outputs: outputs})
	if err != nil {
		return nil, err
	}
	var batches []*ort.Batch
	for _, part := range b.load.padded {
		var ids [][]int32
		for _, q := range part {
			ids = append(ids, q.IDs)
		}
		batches = append(batches, ort.Pad(ids, nil, int64(b.base.Config.PadTokenID)))
	}
	run := func(ctx context.Context) error {
		for _, x := range batches {
			if _, err := s.Run(ctx, x, nil); err != nil {
				return err
			}
		}
		return nil
	}
	f := forwardWork(b.base.Model, b.load.seqs)
	return &running{run, len(batches), b.load.tokens, f, func() { s.Close() }}, nil
}

// each is a run that does f with every batch of ours.
func (b *bench) each(f func(ctx context.Context, seqs []*graph.Sequence) error) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, seqs := range b.load.ours {
			if err := f(ctx, seqs); err != nil {
				return err
			}
		}
		return settled(b.ks)
	}
}

// params are the parameters of the encoder with a method, fresh.
func (b *bench) params(m peft.Method, classes int) (*graph.Params, error) {
	p, err := graph.NewParams(b.base.Model, m, classes, 1)
	if err != nil {
		return nil, err
	}
	p.Precision = b.prec
	return p, nil
}

// openForward is our forward pass up to the last hidden state.
func (b *bench) openForward(ks []kernel.Kernels) (*running, error) {
	p, err := b.params(nil, 0)
	if err != nil {
		return nil, err
	}
	s := graph.NewEncoder(p, ks)
	run := b.each(func(ctx context.Context, seqs []*graph.Sequence) error {
		_, err := s.Features(ctx, seqs)
		return err
	})
	return &running{run, len(b.load.ours), b.load.tokens, forwardWork(b.base.Model, b.load.seqs), func() { giveBack(p, s) }}, nil
}

// openStep is a step of training through the encoder: forward, the mean loss over all tokens, backward, AdamW.
func (b *bench) openStep(ks []kernel.Kernels, m peft.Method, base bool) (*running, error) {
	p, err := b.params(m, benchClasses)
	if err != nil {
		return nil, err
	}
	params := p.Of(graph.Adapter, graph.Head)
	if base {
		weights := p.Encoding(false)
		for _, w := range weights {
			w.Thaw()
		}
		params = append(params, weights...)
	}
	s := graph.NewTrainer(p, ks, params)
	step, free, err := optimise(s, params, ks)
	if err != nil {
		return nil, err
	}
	return &running{b.each(step), len(b.load.ours), b.load.tokens, stepWork(b.base.Model, m, base, b.load.seqs), func() {
		free()
		giveBack(p, s)
	}}, nil
}

// openStored is a step of a top adapter on hidden states that were computed before: what training takes from the second
// epoch on.
func (b *bench) openStored(ks []kernel.Kernels) (*running, error) {
	p, err := b.params(b.top(), benchClasses)
	if err != nil {
		return nil, err
	}
	stored := map[*graph.Sequence]*graph.Sequence{} // by those without, filled in as they come: in the run that warms up
	encoder := graph.NewEncoder(p, ks)
	params := p.Of(graph.Adapter, graph.Head)
	s := graph.NewTopTrainer(p, ks, params)
	step, free, err := optimise(s, params, ks)
	if err != nil {
		return nil, err
	}
	run := b.each(func(ctx context.Context, seqs []*graph.Sequence) error {
		if stored[seqs[0]] == nil {
			fs, err := encoder.Features(ctx, seqs)
			if err != nil {
				return err
			}
			for i, q := range seqs {
				c := *q
				c.Features = fs[i]
				stored[q] = &c
			}
		}
		with := make([]*graph.Sequence, len(seqs))
		for i, q := range seqs {
			with[i] = stored[q]
		}
		return step(ctx, with)
	})
	return &running{run, len(b.load.ours), b.load.tokens, storedWork(b.base.Model, b.top(), b.load.seqs), func() {
		free()
		giveBack(p, s, encoder)
	}}, nil
}

// optimise is a step as train takes it, with its defaults. free gives back what it has of a device.
func optimise(s *graph.Session, params []*graph.Param, ks []kernel.Kernels) (
	step func(context.Context, []*graph.Sequence) error, free func(), err error) {
	opt, err := train.NewAdamW(ks[0], params, 0.01)
	if err != nil {
		return nil, nil, err
	}
	if s.Into, err = graph.NewVector(ks[0], params); err != nil {
		return nil, nil, err
	}
	step = func(ctx context.Context, seqs []*graph.Sequence) error {
		s.Into.Zero()
		if _, err := s.Start(ctx, seqs, graph.MeanWeight(seqs)); err != nil {
			return err
		}
		return opt.Step(ks, s.Into, 1e-3, 1)
	}
	free = func() {
		opt.Release()
		s.Into.Release()
	}
	return step, free, nil
}
