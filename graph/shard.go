package graph

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/exec"
	"github.com/seed-aefebe89/graft/graph/kernel"
)

// shard is a part of a batch, which one thread computes at a time.
type shard struct {
	batch  batch
	weight [1]float32
	roots  []kernel.Tensor // the values of the session's roots, in their order
	own    []kernel.Tensor // memory for them where another shard uses the executor next
	err    error
}

func (sh *shard) idle() bool { return len(sh.batch.order) == 0 }

// A batch is cut into several shards a thread, which the threads take in turn, so that one that is held up by other
// work on the machine computes fewer of them. A shard has work enough for the matrix products to run at full speed, and
// what it leaves is small enough to be kept for each: sums over shards are taken in their order, whoever computed them.
const (
	shardWork   = 256     // tokens, at least
	shardCuts   = 4       // shards a thread, at most
	shardValues = 1 << 22 // elements of gradients, at most
)

// cuts is the number of shards that a batch is cut into: the same for the same batch and number of threads.
func (s *Session) cuts(seqs []*Sequence) int {
	n := len(s.kernels)
	if s.mode == probe || Count(s.train) > shardValues {
		return n
	}
	work := 0
	for _, q := range seqs {
		work += s.work(q)
	}
	return n * max(1, min(shardCuts, work/(n*shardWork)))
}

// run packs the sequences, computes every shard and returns when all are done. weight goes to the loss.
func (s *Session) run(ctx context.Context, seqs []*Sequence, weight float32) error {
	if len(seqs) == 0 {
		return errors.New("the batch is empty")
	}
	parts := spread(seqs, s.cuts(seqs), s.work)
	for len(s.memory) < len(parts) {
		s.memory = append(s.memory, &shard{})
	}
	s.shards = s.memory[:len(parts)]
	var need Capacity
	for i, part := range parts {
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
	s.compute(ctx)
	for _, sh := range s.shards {
		if sh.err != nil {
			return sh.err
		}
	}
	return nil
}

// compute runs every shard: each on an executor of its own, or taken in turn by all where there are more shards.
func (s *Session) compute(ctx context.Context) {
	var wg sync.WaitGroup
	var next atomic.Int64
	for i, e := range s.execs {
		wg.Go(func() {
			if len(s.shards) == len(s.execs) {
				s.shards[i].err = s.runShard(ctx, e, s.shards[i], false)
				return
			}
			for {
				k := int(next.Add(1)) - 1
				if k >= len(s.shards) {
					return
				}
				s.shards[k].err = s.runShard(ctx, e, s.shards[k], true)
			}
		})
	}
	wg.Wait()
}

// runShard computes one shard on e. With keep set it copies the roots' values, which otherwise stay e's.
func (s *Session) runShard(ctx context.Context, e *exec.Exec, sh *shard, keep bool) error {
	if sh.idle() {
		return nil
	}
	if err := s.feed(e, sh); err != nil {
		return err
	}
	if err := e.Run(ctx); err != nil {
		return err
	}
	for len(sh.roots) < len(s.roots) {
		sh.roots, sh.own = append(sh.roots, kernel.Tensor{}), append(sh.own, kernel.Tensor{})
	}
	for i, n := range s.roots {
		t, err := e.Value(n)
		if err != nil {
			return err
		}
		if keep {
			o := &sh.own[i]
			o.F32, o.Shape = append(o.F32[:0], t.F32...), append(o.Shape[:0], t.Shape...)
			t = *o
		}
		sh.roots[i] = t
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
	b.reset(e)
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

// feed gives an executor a shard of the batch.
func (s *Session) feed(e *exec.Exec, sh *shard) error {
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
		for i, n := range s.net.Tables {
			values[n] = kernel.F32(b.tables[i], len(b.tables[i])/n.Shape()[1], n.Shape()[1])
		}
		for i, n := range s.net.Buckets {
			values[n] = kernel.I32(b.buckets[i], len(b.buckets[i]))
		}
		values[s.net.Bounds] = kernel.I32(b.bounds, len(b.bounds))
		values[s.net.Rows] = kernel.I32(b.rows, rows)
		values[s.net.Firsts] = kernel.I32(b.firsts, len(b.firsts))
	}
	for _, n := range s.plan.Leaves() {
		if v, ok := values[n]; ok {
			if err := e.Feed(n, v); err != nil {
				return err
			}
		}
	}
	return nil
}
