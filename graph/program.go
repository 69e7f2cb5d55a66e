package graph

import (
	"errors"

	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/exec"
)

// program is a network with its plan, and what runs it. A session of packed tokens has one, which grows with its batches;
// one of padded batches has one for each shape of them.
type program struct {
	cap   Capacity
	net   *Network
	plan  *exec.Plan
	moves int     // of the parameters when they were fed
	roots G.Nodes // what the plan computes
	grads []gradient
	packs []packing
	execs []*exec.Exec // one a thread; none before start
}

// build makes the network and the plan for a capacity.
func (s *Session) build(c Capacity) (p *program, err error) {
	p = &program{cap: c}
	if s.mode.top() {
		p.net, err = NewTop(s.params, c.Rows)
	} else {
		p.net, err = New(s.params, c)
	}
	if err != nil {
		return nil, err
	}
	if p.roots, err = s.findRoots(p); err != nil {
		return nil, err
	}
	if p.plan, err = exec.NewPlan(p.roots...); err != nil {
		return nil, err
	}
	s.findPacks(p)
	return p, nil
}

// start makes a program's executors, if they are not there.
func (s *Session) start(p *program) error {
	if p.execs != nil {
		return nil
	}
	s.pack(p)
	for i, k := range s.kernels {
		arena := &exec.Arena{}
		if s.padded() { // of whose programs a thread runs one at a time
			arena = &s.workers[i].arena
		}
		e, err := p.plan.NewIn(arena, k)
		if err != nil {
			p.release()
			return err
		}
		e.Thread = i
		p.execs = append(p.execs, e)
	}
	if s.Into != nil && s.memory != nil {
		p.execs[0].Then(func() { s.addGradients(p) })
	}
	if err := s.feedParams(p); err != nil {
		p.release()
		return err
	}
	return nil
}

// release drops the executors, and gives back what they hold of a device.
func (p *program) release() {
	for _, e := range p.execs {
		e.Release()
	}
	p.execs = nil
}

// programs are those that have executors.
func (s *Session) programs() (ps []*program) {
	for _, p := range append(s.shapes[:len(s.shapes):len(s.shapes)], s.now) {
		if p != nil && p.execs != nil {
			ps = append(ps, p)
		}
	}
	return ps
}

// ready brings the programs of padded batches up to date with changes of parameters.
func (s *Session) ready() error {
	if s.memory != nil && len(s.shards) > 1 {
		return errors.New("a device takes a batch in one piece: a model without an attention mask computes sequences of one " +
			"length there, so batches must be of one length, or run on the cpu")
	}
	for _, p := range s.programs() {
		s.pack(p)
		if err := s.renew(p); err != nil {
			return err
		}
	}
	return nil
}

// keeps bounds the shapes of padded batches that a session keeps programs for: fewer on a device, where each has an arena.
func (s *Session) keeps() int {
	if s.memory != nil {
		return maxShapes / 4
	}
	return maxShapes
}
