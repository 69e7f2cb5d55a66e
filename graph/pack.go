package graph

import (
	"sync"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// packs are the layouts of a parameter that products use.
type packs struct {
	kernel.Packed
	version int    // of the values; rises with each change
	packed  [2]int // the versions that Plain and Trans hold, plus one; 0 for none
}

// packing asks for a parameter's layout.
type packing struct {
	param *Param
	trans bool
}

// due tells whether the layout has to be made, or made again.
func (p packing) due() bool { return p.param.packs.packed[b2i(p.trans)] != p.param.packs.version+1 }

// layout lays the matrix out, in old's memory where it fits.
func (p packing) layout(k kernel.Kernels, precision kernel.Precision, old kernel.Layout) kernel.Layout {
	return k.Pack(kernel.F32(p.param.Data, p.param.Shape...), p.trans, precision, old)
}

func (p packing) run(k kernel.Kernels, precision kernel.Precision) {
	l := &p.param.packs
	at := &l.Plain
	if p.trans {
		at = &l.Trans
	}
	*at = p.layout(k, precision, *at)
	l.packed[b2i(p.trans)] = l.version + 1
}

// Changed tells that the values were changed, so that layouts are made again.
func (p *Param) Changed() { p.packs.version++ }

// wanted tells whether products take a parameter's layout. A matrix that is trained is laid out only in bfloat16, anew
// after every change: in float32 reading it in place is nearly as fast.
func (p *Params) wanted(q *Param) bool {
	return q.Group == Base && (!q.thawed || p.Precision != kernel.Float32)
}

// findPacks lists the layouts that the plan's products take. Products in bfloat16 need them.
func (s *Session) findPacks() {
	s.packs = s.packs[:0]
	if s.params.Memory.Unpacked && s.params.Precision == kernel.Float32 {
		return
	}
	for _, u := range s.plan.Packs() {
		if p := s.net.leaves[u.Leaf]; p != nil && s.params.wanted(p) {
			s.packs = append(s.packs, packing{p, u.Trans})
		}
	}
}

// pack makes the layouts that are missing or stale, on all threads.
func (s *Session) pack() {
	var due []packing
	for _, p := range s.packs {
		if p.due() {
			due = append(due, p)
		}
	}
	if len(due) > 0 {
		s.packAll(due)
	}
}

func (s *Session) packAll(due []packing) {
	var wg sync.WaitGroup
	for t, k := range s.kernels {
		if t < len(due) {
			wg.Go(func() {
				for i := t; i < len(due); i += len(s.kernels) {
					due[i].run(k, s.params.Precision)
				}
			})
		}
	}
	wg.Wait()
}
