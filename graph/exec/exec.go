package exec

import (
	"context"
	"fmt"
	"slices"
	"unsafe"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Exec runs a Plan on one device. Where its Kernels are a kernel.Memory, all values live there: what is fed is copied to
// it, and what Value returns lies in it. It serves one goroutine at a time.
type Exec struct {
	Thread int // the number that a Profile shows the executor's work under

	plan     *Plan
	kernels  kernel.Kernels
	arena    []float32
	shared   *Arena          // whose memory arena is, until it grows; nil on a device
	values   []kernel.Tensor // by slot; Shape is the live shape
	capacity []tensor.Shape  // by slot, of leaves
	fed      []bool          // by slot, of leaves
	in       [][]kernel.Tensor
	shapes   [][]tensor.Shape // by step: the inputs' live shapes
	stale    bool             // a leaf's shape changed since shapes were inferred
	device   *device          // nil where the kernels compute in the host's memory
	then     func()           // what follows the steps
}

// Arena is memory of the host that several Execs share which do not run at the same time: the values of one are lost when
// the next runs. It is as large as the largest of them needs.
type Arena struct{ memory []float32 }

// New returns an Exec of the plan that computes on k, with an arena of Plan.ArenaBytes. On a kernel.Memory that is too
// small it is an error, and one that is no longer needed gives its memory back by Release.
func (p *Plan) New(k kernel.Kernels) (*Exec, error) { return p.NewIn(&Arena{}, k) }

// NewIn is New for an Exec whose values lie in an arena that others share. On a kernel.Memory it has one of its own.
func (p *Plan) NewIn(a *Arena, k kernel.Kernels) (*Exec, error) {
	e := &Exec{
		plan: p, kernels: k, stale: true,
		values: make([]kernel.Tensor, len(p.slots)), capacity: make([]tensor.Shape, len(p.slots)), fed: make([]bool, len(p.slots)),
		in: make([][]kernel.Tensor, len(p.steps)), shapes: make([][]tensor.Shape, len(p.steps)),
	}
	dims := 0
	for _, s := range p.slots {
		dims += s.dims
	}
	buf := make([]int, 0, dims) // every live shape in one allocation, grown never
	for i, s := range p.slots {
		e.values[i].Shape = buf[len(buf) : len(buf) : len(buf)+s.dims]
		buf = buf[:len(buf)+s.dims]
	}
	for _, n := range p.leaves {
		e.capacity[p.index[n]] = n.Shape()
	}
	for i, s := range p.steps {
		e.in[i] = make([]kernel.Tensor, len(s.in))
		e.shapes[i] = make([]tensor.Shape, len(s.in))
	}
	m, ok := k.(kernel.Memory)
	if !ok {
		if len(a.memory) < p.arena {
			a.memory = aligned(p.arena)
		}
		e.arena, e.shared = a.memory, a
		return e, nil
	}
	var err error
	if e.arena, err = m.Alloc(p.arena); err != nil {
		return nil, fmt.Errorf("exec: the arena: %w", err)
	}
	e.device = newDevice(m, len(p.slots))
	return e, nil
}

// aligned returns n float32 that start at a cache line.
func aligned(n int) []float32 {
	if n == 0 {
		return nil
	}
	b := make([]float32, n+alignment)
	skip := 0
	if r := int(uintptr(unsafe.Pointer(&b[0])) / 4 % alignment); r != 0 {
		skip = alignment - r
	}
	return b[skip : skip+n]
}

// Feed gives a leaf its value until it is fed again, by reference. The value has the leaf's type and at most its
// shape, in each dimension. Run copies it to a device with memory of its own, once for each Feed.
func (e *Exec) Feed(n *G.Node, t kernel.Tensor) error {
	i, err := e.leaf(n, t, false)
	if err != nil {
		return err
	}
	if e.device != nil {
		e.device.feed(e, i, t)
		return nil
	}
	e.values[i].F32, e.values[i].I32, e.values[i].Packed = t.F32, t.I32, t.Packed
	return nil
}

// Place is Feed of a value that lies where the kernels compute. Of a matrix for packed products alone (Plan.PackedOnly)
// it needs no elements.
func (e *Exec) Place(n *G.Node, t kernel.Tensor) error {
	i, err := e.leaf(n, t, e.plan.PackedOnly(n))
	if err != nil {
		return err
	}
	if e.device != nil {
		e.device.place(e.values[i], t)
	}
	e.values[i].F32, e.values[i].I32, e.values[i].Packed = t.F32, t.I32, t.Packed
	return nil
}

// leaf is the slot of a leaf that is given a value, whose live shape it takes.
func (e *Exec) leaf(n *G.Node, t kernel.Tensor, packed bool) (int, error) {
	i, ok := e.plan.index[n]
	if !ok || n.Op() != nil {
		return 0, fmt.Errorf("exec: %q is no leaf of the plan", n.Name())
	}
	size, err := fits(n, t.Shape, e.capacity[i])
	if err != nil {
		return 0, err
	}
	isInt := n.Dtype() == tensor.Int32
	if isInt && len(t.I32) < size || !isInt && len(t.F32) < size && !(packed && t.Packed != nil) {
		return 0, fmt.Errorf("exec: feeding %q: too few elements of type %v for shape %v", n.Name(), n.Dtype(), slices.Clone(t.Shape))
	}
	v := &e.values[i]
	if !slices.Equal(v.Shape, t.Shape) || !e.fed[i] {
		v.Shape = append(v.Shape[:0], t.Shape...)
		e.stale = true
	}
	e.fed[i] = true
	return i, nil
}

// fits returns the number of elements of a leaf's live shape, an error where that is beyond the capacity. The caller's
// shape may live on its stack, so that what goes into an error is a copy.
func fits(n *G.Node, shape []int, capacity tensor.Shape) (size int, err error) {
	size = 1
	ok := len(shape) == len(capacity)
	for d := 0; ok && d < len(shape); d++ {
		ok = shape[d] <= capacity[d]
		size *= shape[d]
	}
	if !ok {
		return 0, fmt.Errorf("exec: feeding %q: shape %v, want at most %v", n.Name(), slices.Clone(shape), capacity)
	}
	return size, nil
}

// Run computes the plan's roots from what has been fed. It stops between two operators when ctx ends, with the
// context's error; the values are then undefined. On a kernel.Memory it asks for the computation and returns; on a
// kernel.Recorder it does so at once, by a recording that is kept for each set of live shapes.
func (e *Exec) Run(ctx context.Context) error {
	if e.shared != nil && len(e.arena) != len(e.shared.memory) { // which another has made larger
		e.arena, e.stale = e.shared.memory, true
	}
	if e.stale {
		if err := e.infer(); err != nil {
			return err
		}
	}
	if e.device != nil {
		if err := e.device.stage(e); err != nil {
			return err
		}
	}
	if p := profileOf(ctx); p != nil {
		return e.runProfiled(ctx, p)
	}
	if e.device != nil && e.device.recorder != nil {
		if err := ctx.Err(); err != nil {
			return err
		}
		return e.device.replay(e)
	}
	for i := range e.plan.steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		e.step(i)
	}
	if e.then != nil {
		e.then()
	}
	return nil
}

// Then makes f, which asks the Exec's Kernels for more, a part of each Run after the plan's operators: of its recording
// too, so that what f asks for may depend on the live shapes, and on nothing else that changes.
func (e *Exec) Then(f func()) { e.then = f }

// step computes one operator and returns its operands.
func (e *Exec) step(i int) (out kernel.Tensor, in []kernel.Tensor) {
	s := &e.plan.steps[i]
	if e.plan.slots[s.out].kind == view {
		e.slice(s)
		return e.values[s.out], nil
	}
	in = e.in[i]
	for j, k := range s.in {
		in[j] = e.values[k]
	}
	s.op.Run(e.kernels, e.values[s.out], in)
	return e.values[s.out], in
}

// slice points a view's value into what it is a part of.
func (e *Exec) slice(s *step) {
	from, v := e.values[s.in[0]], &e.values[s.out]
	off, _ := s.op.View(from.Shape)
	size := tensor.Shape(v.Shape).TotalSize()
	v.F32 = from.F32[off : off+size : off+size]
}

// point points every view into what it is a part of, as the steps do.
func (e *Exec) point() {
	for i := range e.plan.steps {
		if s := &e.plan.steps[i]; e.plan.slots[s.out].kind == view {
			e.slice(s)
		}
	}
}

// infer gives every value its live shape, and its place in the arena.
func (e *Exec) infer() error {
	for _, n := range e.plan.leaves {
		if !e.fed[e.plan.index[n]] {
			return fmt.Errorf("exec: %q has not been fed", n.Name())
		}
	}
	for i := range e.plan.steps {
		s := &e.plan.steps[i]
		shapes := e.shapes[i]
		for j, k := range s.in {
			shapes[j] = e.values[k].Shape
		}
		v := &e.values[s.out]
		shape, err := s.op.Infer(v.Shape, shapes)
		if err != nil {
			return fmt.Errorf("exec: %v%v: %w", s.op, shapes, err)
		}
		v.Shape = shape
		size := shape.TotalSize()
		slot := e.plan.slots[s.out]
		if slot.kind == view {
			continue
		}
		if size > slot.size {
			return fmt.Errorf("exec: %v%v needs %d elements, planned for %d", s.op, shapes, size, slot.size)
		}
		v.F32 = e.arena[slot.offset : slot.offset+size : slot.offset+size]
	}
	e.stale = false
	return nil
}

// ArenaBytes is the memory that the executor has for intermediate values.
func (e *Exec) ArenaBytes() int { return 4 * len(e.arena) }

// Release gives back the memory of a device. The Exec is of no use afterwards.
func (e *Exec) Release() {
	if e.device != nil {
		e.device.release()
		e.device.memory.Free(e.arena)
	}
}

// Value returns a root's value after Run. It shares the Exec's memory and holds until the next Run; where that is a
// device's, kernel.Memory downloads it.
func (e *Exec) Value(n *G.Node) (kernel.Tensor, error) {
	i, ok := e.plan.index[n]
	if !ok {
		return kernel.Tensor{}, fmt.Errorf("exec: %q is no node of the plan", n.Name())
	}
	return e.values[i], nil
}
