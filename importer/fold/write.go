package fold

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// Writing is an operator written in others, for inputs of fixed types and shapes: what a node means whose operator has
// no arithmetic of its own. It gives the node's elements on the host and, step by step, its nodes in a graph.
type Writing struct {
	In    []*Array // the inputs, nil where left out
	Steps []WrittenStep
	Out   []*Array
}

// WrittenStep is one operator of a Writing. An array that is no input and that no earlier step makes is known.
type WrittenStep struct {
	Node    *onnx.Node
	Opset   int64 // of the default domain
	In, Out []*Array
}

// Write writes a node in other operators. ok is false for an operator that has arithmetic of its own.
func Write(n *onnx.Node, opset int64, in []*Array) (w *Writing, ok bool, err error) {
	e, err := operators.lookup(n, opset)
	if err != nil || e.write == nil {
		return nil, false, err
	}
	w = &Writing{}
	for _, a := range in {
		if a != nil {
			c := *a
			a = &c
		}
		w.In = append(w.In, a)
	}
	c := Call{Node: n, In: w.In, table: operators}
	if err := e.accepts(c); err != nil {
		return nil, true, err
	}
	t := newWriter(c)
	w.Out = e.write(t)
	w.Steps = t.steps
	return w, true, t.err
}

// writing writes an operator in others. Where it cannot, it sets the writer's error.
type writing func(w *writer) []*Array

// by is an operator that is written in others.
func by(since int64, f writing, min int, in ...class) entry {
	e := at(since, nil, min, in...)
	e.write = f
	e.f = func(c Call) ([]*Array, error) {
		w := newWriter(c)
		out := f(w)
		return out, w.err
	}
	return e
}

// writer collects the steps that an operator is written in. After an error it gives arrays without elements, of no
// certain shape.
type writer struct {
	Call
	typ   onnx.DataType // of the first input, and of numbers
	steps []WrittenStep
	err   error
}

func newWriter(c Call) *writer {
	w := &writer{Call: c, typ: onnx.Float}
	if len(c.In) > 0 && c.In[0] != nil {
		w.typ = c.In[0].Type
	}
	return w
}

const (
	// writtenAt is the opset whose operators writings use.
	writtenAt = 21
	// maxWritten bounds the steps of one writing.
	maxWritten = 1 << 12
)

// fail sets the error, if there is none yet.
func (w *writer) fail(format string, args ...any) []*Array {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
	return nil
}

// failed sets an error that is not nil, and tells whether there is one.
func (w *writer) failed(err error) bool {
	if w.err == nil {
		w.err = err
	}
	return w.err != nil
}

// do applies an operator of one output.
func (w *writer) do(op string, in []*Array, attributes ...*onnx.Attribute) *Array {
	return w.many(op, 1, in, attributes...)[0]
}

// many applies an operator of n outputs.
func (w *writer) many(op string, n int, in []*Array, attributes ...*onnx.Attribute) []*Array {
	node := &onnx.Node{OpType: op, Attributes: attributes, Inputs: make([]string, len(in)), Outputs: make([]string, n)}
	out := make([]*Array, n)
	if w.err == nil {
		got, err := w.apply(node, in)
		if err == nil && len(got) < n {
			err = fmt.Errorf("%s gives no %d outputs", op, n)
		}
		if err == nil {
			return got[:n]
		}
		w.err = err
	}
	for i := range out {
		out[i] = Unknown(w.typ)
	}
	return out
}

func (w *writer) apply(node *onnx.Node, in []*Array) ([]*Array, error) {
	e, err := w.table.lookup(node, writtenAt)
	if err != nil {
		return nil, err
	}
	got, err := e.call(Call{Node: node, In: in, table: w.table})
	if err != nil {
		return nil, err
	}
	known := true
	for i, a := range got {
		if slices.Contains(in, a) { // it hands an input on
			c := *a
			got[i] = &c
		}
		known = known && a.Known()
	}
	if known {
		return got, nil
	}
	if len(w.steps) == maxWritten {
		return nil, fmt.Errorf("it takes more than %d steps", maxWritten)
	}
	w.steps = append(w.steps, WrittenStep{node, writtenAt, slices.Clone(in), got})
	return got, nil
}

func intAttr(name string, v int) *onnx.Attribute {
	return &onnx.Attribute{Name: name, Type: onnx.AttrInt, I: int64(v)}
}

func floatAttr(name string, v float64) *onnx.Attribute {
	return &onnx.Attribute{Name: name, Type: onnx.AttrFloat, F: float32(v)}
}

// num is a scalar of the type that the operator computes in.
func (w *writer) num(v float64) *Array { return scalar(w.typ, v) }

func scalar(t onnx.DataType, v float64) *Array {
	if isFloat(t) {
		return &Array{Type: t, Shape: []int{}, Floats: []float64{round(t, v)}}
	}
	return &Array{Type: t, Shape: []int{}, Ints: []int64{int64(v)}}
}

// list is a vector of int64.
func list(x ...int) *Array {
	out := make([]int64, len(x))
	for i, v := range x {
		out[i] = int64(v)
	}
	return Ints(out, len(out))
}

// count is the vector 0, 1, …, n−1, along the last of rank axes but after others.
func (w *writer) count(n, after int) *Array {
	if n > MaxElements {
		w.fail("an axis of %d elements is too large", n)
		n = 0
	}
	shape := []int{n}
	for range after {
		shape = append(shape, 1)
	}
	x := make([]int64, n)
	for i := range x {
		x[i] = int64(i)
	}
	return Ints(x, shape...)
}

func (w *writer) add(x, y *Array) *Array  { return w.do("Add", []*Array{x, y}) }
func (w *writer) sub(x, y *Array) *Array  { return w.do("Sub", []*Array{x, y}) }
func (w *writer) mul(x, y *Array) *Array  { return w.do("Mul", []*Array{x, y}) }
func (w *writer) div(x, y *Array) *Array  { return w.do("Div", []*Array{x, y}) }
func (w *writer) less(x, y *Array) *Array { return w.do("Less", []*Array{x, y}) }
func (w *writer) min(x, y *Array) *Array  { return w.do("Min", []*Array{x, y}) }
func (w *writer) max(x, y *Array) *Array  { return w.do("Max", []*Array{x, y}) }

// of applies a function of one argument.
func (w *writer) of(op string, x *Array) *Array { return w.do(op, []*Array{x}) }

func (w *writer) where(c, x, y *Array) *Array { return w.do("Where", []*Array{c, x, y}) }

func (w *writer) cast(x *Array, t onnx.DataType) *Array {
	return w.do("Cast", []*Array{x}, intAttr("to", int(t)))
}

func (w *writer) reshape(x *Array, shape ...int) *Array {
	if slices.Contains(shape, 0) {
		w.fail("%v is empty, which graft's operators do not take", x)
	}
	if slices.Equal(x.Shape, shape) {
		return x
	}
	return w.do("Reshape", []*Array{x, list(shape...)})
}

func (w *writer) transpose(x *Array, perm ...int) *Array {
	if slices.IsSorted(perm) {
		return x
	}
	p := make([]int64, len(perm))
	for i, v := range perm {
		p[i] = int64(v)
	}
	return w.do("Transpose", []*Array{x}, &onnx.Attribute{Name: "perm", Type: onnx.AttrInts, Ints: p})
}

// reduce folds x along axes, of which there is at least one.
func (w *writer) reduce(op string, x *Array, keep bool, axes ...int) *Array {
	return w.do(op, []*Array{x, list(axes...)}, intAttr("keepdims", int(b2i(keep))))
}

func (w *writer) unsqueeze(x *Array, axes ...int) *Array {
	return w.do("Unsqueeze", []*Array{x, list(axes...)})
}

func (w *writer) concat(axis int, x ...*Array) *Array {
	if len(x) == 1 {
		return x[0]
	}
	return w.do("Concat", x, intAttr("axis", axis))
}

// gather takes slices of an axis by known indices.
func (w *writer) gather(x, index *Array, axis int) *Array {
	return w.do("Gather", []*Array{x, index}, intAttr("axis", axis))
}

// window is x[…, from:to, …] along an axis.
func (w *writer) window(x *Array, axis, from, to int) *Array {
	return w.do("Slice", []*Array{x, list(from), list(to), list(axis)})
}

// fill is an array of one number.
func (w *writer) fill(v *Array, shape ...int) *Array {
	return w.do("Expand", []*Array{v, list(shape...)})
}

// beside reshapes a vector so that it stands along an axis of a rank.
func (w *writer) beside(x *Array, axis, rank int) *Array {
	shape := slices.Repeat([]int{1}, rank)
	if axis < 0 || axis >= rank {
		w.fail("%v has no place in rank %d", x, rank)
		return x
	}
	shape[axis] = x.Size()
	return w.reshape(x, shape...)
}

// finite is x, with the largest numbers in place of infinities.
func (w *writer) finite(x *Array) *Array {
	top := math.MaxFloat32
	if w.typ == onnx.Float16 {
		top = 65504
	}
	return w.do("Clip", []*Array{x, scalar(x.Type, -top), scalar(x.Type, top)})
}

// axis is an attribute that is an axis of the first input.
func (w *writer) axis(name string, def int64) int {
	k, err := axis(w.int(name, def), len(w.In[0].Shape))
	w.failed(err)
	return k
}

func (w *writer) str(name, def string) string {
	if a := w.Node.Attribute(name); a != nil {
		return string(a.S)
	}
	return def
}

func one1(a *Array) []*Array { return []*Array{a} }
