package graph

import (
	"context"
	"errors"

	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/exec"
	"github.com/seed-aefebe89/graft/graph/kernel"
)

// shard is a part of a batch, which one thread computes at a time.
type shard struct {
	batch  batch
	prog   *program // what computes it
	weight [1]float32
	roots  []kernel.Tensor // the values of the session's roots, in their order
	own    []kernel.Tensor // memory for them where another shard uses the executor next
	err    error
}

// worker is what one thread of a Session works with.
type worker struct {
	thread int
	arena  exec.Arena // of the programs of padded batches
	feeder feeder
	do     func() // takes shards until none is left, and tells the session
}

func (sh *shard) idle() bool { return len(sh.batch.order) == 0 }

// A batch is cut into several shards a thread, which the threads take in turn, so that one that is held up by other
// work on the machine computes fewer of them. A shard has work enough for the matrix products to run at full speed, and
// what it leaves is small enough to be kept for each: sums over shards are taken in their order, whoever computed them.
const (
	shardWork   = 512     // tokens, at least
	shardCuts   = 4       // shards a thread, at most
	shardValues = 1 << 22 // elements of gradients, at most
)

// choose gives every shard of a batch the program that computes it, up to date; need is the largest capacity that one
// needs.
func (s *Session) choose(need Capacity) error {
	if s.padded() { // whose shards have theirs
		return s.ready()
	}
	if err := s.prepare(need); err != nil {
		return err
	}
	for _, sh := range s.shards {
		sh.prog = s.now
	}
	s.pack(s.now)
	return s.renew(s.now)
}

// cuts is the number of shards that a batch is cut into: the same for the same batch and number of threads.
func (s *Session) cuts(seqs []*Sequence) int {
	n := len(s.kernels)
	if s.memory != nil || s.mode == probe || Count(s.train) > shardValues {
		return n
	}
	work := 0
	for _, q := range seqs {
		work += q.work(s.mode.top())
	}
	return n * max(1, min(shardCuts, work/(n*shardWork)))
}

// cut deals the sequences of a batch out to shards.
func (s *Session) cut(seqs []*Sequence) [][]int {
	if s.padded() {
		return s.cutPadded(seqs)
	}
	return s.deal.spread(seqs, s.cuts(seqs), s.mode.top())
}

// run packs the sequences, computes every shard and returns when all are done. weight goes to the loss.
func (s *Session) run(ctx context.Context, seqs []*Sequence, weight float32) error {
	if len(seqs) == 0 {
		return errors.New("the batch is empty")
	}
	parts := s.cut(seqs)
	for len(s.made) < len(parts) {
		s.made = append(s.made, &shard{})
	}
	s.shards = s.made[:len(parts)]
	var need Capacity
	for i, part := range parts {
		sh := s.shards[i]
		sh.weight[0] = weight
		if s.padded() {
			var err error
			if sh.prog, err = s.shaped(seqs, part); err != nil {
				return err
			}
			sh.batch.shape = sh.prog.cap
		}
		if err := s.fill(&sh.batch, seqs, part); err != nil {
			return err
		}
		if !s.padded() {
			need = need.most(sh.batch.need())
		}
	}
	if err := s.choose(need); err != nil {
		return err
	}
	s.ctx = ctx
	s.next.Store(0)
	s.busy.Add(len(s.workers))
	for _, w := range s.workers {
		go w.do()
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

// work computes shards: the worker's own, or in turn with the others where there are more shards.
func (s *Session) work(w *worker, own int) {
	if len(s.shards) == len(s.workers) {
		s.shards[own].err = s.compute(w, s.shards[own], false)
		return
	}
	for {
		k := int(s.next.Add(1)) - 1
		if k >= len(s.shards) {
			return
		}
		s.shards[k].err = s.compute(w, s.shards[k], true)
	}
}

// compute computes one shard. With keep set it copies the roots' values, which otherwise stay the executor's.
func (s *Session) compute(w *worker, sh *shard, keep bool) error {
	if sh.idle() {
		return nil
	}
	if err := s.feed(w, sh); err != nil {
		return err
	}
	e, roots := sh.prog.execs[w.thread], sh.prog.roots
	if err := e.Run(s.ctx); err != nil {
		return err
	}
	for len(sh.roots) < len(roots) {
		sh.roots, sh.own = append(sh.roots, kernel.Tensor{}), append(sh.own, kernel.Tensor{})
	}
	for i, n := range roots {
		t, err := e.Value(n)
		if err != nil {
			return err
		}
		switch o := &sh.own[i]; {
		case s.memory != nil && s.mode != steps && s.mode != topSteps:
			if o.F32, err = exec.Host(s.kernels[0], t.F32); err != nil {
				return err
			}
			o.Shape = append(o.Shape[:0], t.Shape...)
			t = *o
		case keep:
			o.F32, o.I32, o.Shape = append(o.F32[:0], t.F32...), append(o.I32[:0], t.I32...), append(o.Shape[:0], t.Shape...)
			t = *o
		}
		sh.roots[i] = t
	}
	return nil
}

// fill packs some of the sequences into a shard's batch.
func (s *Session) fill(b *batch, seqs []*Sequence, part []int) error {
	e := s.params.Model.Encoder
	b.reset(e)
	for _, k := range part {
		var err error
		switch {
		case s.mode.top():
			err = b.addFeatures(k, seqs[k], HiddenSize(e))
		case s.padded():
			err = b.addPadded(k, seqs[k], s.mode == probe)
		default:
			err = b.add(e, k, seqs[k])
		}
		if err != nil {
			return err
		}
	}
	if s.padded() {
		return nil
	}
	if s.rounded() {
		b.pad(e, s.mode.top())
	}
	if err := b.relate(e, b.longest); err != nil {
		return err
	}
	return b.check(e)
}

// feed gives a worker's executor a shard of the batch.
func (s *Session) feed(w *worker, sh *shard) error {
	b, n := &sh.batch, sh.prog.net
	f := &w.feeder
	*f = feeder{exec: sh.prog.execs[w.thread], plan: sh.prog.plan}
	f.ints(n.Targets, b.targets)
	f.feed(n.Weight, kernel.Tensor{Shape: f.shape(1), F32: sh.weight[:]})
	if s.mode.top() {
		h := HiddenSize(s.params.Model.Encoder)
		f.feed(n.Features, kernel.Tensor{Shape: f.shape(len(b.rows), h), F32: b.features})
		return f.err
	}
	f.ints(n.Rows, b.rows)
	if s.padded() {
		return s.feedPadded(f, sh)
	}
	for i, x := range n.Index {
		f.ints(x, b.index[i])
	}
	for i, x := range n.Tables {
		w := x.Shape()[1]
		f.feed(x, kernel.Tensor{Shape: f.shape(len(b.tables[i])/w, w), F32: b.tables[i]})
	}
	for i, x := range n.Slopes {
		h := x.Shape()[1]
		f.feed(x, kernel.Tensor{Shape: f.shape(len(b.slopes[i])/h, h), F32: b.slopes[i]})
	}
	for i, x := range n.Buckets {
		f.ints(x, b.buckets[i])
	}
	for i, x := range n.Distances {
		f.ints(x, b.distances[i])
	}
	for rows, x := range n.Positions {
		f.ints(x, b.positions[rows])
	}
	f.ints(n.Bounds, b.bounds)
	f.ints(n.Firsts, b.firsts)
	f.ints(n.Owners, b.owners)
	f.feed(n.Shares, kernel.Tensor{Shape: f.shape(len(b.shares)), F32: b.shares})
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
