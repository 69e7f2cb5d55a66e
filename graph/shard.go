package graph

import (
	"context"
	"errors"

	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/exec"
	"github.com/seed-aefebe89/graft/graph/kernel"
)

// shard is what one thread of a Session works with.
type shard struct {
	exec   *exec.Exec
	batch  batch
	weight [1]float32
	err    error
	feeder feeder
	do     func() // runs exec and tells the session
}

func (sh *shard) idle() bool { return len(sh.batch.order) == 0 }

// run packs the sequences, runs every shard and returns when all are done. weight goes to the loss.
func (s *Session) run(ctx context.Context, seqs []*Sequence, weight float32) error {
	if len(seqs) == 0 {
		return errors.New("the batch is empty")
	}
	var need Capacity
	for i, part := range s.deal.spread(seqs, len(s.shards), s.mode.top()) {
		sh := s.shards[i]
		sh.weight[0] = weight
		if err := s.fill(&sh.batch, seqs, part); err != nil {
			return err
		}
		need = need.most(sh.batch.need())
	}
	if err := s.prepare(need); err != nil {
		return err
	}
	for _, sh := range s.shards {
		if sh.idle() {
			continue
		}
		if err := s.feed(sh); err != nil {
			return err
		}
	}
	s.ctx = ctx
	for _, sh := range s.shards {
		if sh.err = nil; !sh.idle() {
			s.busy.Add(1)
			go sh.do()
		}
	}
	s.busy.Wait()
	s.ctx = nil
	for _, sh := range s.shards {
		if sh.err != nil {
			return sh.err
		}
	}
	return nil
}

// fill packs some of the sequences into a shard's batch.
func (s *Session) fill(b *batch, seqs []*Sequence, part []int) error {
	e := s.params.Model.Encoder
	b.reset(len(e.Indexes))
	for _, k := range part {
		var err error
		if s.mode.top() {
			err = b.addFeatures(k, seqs[k], HiddenSize(e))
		} else {
			err = b.add(e, k, seqs[k])
		}
		if err != nil {
			return err
		}
	}
	return b.check(e)
}

// feed gives an executor its part of the batch.
func (s *Session) feed(sh *shard) error {
	b, n := &sh.batch, s.net
	f := &sh.feeder
	*f = feeder{exec: sh.exec, plan: s.plan}
	f.ints(n.Targets, b.targets)
	f.feed(n.Weight, kernel.Tensor{Shape: f.shape(1), F32: sh.weight[:]})
	if s.mode.top() {
		h := HiddenSize(s.params.Model.Encoder)
		f.feed(n.Features, kernel.Tensor{Shape: f.shape(len(b.rows), h), F32: b.features})
		return f.err
	}
	for i, x := range n.Index {
		f.ints(x, b.index[i])
	}
	f.ints(n.Bounds, b.bounds)
	f.ints(n.Rows, b.rows)
	f.ints(n.Firsts, b.firsts)
	return f.err
}

// feeder feeds an executor without allocating. The first error stays.
type feeder struct {
	exec *exec.Exec
	plan *exec.Plan
	dims [2]int
	err  error
}

// shape is a shape until the next call.
func (f *feeder) shape(d ...int) []int { return f.dims[:copy(f.dims[:], d)] }

func (f *feeder) ints(n *G.Node, x []int32) {
	f.feed(n, kernel.Tensor{Shape: f.shape(len(x)), I32: x})
}

// feed gives a leaf its value, where the plan takes it.
func (f *feeder) feed(n *G.Node, t kernel.Tensor) {
	if n != nil && f.err == nil && f.plan.Takes(n) {
		f.err = f.exec.Feed(n, t)
	}
}
