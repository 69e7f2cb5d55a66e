package graph

import (
	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/exec"
	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Session runs one network again and again: it splits each batch over threads, gives every thread an executor with
// memory of its own, and adds up their losses and gradients in a fixed order. It serves one caller at a time.
type Session struct {
	params  *Params
	kernels []kernel.Kernels // one a thread
	train   []*Param         // what gradients are computed for
	top     bool             // starts from features
	probe   bool             // computes hidden states and outputs too
	cap     Capacity

	net    *Network
	plan   *exec.Plan
	grads  G.Nodes
	shards []*shard
	frozen []*Param // base weights with layouts
}

// NewSession returns a session for the network of the parameters, with one thread for each of ks. train lists the
// parameters whose gradients Step computes.
func NewSession(p *Params, ks []kernel.Kernels, train []*Param) *Session {
	s := &Session{params: p, kernels: ks, train: train}
	for range ks {
		s.shards = append(s.shards, &shard{})
	}
	return s
}

// NewProbe is a session that computes every hidden state and output of the ONNX graph (Probe), with the adapters.
func NewProbe(p *Params, ks []kernel.Kernels) *Session {
	s := NewSession(p, ks, nil)
	s.probe = true
	return s
}

// NewTopSession is a session for the network above the encoder, which starts from Sequence.Features (NewTop).
func NewTopSession(p *Params, ks []kernel.Kernels, train []*Param) *Session {
	s := NewSession(p, ks, train)
	s.top = true
	return s
}

// prepare makes the network, the plan and the executors for batches that need c.
func (s *Session) prepare(c Capacity) error {
	if s.net != nil && s.cap.fits(c) {
		return nil
	}
	s.cap = s.cap.grow(c)
	var err error
	if s.top {
		s.net, err = NewTop(s.params, s.cap.Rows)
	} else {
		s.net, err = New(s.params, s.cap)
	}
	if err != nil {
		return err
	}
	var roots G.Nodes
	switch {
	case s.probe:
		roots = append(roots, s.net.Hidden...)
		for _, o := range s.params.Model.Outputs {
			roots = append(roots, s.net.Outputs[o.Name])
		}
	case len(s.train) > 0:
		if s.grads, err = s.net.Gradients(s.train); err != nil {
			return err
		}
		roots = append(G.Nodes{s.net.Loss}, s.grads...)
	case s.net.Logits != nil:
		roots = G.Nodes{s.net.Logits}
	default:
		roots = G.Nodes{s.net.Features}
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

// pack lays the base's matrices out for the products of the plan. Adapters and heads are small and change each step.
func (s *Session) pack() {
	s.frozen = s.frozen[:0]
	for _, u := range s.plan.Packs() {
		if p := s.net.leaves[u.Leaf]; p != nil && p.Group == Base {
			p.pack(s.kernels[0], u.Trans)
			s.frozen = append(s.frozen, p)
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

// Update tells the session that base weights were given other values or other memory.
func (s *Session) Update() error {
	if s.net == nil {
		return nil
	}
	return s.feedParams()
}

// Repack lays the base weights out again after they were trained. It is to be called once for all sessions of the
// parameters.
func (p *Params) Repack(k kernel.Kernels) {
	for _, b := range p.Base {
		if b.thawed {
			b.repack(k)
		}
	}
}
