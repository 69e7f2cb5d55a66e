package graph

import (
	"context"
	"errors"
	"sync"

	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/exec"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/op"
)

// Session runs one network again and again: it splits each batch over threads, gives every thread an executor with
// memory of its own, and adds up their losses and gradients in a fixed order. It serves one caller at a time.
type Session struct {
	params  *Params
	kernels []kernel.Kernels // one a thread
	mode    mode
	train   []*Param // what gradients are computed for
	cap     Capacity

	net    *Network
	plan   *exec.Plan
	ready  bool // the executors are those of plan
	grads  []gradient
	shards []*shard

	deal dealer
	ctx  context.Context // of the run in progress
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
	for range ks {
		sh := &shard{}
		sh.do = func() {
			defer s.busy.Done()
			sh.err = sh.exec.Run(s.ctx)
		}
		s.shards = append(s.shards, sh)
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

// prepare makes the network, the plan and the executors for batches that need c.
func (s *Session) prepare(c Capacity) error {
	if !s.cap.fits(c) {
		s.cap = s.cap.grow(c)
		s.net, s.ready = nil, false
	}
	if s.ready {
		return nil
	}
	if err := s.build(); err != nil {
		return err
	}
	s.pack()
	for i, k := range s.kernels {
		s.shards[i].exec = s.plan.New(k)
		s.shards[i].exec.Thread = i
	}
	s.ready = true
	return s.feedParams()
}

// build makes the network and the plan for the session's capacity, if they are not there.
func (s *Session) build() (err error) {
	if s.net != nil {
		return nil
	}
	var n *Network
	if s.mode.top() {
		n, err = NewTop(s.params, s.cap.Rows)
	} else {
		n, err = New(s.params, s.cap)
	}
	if err != nil {
		return err
	}
	roots, err := s.roots(n)
	if err != nil {
		return err
	}
	if s.plan, err = exec.NewPlan(roots...); err != nil {
		return err
	}
	s.net = n
	return nil
}

// roots are the nodes that the session computes.
func (s *Session) roots(n *Network) (roots G.Nodes, err error) {
	switch s.mode {
	case steps, topSteps:
		grads, err := n.Gradients(s.train)
		if err != nil {
			return nil, err
		}
		s.grads = s.grads[:0]
		roots = append(roots, n.Loss)
		for _, x := range grads {
			g := gradient{rows: x}
			if ids, rows, ok := op.RowGradient(x); ok {
				g = gradient{ids, rows}
				roots = append(roots, ids)
			}
			s.grads, roots = append(s.grads, g), append(roots, g.rows)
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

// packed is a frozen matrix that a plan takes in products, transposed or not.
type packed struct {
	param *Param
	trans bool
}

// packs lists the matrices that are laid out for the products of the plan.
func (s *Session) packs() (out []packed) {
	if s.params.Memory.Unpacked {
		return nil
	}
	for _, u := range s.plan.Packs() {
		if p := s.net.leaves[u.Leaf]; p != nil && p.Group == Base && !p.thawed {
			out = append(out, packed{p, u.Trans})
		}
	}
	return out
}

// pack lays the frozen matrices out.
func (s *Session) pack() {
	for _, u := range s.packs() {
		u.param.pack(s.kernels[0], u.trans)
	}
}

// feedParams gives every executor the parameters, and the seed of the gradients.
func (s *Session) feedParams() error {
	one := kernel.F32([]float32{1}, 1)
	for _, sh := range s.shards {
		for _, n := range s.plan.Leaves() {
			var err error
			if p := s.net.leaves[n]; p != nil {
				err = sh.exec.Feed(n, p.tensor())
			} else if n == s.net.Seed {
				err = sh.exec.Feed(n, one)
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
	if !s.ready {
		return nil
	}
	return s.feedParams()
}
