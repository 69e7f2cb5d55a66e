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
	memory  kernel.Memory
}

// packing asks for a parameter's layout.
type packing struct {
	param *Param
	trans bool
}

// due tells whether the layout has to be made, or made again.
func (p packing) due() bool { return p.param.packs.packed[b2i(p.trans)] != p.param.packs.version+1 }

// layout lays the matrix b out, in old's memory where it fits.
func (p packing) layout(k kernel.Kernels, b kernel.Tensor, precision kernel.Precision, old kernel.Layout) kernel.Layout {
	return k.Pack(b, p.trans, precision, old)
}

// run lays the matrix b, which holds the parameter's values where k computes, out.
func (p packing) run(k kernel.Kernels, b kernel.Tensor, precision kernel.Precision) {
	l := &p.param.packs
	at, other := &l.Plain, &l.Trans
	if p.trans {
		at, other = other, at
	}
	*at = p.layout(k, b, precision, *at)
	l.packed[b2i(p.trans)] = l.version + 1
	if x := *at; x != nil && x.Both() {
		*other = x
		l.packed = [2]int{l.version + 1, l.version + 1}
	}
}

// dropPacks forgets the layouts, and gives back what they hold of a device.
func (p *Param) dropPacks() {
	l := &p.packs
	for i, x := range []kernel.Layout{l.Plain, l.Trans} {
		if r, ok := x.(kernel.Releaser); ok && (i == 0 || x != l.Plain) {
			r.Release()
		}
	}
	l.Packed, l.packed = kernel.Packed{}, [2]int{}
}

// wanted tells whether products take a parameter's layout. A matrix that is trained is laid out only in bfloat16, anew
// after every change: in float32 reading it in place is nearly as fast.
func (p *Params) wanted(q *Param) bool {
	return q.Group == Base && (!q.thawed || p.Precision != kernel.Float32)
}

// findPacks lists the layouts that the products of a program's plan take. Products in bfloat16 need them.
func (s *Session) findPacks(p *program) {
	if s.params.Memory.Unpacked && s.params.Precision == kernel.Float32 {
		return
	}
	for _, u := range p.plan.Packs() {
		if q := p.net.leaves[u.Leaf]; q != nil && s.params.wanted(q) {
			p.packs = append(p.packs, packing{q, u.Trans})
		}
	}
}

// claim drops the layouts that were made for another device.
func (s *Session) claim(p *program) {
	for _, u := range p.packs {
		if l := &u.param.packs; l.memory != s.memory {
			u.param.dropPacks()
			l.memory = s.memory
		}
	}
}

// pack makes the layouts of a program that are missing or stale, on all threads. On a device settle does.
func (s *Session) pack(p *program) {
	s.claim(p)
	if s.memory != nil {
		return
	}
	var due []packing
	for _, u := range p.packs {
		if u.due() {
			due = append(due, u)
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
					q := due[i].param
					due[i].run(k, kernel.F32(q.Data, q.Shape...), s.params.Precision)
				}
			})
		}
	}
	wg.Wait()
}
