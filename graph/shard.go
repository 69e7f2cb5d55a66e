package graph

import (
	"context"
	"errors"
	"sync"

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
}

func (sh *shard) idle() bool { return len(sh.batch.order) == 0 }

// run packs the sequences, runs every shard and returns when all are done. weight goes to the loss.
func (s *Session) run(ctx context.Context, seqs []*Sequence, weight float32) error {
	if len(seqs) == 0 {
		return errors.New("the batch is empty")
	}
	var need Capacity
	for i, part := range spread(seqs, len(s.shards), s.work) {
		sh := s.shards[i]
		sh.weight[0] = weight
		if err := s.fill(&sh.batch, seqs, part); err != nil {
			return err
		}
		n := sh.batch.need()
		need = Capacity{max(need.Tokens, n.Tokens), max(need.Sequences, n.Sequences), max(need.Rows, n.Rows)}
	}
	if err := s.prepare(need); err != nil {
		return err
	}
	s.pack()
	for _, sh := range s.shards {
		if sh.idle() {
			continue
		}
		if err := s.feed(sh); err != nil {
			return err
		}
	}
	var wg sync.WaitGroup
	for _, sh := range s.shards {
		if sh.err = nil; !sh.idle() {
			wg.Go(func() { sh.err = sh.exec.Run(ctx) })
		}
	}
	wg.Wait()
	for _, sh := range s.shards {
		if sh.err != nil {
			return sh.err
		}
	}
	return nil
}

// work is what a sequence costs: its tokens, or its rows where the network starts from features.
func (s *Session) work(q *Sequence) int {
	if s.mode.top() {
		return len(q.Targets)
	}
	return len(q.IDs)
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
	b := &sh.batch
	rows := len(b.rows)
	values := map[*G.Node]kernel.Tensor{
		s.net.Targets: kernel.I32(b.targets, rows),
		s.net.Weight:  kernel.F32(sh.weight[:], 1),
	}
	if s.mode.top() {
		values[s.net.Features] = kernel.F32(b.features, rows, HiddenSize(s.params.Model.Encoder))
	} else {
		for i, n := range s.net.Index {
			values[n] = kernel.I32(b.index[i], len(b.index[i]))
		}
		values[s.net.Bounds] = kernel.I32(b.bounds, len(b.bounds))
		values[s.net.Rows] = kernel.I32(b.rows, rows)
		values[s.net.Firsts] = kernel.I32(b.firsts, len(b.firsts))
	}
	for _, n := range s.plan.Leaves() {
		if v, ok := values[n]; ok {
			if err := sh.exec.Feed(n, v); err != nil {
				return err
			}
		}
	}
	return nil
}
