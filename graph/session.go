package graph

import (
	"errors"

	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/exec"
	"github.com/seed-aefebe89/graft/graph/kernel"
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
	grads  G.Nodes
	shards []*shard
}

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
		s.shards = append(s.shards, &shard{})
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
	if s.net != nil && s.cap.fits(c) {
		return nil
	}
	s.cap = s.cap.grow(c)
	var err error
	if s.mode.top() {
		s.net, err = NewTop(s.params, s.cap.Rows)
	} else {
		s.net, err = New(s.params, s.cap)
	}
	if err != nil {
		return err
	}
	roots, err := s.roots()
	if err != nil {
		return err
	}
	if s.plan, err = exec.NewPlan(roots...); err != nil {
		return err
	}
	s.pack()
	for i, k := range s.kernels {
		s.shards[i].exec = s.plan.New(k)
	}
	return s.feedParams()
}

// roots are the nodes that the session computes.
func (s *Session) roots() (roots G.Nodes, err error) {
	switch s.mode {
	case steps, topSteps:
		if s.grads, err = s.net.Gradients(s.train); err != nil {
			return nil, err
		}
		return append(G.Nodes{s.net.Loss}, s.grads...), nil
	case logits, topLogits:
		if s.net.Logits == nil {
			return nil, errors.New("the network has no head to compute logits with")
		}
		return G.Nodes{s.net.Logits}, nil
	case features:
		if s.net.Features == nil {
			return nil, errors.New("the encoder's layers were not recognised, so that it has no last hidden state")
		}
		return G.Nodes{s.net.Features}, nil
	}
	roots = append(roots, s.net.Hidden...)
	for _, o := range s.params.Model.Outputs {
		roots = append(roots, s.net.Outputs[o.Name])
	}
	return roots, nil
}

// pack lays the frozen matrices out for the products of the plan.
func (s *Session) pack() {
	if s.params.Memory.Unpacked {
		return
	}
	for _, u := range s.plan.Packs() {
		if p := s.net.leaves[u.Leaf]; p != nil && p.Group == Base && !p.thawed {
			p.pack(s.kernels[0], u.Trans)
		}
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
	if s.net == nil {
		return nil
	}
	return s.feedParams()
}
