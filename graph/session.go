package graph

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/op"
)

// Session runs one network again and again: it cuts each batch into shards, gives every thread an executor with memory
// of its own, and adds up the shards' losses and gradients in their order. It serves one caller at a time.
type Session struct {
	// Into, if it is set before the first Step, is what Step adds the gradients to. It is a vector of the parameters whose
	// gradients are computed.
	Into *Vector

	params  *Params
	kernels []kernel.Kernels // one a thread
	memory  kernel.Memory    // the device's that computes, nil for the host's
	mode    mode
	train   []*Param // what gradients are computed for
	cap     Capacity

	now     *program         // of packed tokens: what runs at the capacity; nil before it is built
	shapes  []*program       // of padded batches: what runs at some shapes, the last used first
	asked   map[Capacity]int // shapes that room was reserved for, with the longest sequence of each
	exact   int              // padded batches of at least so many tokens a sequence are not rounded up, 0 for none
	workers []*worker        // one a thread
	shards  []*shard         // of the last batch
	made    []*shard         // all that there were
	most    int              // shards of a batch that room was reserved for

	deal dealer
	ctx  context.Context // of the run in progress
	next atomic.Int64    // the shard that a worker takes next
	busy sync.WaitGroup
}

// gradient is where the gradient of a parameter comes from: a value in its shape, or, with ids, the rows that add up to
// it. So the gradient of an embedding table takes memory for the tokens of a batch and not for the vocabulary.
type gradient struct{ ids, rows *G.Node }

// mode is what a session computes.
type mode int

const (
	steps    mode = iota // the loss and its gradients
	topSteps             // the same, from features
	logits
	topLogits // the same, from features
	features
	probe // hidden states and outputs
)

// top tells whether the network starts from features.
func (m mode) top() bool { return m == topSteps || m == topLogits }

func newSession(p *Params, ks []kernel.Kernels, m mode) *Session {
	s := &Session{params: p, kernels: ks, mode: m}
	s.memory, _ = ks[0].(kernel.Memory)
	for i := range ks {
		w := &worker{thread: i}
		w.do = func() {
			defer s.busy.Done()
			s.work(w, i)
		}
		s.workers = append(s.workers, w)
	}
	return s
}

// NewTrainer returns a session for Step: it computes the gradients of the parameters train, with one thread for each
// of ks.
func NewTrainer(p *Params, ks []kernel.Kernels, train []*Param) *Session {
	s := newSession(p, ks, steps)
	s.train = train
	return s
}

// NewTopTrainer is NewTrainer for the network above the encoder, which starts from Sequence.Features (NewTop).
func NewTopTrainer(p *Params, ks []kernel.Kernels, train []*Param) *Session {
	s := newSession(p, ks, topSteps)
	s.train = train
	return s
}

// NewTagger returns a session for Logits.
func NewTagger(p *Params, ks []kernel.Kernels) *Session { return newSession(p, ks, logits) }

// NewTopTagger is NewTagger for the network above the encoder.
func NewTopTagger(p *Params, ks []kernel.Kernels) *Session { return newSession(p, ks, topLogits) }

// NewEncoder returns a session for Features.
func NewEncoder(p *Params, ks []kernel.Kernels) *Session { return newSession(p, ks, features) }

// NewProbe returns a session for Probe: every hidden state and output of the ONNX graph, with the adapters.
func NewProbe(p *Params, ks []kernel.Kernels) *Session { return newSession(p, ks, probe) }

// prepare makes the network, the plan and the executors for packed batches that need c.
func (s *Session) prepare(c Capacity) error {
	if !s.cap.fits(c) {
		s.cap = s.cap.grow(c)
		s.forget()
	}
	if s.now == nil {
		var err error
		if s.now, err = s.build(s.cap); err != nil {
			return err
		}
	}
	return s.start(s.now)
}

// forget drops the program of packed tokens.
func (s *Session) forget() {
	if s.now != nil {
		s.now.release()
		s.now = nil
	}
}

// Release gives back the memory of a device. The session takes it again when it is used again.
func (s *Session) Release() {
	for _, p := range s.programs() {
		p.release()
	}
}

// findRoots lists the nodes that the session computes.
func (s *Session) findRoots(p *program) (roots G.Nodes, err error) {
	n := p.net
	switch s.mode {
	case steps, topSteps:
		grads, err := n.Gradients(s.train)
		if err != nil {
			return nil, err
		}
		roots = append(roots, n.Loss)
		for _, x := range grads {
			g := gradient{rows: x}
			if ids, rows, ok := op.RowGradient(x); ok {
				g = gradient{ids, rows}
				roots = append(roots, ids)
			}
			p.grads, roots = append(p.grads, g), append(roots, g.rows)
		}
		return roots, nil
	case logits, topLogits:
		if n.Logits == nil {
			return nil, errors.New("the network has no head to compute logits with")
		}
		return G.Nodes{n.Logits}, nil
	case features:
		if n.Features == nil {
			return nil, errors.New("the encoder's layers were not recognised, so that it has no last hidden state")
		}
		return G.Nodes{n.Features}, nil
	}
	roots = append(roots, n.Hidden...)
	for _, o := range s.params.Model.Outputs {
		roots = append(roots, n.Outputs[o.Name])
	}
	return roots, nil
}

// feedParams gives every executor of a program the parameters, and the seed of the gradients.
func (s *Session) feedParams(p *program) error {
	if err := s.settle(p); err != nil {
		return err
	}
	one := kernel.F32([]float32{1}, 1)
	for _, e := range p.execs {
		for _, n := range p.plan.Leaves() {
			var err error
			if q := p.net.leaves[n]; q != nil {
				err = e.Place(n, q.tensor())
			} else if n == p.net.Seed {
				err = e.Feed(n, one)
			} else if t, ok := p.net.constants[n]; ok {
				err = e.Feed(n, t)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// Update tells the session that parameters were given other memory.
func (s *Session) Update() error {
	for _, p := range s.programs() {
		if err := s.feedParams(p); err != nil {
			return err
		}
	}
	return nil
}
