package graph

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// settle puts what the plan needs of the parameters where the session computes. On a device that is their values, or
// layouts of them where nothing but packed products reads them, once for all sessions of the device.
func (s *Session) settle(g *program) error {
	wanted := map[*Param][]packing{}
	for _, u := range g.packs {
		wanted[u.param] = append(wanted[u.param], u)
	}
	var whole, packed []*Param
	for _, n := range g.plan.Leaves() {
		p := g.net.leaves[n]
		switch {
		case p == nil:
		case s.packedOnly(g, p, n, len(wanted[p]) > 0):
			packed = append(packed, p)
		default:
			whole = append(whole, p)
		}
	}
	if err := Settle(s.kernels[0], whole); err != nil {
		return err
	}
	if s.memory != nil {
		if err := s.settlePacked(packed, wanted); err != nil {
			return err
		}
		s.packSettled(g)
	}
	g.moves = g.movesNow()
	return nil
}

// packedOnly tells whether a device keeps nothing but layouts of a parameter, of which the plan's products want some.
func (s *Session) packedOnly(g *program, p *Param, n *G.Node, wanted bool) bool {
	return s.memory != nil && s.params.Precision != kernel.Float32 && wanted && !p.thawed && g.plan.PackedOnly(n)
}

// movesNow is how often the plan's parameters were given other memory.
func (g *program) movesNow() (n int) {
	for _, x := range g.plan.Leaves() {
		if p := g.net.leaves[x]; p != nil {
			n += p.moves
		}
	}
	return n
}

// packSettled makes the layouts of parameters on the device that are missing or stale.
func (s *Session) packSettled(g *program) {
	for _, u := range g.packs {
		if p := u.param; u.due() && p.place != nil && p.place.x != nil {
			p.upload()
			u.run(s.kernels[0], kernel.F32(p.place.x, p.Shape...), s.params.Precision)
		}
	}
}

// settlePacked lays frozen matrices out through memory that is given back.
func (s *Session) settlePacked(ps []*Param, wanted map[*Param][]packing) error {
	largest := 0
	for _, p := range ps {
		for _, u := range wanted[p] {
			if u.due() && (p.place == nil || p.place.x == nil) {
				largest = max(largest, p.Size())
			}
		}
	}
	if largest == 0 {
		return nil
	}
	x, err := s.memory.Alloc(largest)
	if err != nil {
		return fmt.Errorf("memory to lay matrices out: %w", err)
	}
	defer s.memory.Free(x)
	for _, p := range ps {
		for _, u := range wanted[p] {
			if !u.due() || p.place != nil && p.place.x != nil {
				continue
			}
			b := kernel.F32(x[:p.Size()], p.Shape...)
			s.memory.Upload(b, kernel.F32(p.Data, p.Shape...))
			u.run(s.kernels[0], b, s.params.Precision)
			if p.place == nil {
				p.place = &place{memory: s.memory}
				p.moves++
			}
		}
	}
	return nil
}

// renew brings what the parameters are where the session computes up to date with changes since the last run.
func (s *Session) renew(g *program) error {
	if g.moves != g.movesNow() {
		return s.feedParams(g)
	}
	if s.memory == nil {
		return nil
	}
	for _, n := range g.plan.Leaves() {
		if p := g.net.leaves[n]; p != nil {
			p.upload()
		}
	}
	s.packSettled(g)
	return nil
}

// addGradients adds the gradients of the one shard of a device to Into: a part of the recording of a step.
func (s *Session) addGradients(p *program) {
	k, e := s.kernels[0], p.execs[0]
	for i, g := range p.grads {
		sum := s.Into.Part(i)
		rows, err := e.Value(g.rows)
		if err != nil { // not for the plan's own roots
			return
		}
		if g.ids == nil {
			k.Add(sum, sum, s.train[i].Vector(rows.F32))
			continue
		}
		ids, err := e.Value(g.ids)
		if err != nil {
			return
		}
		k.AddRows(kernel.Tensor{Shape: s.train[i].Shape, F32: sum.F32}, ids, rows)
	}
}
