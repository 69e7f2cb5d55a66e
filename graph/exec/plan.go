// Package exec plans and runs gorgonia expression graphs made of graph/op's operators: the order, the place of every
// value in one arena and the hand-over of dying buffers are decided once per graph, and a step is then a plain loop
// that allocates nothing.
package exec

import (
	"cmp"
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/op"
)

// Plan is the order and the memory of the computation of some roots. It is read-only once made and serves any number
// of Execs.
//
// The shapes of the graph's leaves are capacities: a run may feed fewer rows, and every shape is inferred again from
// what is fed.
type Plan struct {
	leaves []*G.Node
	steps  []step
	slots  []slot
	index  map[*G.Node]int
	arena  int // elements
	direct int // elements without sharing, for reports
}

// step computes one operator. in and out are indices into the plan's slots.
type step struct {
	op  *op.Op
	out int
	in  []int
}

// slot is the place of one node's value.
type slot struct {
	kind   slotKind
	offset int // in the arena, in elements (owned)
	size   int // capacity in elements
	base   int // the slot that a view is part of
	dims   int
}

type slotKind int

const (
	leaf  slotKind = iota // fed by the caller
	owned                 // lives in the arena
	view                  // a part of another slot
)

// alignment of arena offsets: 16 float32, a cache line.
const alignment = 16

// NewPlan plans the computation of roots, in the order in which the nodes were added to the graph. Every operator must
// be one of graph/op's.
//
// That order takes each gradient when the backward pass comes by, so that what it is computed from is soon free, and
// computes what op.GradAgain adds in the place that it was added for.
func NewPlan(roots ...*G.Node) (*Plan, error) {
	order := op.Sort(roots...)
	slices.SortFunc(order, func(a, b *G.Node) int { return cmp.Compare(a.ID(), b.ID()) })
	p := &Plan{index: make(map[*G.Node]int, len(order)), slots: make([]slot, len(order))}
	last := make([]int, len(order)) // position of the last use of each slot's buffer
	const forever = int(^uint(0) >> 1)
	inputs := make([][]int, len(order))
	for i, n := range order {
		p.index[n] = i
		p.slots[i] = slot{kind: leaf, size: n.Shape().TotalSize(), base: i, dims: n.Dims()}
		last[i] = i
		if n.Op() == nil {
			p.leaves = append(p.leaves, n)
			continue
		}
		o, ok := n.Op().(*op.Op)
		if !ok {
			return nil, fmt.Errorf("exec: cannot run the operator %v of type %T", n.Op(), n.Op())
		}
		p.slots[i].kind = owned
		for _, c := range op.Inputs(n) {
			j, ok := p.index[c]
			if !ok {
				return nil, fmt.Errorf("exec: %v was added to the graph before its input %v", o, c)
			}
			inputs[i] = append(inputs[i], j)
			last[p.slots[j].base] = i
		}
		if _, ok := o.View(op.Inputs(n)[0].Shape()); ok {
			p.slots[i].kind = view
			p.slots[i].base = p.slots[inputs[i][0]].base
		}
		p.steps = append(p.steps, step{o, i, inputs[i]})
	}
	for _, r := range roots {
		last[p.slots[p.index[r]].base] = forever
	}
	var a arena
	for _, s := range p.steps {
		o := &p.slots[s.out]
		if o.kind == view {
			continue
		}
		p.direct += o.size
		from := -1
		for _, k := range s.op.InPlace() {
			if p.canOverwrite(s, k, last) {
				from = s.in[k]
				break
			}
		}
		if from >= 0 {
			o.offset = p.slots[from].offset
			last[from] = -1 // its buffer lives on as the output's
		} else {
			o.offset = a.take(round(o.size))
		}
		for k, j := range s.in {
			b := p.slots[j].base
			if p.slots[b].kind == owned && last[b] == s.out && !repeated(p, s.in[:k], b) {
				a.give(p.slots[b].offset, round(p.slots[b].size))
			}
		}
	}
	p.arena = a.top
	return p, nil
}

// canOverwrite tells whether step s may write its output over input k: the input's buffer is the arena's, exactly as
// large, dies here and is read by no other input of the step.
func (p *Plan) canOverwrite(s step, k int, last []int) bool {
	j := s.in[k]
	in := p.slots[j]
	if in.kind != owned || last[j] != s.out || in.size != p.slots[s.out].size {
		return false
	}
	for i, other := range s.in {
		if i != k && p.slots[other].base == j {
			return false
		}
	}
	return true
}

func repeated(p *Plan, in []int, base int) bool {
	for _, j := range in {
		if p.slots[j].base == base {
			return true
		}
	}
	return false
}

func round(n int) int { return (n + alignment - 1) / alignment * alignment }

// Leaves returns the nodes that a run must be fed.
func (p *Plan) Leaves() G.Nodes { return p.leaves }

// Takes tells whether n is one of Leaves.
func (p *Plan) Takes(n *G.Node) bool {
	i, ok := p.index[n]
	return ok && p.slots[i].kind == leaf
}

// Steps is the number of operators of a run.
func (p *Plan) Steps() int { return len(p.steps) }

// ArenaBytes is the memory of all intermediate values of one Exec; unshared is what they would take without reuse.
func (p *Plan) ArenaBytes() (shared, unshared int) { return 4 * p.arena, 4 * p.direct }

// PackedOnly tells whether a leaf's every use is one of Packs, so that with layouts for them its elements are not read.
func (p *Plan) PackedOnly(n *G.Node) bool {
	i, ok := p.index[n]
	used := false
	for _, s := range p.steps {
		for k, j := range s.in {
			if !ok || j != i {
				continue
			}
			if !slices.ContainsFunc(s.op.Packs(), func(u op.PackUse) bool { return u.Input == k }) {
				return false
			}
			used = true
		}
	}
	return used
}

// PackUse names a leaf that operators take, transposed or not, as the right operand of a matrix product.
type PackUse struct {
	Leaf  *G.Node
	Trans bool
}

// Packs lists the leaves for which a kernel.Layout speeds runs up.
func (p *Plan) Packs() []PackUse {
	seen := map[PackUse]bool{}
	var out []PackUse
	nodes := make([]*G.Node, len(p.slots))
	for n, i := range p.index {
		nodes[i] = n
	}
	for _, s := range p.steps {
		for _, u := range s.op.Packs() {
			if j := s.in[u.Input]; p.slots[j].kind == leaf {
				if w := (PackUse{nodes[j], u.Trans}); !seen[w] {
					seen[w] = true
					out = append(out, w)
				}
			}
		}
	}
	return out
}
