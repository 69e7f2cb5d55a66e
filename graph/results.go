package graph

import (
	"context"
	"errors"
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/exec"
	"github.com/seed-aefebe89/graft/graph/kernel"
)

var errMode = errors.New("the session was made to compute something else")

// Step computes the sum of the losses of the labelled rows times weight, and its gradients, which Grad returns and which
// are added to Into. A weight of one over the number of labelled rows gives the mean.
func (s *Session) Step(ctx context.Context, seqs []*Sequence, weight float32) (loss float64, err error) {
	if s.memory != nil {
		wait, err := s.Start(ctx, seqs, weight)
		if err != nil {
			return 0, err
		}
		return wait()
	}
	if s.mode != steps && s.mode != topSteps {
		return 0, errMode
	}
	if err := s.run(ctx, seqs, weight); err != nil {
		return 0, err
	}
	for _, sh := range s.shards {
		if sh.idle() {
			continue
		}
		x, err := sh.value(sh.prog.net.Loss)
		if err != nil {
			return 0, err
		}
		loss += float64(x.F32[0])
	}
	if s.Into != nil {
		for i := range s.train {
			if err := s.Grad(i, s.Into.parts[i]); err != nil {
				return 0, err
			}
		}
	}
	return loss, nil
}

// Start is Step that does not wait for a device to compute the loss: what it returns does, and not for what is asked of
// the device later.
func (s *Session) Start(ctx context.Context, seqs []*Sequence, weight float32) (loss func() (float64, error), err error) {
	if s.memory == nil {
		x, err := s.Step(ctx, seqs, weight)
		return func() (float64, error) { return x, nil }, err
	}
	if s.mode != steps && s.mode != topSteps {
		return nil, errMode
	}
	if err := s.run(ctx, seqs, weight); err != nil {
		return nil, err
	}
	return s.fetchLoss()
}

// fetchLoss asks for the loss of a device's one shard.
func (s *Session) fetchLoss() (func() (float64, error), error) {
	x, err := s.shards[0].value(s.shards[0].prog.net.Loss)
	if err != nil {
		return nil, err
	}
	loss := []float32{0}
	wait := s.memory.Fetch(kernel.F32(loss, 1), kernel.F32(x.F32, 1))
	return func() (float64, error) {
		err := wait()
		return float64(loss[0]), err
	}, nil
}

// value is what a shard of the last batch came to for one of its program's roots.
func (sh *shard) value(root *G.Node) (kernel.Tensor, error) {
	i := slices.Index(sh.prog.roots, root)
	if i < 0 || i >= len(sh.roots) {
		return kernel.Tensor{}, errMode
	}
	return sh.roots[i], nil
}

// Grad adds the last Step's gradient of parameter i of the session's list to g, in the host's memory.
func (s *Session) Grad(i int, g []float32) error {
	p := s.train[i]
	if len(g) != p.Size() {
		return fmt.Errorf("the gradient of %q has %d elements, want %d", p.Name, p.Size(), len(g))
	}
	for _, sh := range s.shards {
		if sh.idle() {
			continue
		}
		r := sh.prog.grads[i]
		x, err := sh.value(r.rows)
		if err != nil {
			return err
		}
		if s.memory != nil {
			if x.F32, err = exec.Host(s.kernels[0], x.F32); err != nil {
				return err
			}
		}
		if r.ids == nil && s.memory != nil {
			for j, v := range x.F32 {
				g[j] += v
			}
			continue
		}
		if r.ids == nil {
			sum := p.Vector(g)
			s.kernels[0].Add(sum, sum, p.Vector(x.F32))
			continue
		}
		ids, err := sh.value(r.ids)
		if err != nil {
			return err
		}
		if s.memory != nil {
			there := make([]int32, len(ids.I32))
			if err := s.memory.Download(kernel.I32(there, len(there)), ids); err != nil {
				return err
			}
			ids.I32 = there
		}
		addRows(g, ids.I32, x.F32, x.Cols())
	}
	return nil
}

// addRows adds each row of x to the row of g that its id names.
func addRows(g []float32, ids []int32, x []float32, n int) {
	for i, id := range ids {
		row := g[int(id)*n : int(id)*n+n]
		for j, v := range x[i*n : i*n+n] {
			row[j] += v
		}
	}
}

// Logits returns the logits [rows,labels] of each sequence's rows.
func (s *Session) Logits(ctx context.Context, seqs []*Sequence) ([][]float32, error) {
	if s.mode != logits && s.mode != topLogits {
		return nil, errMode
	}
	if err := s.run(ctx, seqs, 0); err != nil {
		return nil, err
	}
	return s.rows(seqs, func(n *Network) *G.Node { return n.Logits })
}

// Features returns the last hidden states [rows,H] of each sequence's rows.
func (s *Session) Features(ctx context.Context, seqs []*Sequence) ([][]float32, error) {
	if s.mode != features {
		return nil, errMode
	}
	if err := s.run(ctx, seqs, 0); err != nil {
		return nil, err
	}
	return s.rows(seqs, func(n *Network) *G.Node { return n.Features })
}

// rows copies a [rows,width] root of every shard to the sequences that the rows belong to.
func (s *Session) rows(seqs []*Sequence, root func(*Network) *G.Node) ([][]float32, error) {
	return s.gather(seqs, root, func(q *Sequence) int { return q.rows() })
}

// gather copies a root of every shard to the sequences, each of which owns count rows of it.
func (s *Session) gather(seqs []*Sequence, root func(*Network) *G.Node, count func(*Sequence) int) ([][]float32, error) {
	out := make([][]float32, len(seqs))
	for _, sh := range s.shards {
		if sh.idle() {
			continue
		}
		t, err := sh.value(root(sh.prog.net))
		if err != nil {
			return nil, err
		}
		w, at := t.Cols(), 0
		for _, i := range sh.batch.order {
			n := count(seqs[i]) * w
			out[i] = append([]float32(nil), t.F32[at:at+n]...)
			at += n
		}
	}
	return out, nil
}

// Probed are the hidden states and outputs of sequences.
type Probed struct {
	Hidden  [][][]float32          // by hidden state and sequence: [tokens,H]
	Outputs map[string][][]float32 // by name and sequence: [tokens,width], or [1,width] for an output of the first token
}

// Probe computes every hidden state and output.
func (s *Session) Probe(ctx context.Context, seqs []*Sequence) (*Probed, error) {
	if s.mode != probe {
		return nil, errMode
	}
	if err := s.run(ctx, seqs, 0); err != nil {
		return nil, err
	}
	p := &Probed{Outputs: map[string][][]float32{}}
	tokens := func(q *Sequence) int { return len(q.IDs) }
	for i := range hiddenStates(s.params.Model.Encoder) {
		x, err := s.gather(seqs, func(n *Network) *G.Node { return n.Hidden[i] }, tokens)
		if err != nil {
			return nil, err
		}
		p.Hidden = append(p.Hidden, x)
	}
	for _, o := range s.params.Model.Outputs {
		count := tokens
		if o.Pooled {
			count = func(*Sequence) int { return 1 }
		}
		x, err := s.gather(seqs, func(n *Network) *G.Node { return n.Outputs[o.Name] }, count)
		if err != nil {
			return nil, err
		}
		p.Outputs[o.Name] = x
	}
	return p, nil
}
