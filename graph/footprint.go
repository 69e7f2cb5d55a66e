package graph

import (
	"iter"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// Footprint is the memory that sessions and the weights under them take, in bytes.
type Footprint struct {
	Mapped  int `json:"mapped"`  // base weights that are read where the model's file is mapped
	Copied  int `json:"copied"`  // base weights with memory of their own: those that are trained, or converted to float32
	Packed  int `json:"packed"`  // frozen matrices laid out for products, beside the above
	Adapter int `json:"adapter"` // parameters of adapter and head
	Threads int `json:"threads"`
	Arena   int `json:"arena"` // intermediate values and gradients of all threads and sessions, and what shards leave
	// Resident is what base weights take on a device with memory of its own, where Packed is what their layouts take there;
	// the adapter is there too, and Arena has what is fed. Device tells that there is such a device.
	Resident int  `json:"resident,omitempty"`
	Device   bool `json:"device,omitempty"`
}

// FootprintOf is what sessions of the parameters take at the capacities that they have or that were reserved. Nothing
// is allocated for it but one packed matrix at a time.
func FootprintOf(p *Params, sessions ...*Session) (Footprint, error) {
	var f Footprint
	for _, q := range p.Of(Adapter, Head) {
		f.Adapter += 4 * q.Size()
	}
	packs := map[packing]bool{}
	used := map[*Param]bool{}
	for _, s := range sessions {
		gs, err := s.expected()
		if err != nil {
			return f, err
		}
		f.Threads = max(f.Threads, len(s.kernels))
		arena, kept, constants := 0, 0, 0
		for _, g := range gs {
			shared, _ := g.plan.ArenaBytes()
			arena, kept, constants = max(arena, shared), max(kept, s.kept(g)), max(constants, g.net.constantBytes())
			for _, n := range g.plan.Leaves() {
				if q := g.net.leaves[n]; q != nil && q.Group == Base {
					used[q] = true
				}
			}
			if s.memory != nil {
				s.resident(g, &f, packs)
				continue
			}
			for _, u := range g.packs {
				if packs[u] {
					continue
				}
				packs[u] = true
				if l := u.layout(s.kernels[0], kernel.F32(u.param.Data, u.param.Shape...), p.Precision, nil); l != nil {
					f.Packed += l.Bytes()
				}
			}
		}
		if s.memory != nil && s.padded() { // where each shape has an arena
			arena *= min(max(1, len(s.asked)), s.keeps())
		}
		f.Arena += arena*len(s.kernels) + kept + constants*min(len(s.asked), s.keeps())
	}
	for q := range used {
		if q.mapped() {
			f.Mapped += 4 * q.Size()
		} else {
			f.Copied += 4 * q.Size()
		}
	}
	return f, nil
}

// resident adds what a program's plan needs of the base's weights on a device, beside packs, and what it feeds.
func (s *Session) resident(g *program, f *Footprint, seen map[packing]bool) {
	f.Device = true
	wanted := map[*Param]bool{}
	for _, u := range g.packs {
		wanted[u.param] = true
	}
	for _, n := range g.plan.Leaves() {
		p := g.net.leaves[n]
		if p == nil {
			f.Arena += 4 * n.Shape().TotalSize()
			continue
		}
		if p.Group != Base {
			continue
		}
		if s.params.Precision != kernel.Float32 && wanted[p] && !seen[packing{p, true}] {
			seen[packing{p, true}] = true
			f.Packed += s.params.Precision.Bytes() * p.Size()
		}
		if whole := (packing{p, false}); !s.packedOnly(g, p, n, wanted[p]) && !seen[whole] {
			seen[whole] = true
			f.Resident += 4 * spaced(p.Size())
		}
	}
}

// mapped tells whether a base weight is a view of the model's file.
func (p *Param) mapped() bool {
	return p.Weight != nil && !p.thawed && p.Weight.Tensor.Type == onnx.Float
}

// expected are the programs that the session will run, packed, or the largest ones of padded batches.
func (s *Session) expected() ([]*program, error) {
	if s.padded() {
		return s.largest()
	}
	if s.now == nil {
		var err error
		if s.now, err = s.build(s.cap); err != nil {
			return nil, err
		}
	}
	return []*program{s.now}, nil
}

// Reserve makes room for batches ahead of them, so that none of them makes the session grow.
func (s *Session) Reserve(batches iter.Seq[[]*Sequence]) {
	c := s.cap
	for seqs := range batches {
		if s.padded() {
			s.ask(seqs)
			continue
		}
		c = c.most(s.need(seqs))
	}
	if c != s.cap {
		s.cap = c
		s.forget()
	}
}

// kept is the memory for what each shard leaves, where a batch that room was reserved for has more of them than there
// are threads.
func (s *Session) kept(p *program) (bytes int) {
	if s.most <= len(s.workers) {
		return 0
	}
	for _, r := range p.roots {
		bytes += 4 * s.most * r.Shape().TotalSize()
	}
	return bytes
}

// need is the capacity that a batch asks for.
func (s *Session) need(seqs []*Sequence) (c Capacity) {
	parts := s.cut(seqs)
	s.most = max(s.most, len(parts))
	for _, part := range parts {
		n := Capacity{Sequences: len(part)}
		for _, i := range part {
			if s.mode.top() {
				n.Rows += len(seqs[i].Targets)
				continue
			}
			n.Tokens += len(seqs[i].IDs)
			n.Rows += seqs[i].rows()
		}
		if s.rounded() {
			n = n.rounded(s.mode.top())
		}
		c = c.most(n)
	}
	return c
}
