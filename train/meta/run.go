package meta

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/train"
)

// Run takes the outer steps. It leaves the parameters primed: the encoder, the adapter's start and the head. When ctx
// ends it saves its state and returns the context's error.
func (p *Prime) Run(ctx context.Context) (*Result, error) {
	if err := p.prepare(); err != nil {
		return nil, err
	}
	defer p.release()
	if err := p.allocate(); err != nil {
		return nil, err
	}
	p.saved = time.Now()
	if err := p.resume(); err != nil {
		return nil, err
	}
	bar := p.Progress.Start("priming ("+string(p.Method)+")", p.OuterSteps)
	defer bar.Done()
	bar.Add(p.state.Step, "")
	for p.state.Step < p.OuterSteps {
		before, err := p.mark()
		if err != nil {
			return nil, err
		}
		if err := p.step(ctx); err != nil {
			if ctx.Err() != nil {
				p.rewind(before)
				return nil, p.interrupted(ctx.Err())
			}
			return nil, err
		}
		p.state.Step++
		n := len(p.state.Query) - 1
		bar.Add(1, fmt.Sprintf("query loss %.3f, support loss %.3f", p.state.Query[n], p.state.Support[n]))
		if p.Stepped != nil {
			if err := p.Stepped(p.state.Step); err != nil {
				return nil, err
			}
		}
		if p.due() {
			if err := p.save(); err != nil {
				return nil, err
			}
		}
	}
	if err := p.save(); err != nil {
		return nil, err
	}
	if err := graph.Fetch(slices.Concat(p.outer, p.inner)); err != nil {
		return nil, err
	}
	return &Result{Steps: p.OuterSteps, Trainable: graph.Count(p.outer), Sentences: p.state.Sentences,
		Query: tenths(p.state.Query), Support: tenths(p.state.Support)}, nil
}

// step takes one outer step: the sum of the tasks' gradients, by AdamW. Losses are waited for in the end, when a device
// has everything to do.
func (p *Prime) step(ctx context.Context) error {
	p.grads.Zero()
	p.begin()
	if err := p.start.Take(); err != nil {
		return err
	}
	var query, support []func() (float64, error)
	tasks := p.sample(p.state.Step)
	for i, t := range tasks {
		p.start.Put()
		if p.Method == MAML {
			losses, err := p.adapt(ctx, p.streams[t])
			if err != nil {
				return err
			}
			support = append(support, losses...)
		}
		loss, err := p.ask(ctx, p.streams[t].Next())
		if err != nil {
			return err
		}
		query = append(query, loss)
		if i == 0 {
			if err := p.carried.Take(); err != nil {
				return err
			}
		}
	}
	p.start.Put()
	if p.Head == Carry && p.Method == MAML {
		p.carried.Put()
	}
	lr := train.Linear(p.OuterLR, p.state.Step, p.Warmup, p.OuterSteps)
	if err := p.opt.Step(p.Kernels, p.grads, lr, p.Settings.Clip); err != nil {
		return err
	}
	q, err := mean(query, len(tasks))
	if err != nil {
		return err
	}
	s, err := mean(support, len(tasks)*p.InnerSteps)
	if err != nil {
		return err
	}
	p.state.Query, p.state.Support = append(p.state.Query, q), append(p.state.Support, s)
	return nil
}

// mean is the sum of losses over n.
func mean(losses []func() (float64, error), n int) (float64, error) {
	sum := 0.0
	for _, wait := range losses {
		x, err := wait()
		if err != nil {
			return 0, err
		}
		sum += x
	}
	return sum / float64(n), nil
}

// begin puts head and adapter where an outer step starts from.
func (p *Prime) begin() {
	if p.Method != MAML {
		return
	}
	seed := p.Seed ^ uint64(p.state.Step+1)<<20
	switch p.Head {
	case Restart:
		p.Params.Restart(graph.Head, seed)
	case Zero:
		for _, h := range p.Params.Head {
			clear(h.Data)
			h.Changed()
		}
	}
	if p.Adapter == Fresh {
		p.Params.Restart(graph.Adapter, seed)
	}
}

// sample draws the tasks of an outer step.
func (p *Prime) sample(step int) []int {
	all := make([]int, len(p.Tasks))
	for i := range all {
		all[i] = i
	}
	if p.Settings.Tasks == 0 || p.Settings.Tasks == len(all) {
		return all
	}
	r := rand.New(rand.NewPCG(p.Seed, uint64(step)+1))
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:p.Settings.Tasks]
}

// adapt runs the inner loop: S steps of gradient descent on adapter and head, each on a support batch of its own. It
// returns what waits for their losses. The encoder stands still, so that with all adapters on top of it the hidden states of all
// support batches are computed at once.
func (p *Prime) adapt(ctx context.Context, s *train.Stream) (losses []func() (float64, error), err error) {
	batches := make([][]*graph.Sequence, p.InnerSteps)
	for i := range batches {
		batches[i] = p.take(s.Next())
	}
	if p.encode != nil {
		all := slices.Concat(batches...)
		fs, err := p.encode.Features(ctx, all)
		if err != nil {
			return nil, err
		}
		n := 0
		for _, b := range batches {
			for i, q := range b {
				c := *q
				c.Features = fs[n]
				b[i] = &c
				n++
			}
		}
	}
	for _, b := range batches {
		w := graph.MeanWeight(b)
		if w == 0 {
			continue
		}
		p.small.Zero()
		loss, err := p.support.Start(ctx, b, w)
		if err != nil {
			return nil, err
		}
		if err := train.Descend(p.Kernels[0], p.small, p.InnerLR); err != nil {
			return nil, err
		}
		losses = append(losses, loss)
	}
	return losses, nil
}

// ask adds the gradients of a query batch at the adapted point. What it returns waits for the loss.
func (p *Prime) ask(ctx context.Context, xs []*train.Example) (loss func() (float64, error), err error) {
	b := p.take(xs)
	w := graph.MeanWeight(b)
	if w == 0 {
		return func() (float64, error) { return 0, nil }, nil
	}
	return p.query.Start(ctx, b, w)
}

// take counts the examples of a batch and returns their sequences.
func (p *Prime) take(xs []*train.Example) []*graph.Sequence {
	p.state.Sentences += len(xs)
	return sequences(xs)
}

// sequences are the inputs of some examples.
func sequences(xs []*train.Example) []*graph.Sequence {
	out := make([]*graph.Sequence, len(xs))
	for i, x := range xs {
		out[i] = &x.Seq
	}
	return out
}

// tenths are the means of ten parts of a curve, or the curve if it is shorter.
func tenths(x []float64) []float64 {
	n := min(10, len(x))
	out := make([]float64, n)
	for i := range out {
		part := x[i*len(x)/n : (i+1)*len(x)/n]
		for _, v := range part {
			out[i] += v / float64(len(part))
		}
	}
	return out
}
