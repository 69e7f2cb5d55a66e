// Package op holds graft's gorgonia operators: few and large ones, each with its shape rule, its forward pass on a
// kernel.Kernels and its symbolic gradient, one per file. A function such as LayerNorm adds one node to the expression
// graph of its inputs.
//
// Shapes: T is the number of packed tokens of a batch, H a hidden size. Values are float32 and indices int32; a scalar
// is a vector of one element.
package op

import (
	"errors"
	"fmt"
	"hash"
	"hash/fnv"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/portable"
)

// Op is every operator of this package: the functions that build nodes differ only in how they fill it in. It works
// under gorgonia's own machines (G.SDOp) and under graph/exec.
type Op struct {
	name  string
	attrs string
	id    uint32
	in    []hm.Type
	out   hm.Type

	infer   func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error)
	run     func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor)
	diff    func(in G.Nodes, out, grad *G.Node, need []bool) (G.Nodes, error)
	inPlace []int
	packs   []PackUse
	view    func(in tensor.Shape) (offset int)

	usesOutput bool // diff uses the output's node
	// flops are the multiplications and additions of a run, nil for an operator that does few for each element.
	flops func(out kernel.Tensor, in []kernel.Tensor) float64
	// lookups is the number of leading inputs of which a run reads as many rows as the output has, and no more.
	lookups int
	join    *join // of a Join
}

// PackUse says that an operator takes input Input, transposed or not, as the right operand of a matrix product.
type PackUse struct {
	Input int
	Trans bool
}

var (
	_ G.SDOp = (*Op)(nil)
	_ G.Op   = (*Op)(nil)
)

// apply adds a node that is o of the inputs. Each node gets an Op of its own, whose hash is unique in the graph:
// gorgonia merges nodes whose operators have equal hashes without comparing their inputs.
func apply(o *Op, in ...*G.Node) (*G.Node, error) {
	var g *G.ExprGraph
	for i, n := range in {
		if n == nil {
			return nil, fmt.Errorf("%s: input %d is missing", o.name, i)
		}
		g = n.Graph()
		o.in = append(o.in, n.Type())
	}
	if g == nil {
		return nil, errors.New(o.name + ": no input belongs to a graph")
	}
	shapes := make([]tensor.Shape, len(in))
	for i, n := range in {
		shapes[i] = n.Shape()
	}
	s, err := o.infer(nil, shapes)
	if err != nil {
		return nil, fmt.Errorf("%s%v: %w", o.name, shapes, err)
	}
	o.out = G.TensorType{Dims: len(s), Of: tensor.Float32}
	o.id = uint32(len(g.AllNodes()) + 1)
	n, err := G.ApplyOp(o, in...)
	if err != nil {
		return nil, fmt.Errorf("%s%v: %w", o.name, shapes, err)
	}
	return n, nil
}

// Name is the operator's name: "LayerNorm".
func (o *Op) Name() string { return o.name }

// Infer computes the output's shape from the inputs' shapes, in dst's memory where that is large enough.
func (o *Op) Infer(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
	return o.infer(dst[:0], in)
}

// Run computes the operator on k. out has the inferred shape.
func (o *Op) Run(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { o.run(k, out, in) }

// InPlace lists the inputs that the output may overwrite.
func (o *Op) InPlace() []int { return o.inPlace }

// Packs lists the inputs for which a kernel.Layout speeds the operator up.
func (o *Op) Packs() []PackUse { return o.packs }

// View tells whether the output is a part of the first input, whose live shape is given, and where it starts, in
// elements. Such an operator computes nothing.
func (o *Op) View(in tensor.Shape) (offset int, ok bool) {
	if o.view == nil {
		return 0, false
	}
	return o.view(in), true
}

// Arity implements gorgonia.Op.
func (o *Op) Arity() int { return len(o.in) }

// Type implements gorgonia.Op.
func (o *Op) Type() hm.Type { return hm.NewFnType(append(append([]hm.Type{}, o.in...), o.out)...) }

// InferShape implements gorgonia.Op.
func (o *Op) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	in, err := G.DimSizersToShapes(ds)
	if err != nil {
		return nil, err
	}
	return o.infer(nil, in)
}

// Do implements gorgonia.Op on the portable kernels, for gorgonia's machines: the reference that graph/exec is held to.
func (o *Op) Do(vs ...G.Value) (G.Value, error) {
	in := make([]kernel.Tensor, len(vs))
	shapes := make([]tensor.Shape, len(vs))
	for i, v := range vs {
		t, err := Operand(v)
		if err != nil {
			return nil, fmt.Errorf("%s: input %d: %w", o.name, i, err)
		}
		in[i], shapes[i] = t, v.Shape()
	}
	s, err := o.infer(nil, shapes)
	if err != nil {
		return nil, fmt.Errorf("%s%v: %w", o.name, shapes, err)
	}
	out := make([]float32, s.TotalSize())
	if off, ok := o.View(shapes[0]); ok {
		copy(out, in[0].F32[off:])
	} else {
		o.run(portable.New(), kernel.F32(out, s...), in)
	}
	return tensor.New(tensor.WithShape(s...), tensor.WithBacking(out)), nil
}

// Operand is a gorgonia value as an operand of the kernels, sharing its memory.
func Operand(v G.Value) (kernel.Tensor, error) {
	d, ok := v.(*tensor.Dense)
	if !ok {
		return kernel.Tensor{}, fmt.Errorf("a value of type %T is no dense tensor", v)
	}
	switch x := d.Data().(type) {
	case []float32:
		return kernel.F32(x, d.Shape()...), nil
	case []int32:
		return kernel.I32(x, d.Shape()...), nil
	}
	return kernel.Tensor{}, fmt.Errorf("a tensor of %v is neither float32 nor int32", d.Dtype())
}

// ReturnsPtr implements gorgonia.Op.
func (o *Op) ReturnsPtr() bool { return true }

// CallsExtern implements gorgonia.Op.
func (o *Op) CallsExtern() bool { return false }

// OverwritesInput implements gorgonia.Op: gorgonia's machines never run the operator in place.
func (o *Op) OverwritesInput() int { return -1 }

// WriteHash implements gorgonia.Op.
func (o *Op) WriteHash(h hash.Hash) { fmt.Fprintf(h, "%s{%s}#%d", o.name, o.attrs, o.id) }

// Hashcode implements gorgonia.Op: a number that is unique in the graph.
func (o *Op) Hashcode() uint32 {
	if o.id != 0 {
		return o.id
	}
	h := fnv.New32a()
	o.WriteHash(h)
	return h.Sum32()
}

// String is the operator's name with its attributes: "LayerNorm{1e-12}".
func (o *Op) String() string {
	if o.attrs == "" {
		return o.name
	}
	return o.name + "{" + o.attrs + "}"
}

// DiffWRT implements gorgonia.SDOp: an operator with a gradient has one for each float32 input.
func (o *Op) DiffWRT(int) []bool {
	r := make([]bool, len(o.in))
	for i, t := range o.in {
		tt, ok := t.(G.TensorType)
		r[i] = o.diff != nil && ok && tt.Of == tensor.Float32
	}
	return r
}

// SymDiff implements gorgonia.SDOp. Grad asks for fewer gradients than this.
func (o *Op) SymDiff(in G.Nodes, out, grad *G.Node) (G.Nodes, error) {
	return o.symDiff(in, out, grad, o.DiffWRT(len(in)))
}

// symDiff adds the nodes of the gradients of those inputs that need names; the others stay nil.
func (o *Op) symDiff(in G.Nodes, out, grad *G.Node, need []bool) (G.Nodes, error) {
	if o.diff == nil {
		return nil, fmt.Errorf("%s has no symbolic gradient", o.name)
	}
	return o.diff(in, out, grad, need)
}
