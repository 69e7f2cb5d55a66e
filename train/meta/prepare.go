package meta

import (
	"errors"
	"fmt"
	"slices"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/train"
)

// Footprint is the memory that Run will take: what is told before the first step. It computes nothing, but gives the
// weights that will be trained memory of their own.
func (p *Prime) Footprint() (*train.Footprint, error) {
	if err := p.prepare(); err != nil {
		return nil, err
	}
	return p.footprint()
}

// footprint is Footprint of what is prepared.
func (p *Prime) footprint() (*train.Footprint, error) {
	sessions := []*graph.Session{p.query}
	r := &train.Footprint{Trained: graph.Count(p.outer), Gradients: train.GradientBytes(p.outer), Optimiser: train.OptimiserBytes(p.outer),
		Copies: 4 * (2*graph.Count(p.inner) + graph.Count(p.Params.Head))}
	if p.Method == MAML {
		sessions = append(sessions, p.support)
		r.Gradients += train.GradientBytes(p.inner)
	}
	if p.encode != nil {
		sessions = append(sessions, p.encode)
		rows := 0
		p.walk(func(support [][]*graph.Sequence, _ []*graph.Sequence) {
			n := 0
			for _, q := range slices.Concat(support...) {
				n += len(q.Targets)
			}
			rows = max(rows, n)
		})
		r.Features = 4 * rows * graph.HiddenSize(p.Params.Model.Encoder)
	}
	var err error
	if r.Footprint, err = graph.FootprintOf(p.Params, sessions...); r.Device {
		r.DeviceCopies, r.Copies = r.Copies, 0
	}
	return r, err
}

// prepare chooses what is trained and makes the sessions.
func (p *Prime) prepare() error {
	p.defaults()
	if err := p.check(len(p.Tasks)); err != nil {
		return err
	}
	if len(p.Tasks) == 0 {
		return errors.New("there is no source language to prime on")
	}
	p.streams = nil
	for i, t := range p.Tasks {
		if len(t.Examples) == 0 {
			return fmt.Errorf("the source %q has no sentence", t.Name)
		}
		p.streams = append(p.streams, &train.Stream{Examples: t.Examples, Batch: p.Batch, Seed: p.Seed + 1000003*uint64(i+1)})
	}
	base := p.Params.Encoding(p.Embeddings)
	if len(base) == 0 {
		return errors.New("the encoder's layers were not recognised, so that there is nothing to prime")
	}
	for _, b := range base {
		b.Thaw()
	}
	p.inner = p.Params.Of(graph.Adapter, graph.Head)
	p.outer = slices.Clone(base)
	if p.Adapter == Learned || p.Method == FineTuning {
		p.outer = append(p.outer, p.Params.Adapter...)
	}
	if p.Head == Learn || p.Method == FineTuning {
		p.outer = append(p.outer, p.Params.Head...)
	}
	p.query = graph.NewTrainer(p.Params, p.Kernels, p.outer)
	if p.Method == MAML {
		if graph.OnTop(p.Params) {
			p.encode = graph.NewEncoder(p.Params, p.Kernels)
			p.support = graph.NewTopTrainer(p.Params, p.Kernels, p.inner)
		} else {
			p.support = graph.NewTrainer(p.Params, p.Kernels, p.inner)
		}
	}
	p.reserve()
	return nil
}

// allocate makes the optimiser and the vectors, and tells the sessions where their gradients go.
func (p *Prime) allocate() (err error) {
	k := p.Kernels[0]
	if _, ok := k.(kernel.Memory); ok {
		told, err := p.footprint()
		if err == nil {
			err = told.Fits(k)
		}
		if err != nil {
			return err
		}
	}
	if p.opt, err = train.NewAdamW(k, p.outer, p.WeightDecay); err != nil {
		return err
	}
	for _, v := range []struct {
		at **graph.Vector
		of []*graph.Param
	}{{&p.grads, p.outer}, {&p.start, p.inner}, {&p.before, p.inner}, {&p.carried, p.Params.Head}, {&p.small, p.inner}} {
		if v.at == &p.small && p.Method != MAML {
			continue
		}
		if *v.at, err = graph.NewVector(k, v.of); err != nil {
			return err
		}
	}
	p.query.Into = p.grads
	if p.support != nil {
		p.support.Into = p.small
	}
	return nil
}

// release gives back the memory of a device that priming took; the parameters stay there.
func (p *Prime) release() {
	if p.opt != nil {
		p.opt.Release()
	}
	for _, v := range []*graph.Vector{p.grads, p.small, p.start, p.before, p.carried} {
		if v != nil {
			v.Release()
		}
	}
	for _, s := range []*graph.Session{p.query, p.support, p.encode} {
		if s != nil {
			s.Release()
		}
	}
}

// reserve makes room in the sessions for every batch to come.
func (p *Prime) reserve() {
	p.walk(func(support [][]*graph.Sequence, query []*graph.Sequence) {
		p.query.Reserve(slices.Values([][]*graph.Sequence{query}))
		if p.Method != MAML {
			return
		}
		p.support.Reserve(slices.Values(support))
		if p.encode != nil {
			p.encode.Reserve(slices.Values([][]*graph.Sequence{slices.Concat(support...)}))
		}
	})
}

// walk calls f with the batches of every task of every outer step, in their order.
func (p *Prime) walk(f func(support [][]*graph.Sequence, query []*graph.Sequence)) {
	streams := make([]*train.Stream, len(p.streams))
	for i, s := range p.streams {
		streams[i] = &train.Stream{Examples: s.Examples, Batch: s.Batch, Seed: s.Seed}
	}
	for step := range p.OuterSteps {
		for _, t := range p.sample(step) {
			var support [][]*graph.Sequence
			if p.Method == MAML {
				for range p.InnerSteps {
					support = append(support, sequences(streams[t].Next()))
				}
			}
			f(support, sequences(streams[t].Next()))
		}
	}
}
