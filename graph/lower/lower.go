// Package lower builds gorgonia graphs node by node: every ONNX operator becomes some of graph/op's, without looking
// for the blocks of an encoder. It is how a network runs that no rule recognises: on padded batches, slower, with the
// same results and with gradients to any order.
package lower

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/op"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// Network is a Program as a gorgonia graph. Numbers are float32 whatever the file has; conditions are 0 and 1.
type Network struct {
	Leaves  []Leaf
	Inputs  []*G.Node // of the program's floating-point inputs, in one dimension
	Outputs []*G.Node // of the program's outputs, in one dimension; nil for those that the host computes

	values map[string]*value
}

// Leaf is a node that a batch gives its value, other than the inputs and weights.
type Leaf struct {
	Node *G.Node
	// Value makes it of what Program.Host gave. Constant tells that it is the same for every batch.
	Value    func(host map[string]*fold.Array) (kernel.Tensor, error)
	Constant bool
}

// Tap puts something in the place of a value that a step makes, such as the value with an adapter's part added: y are the
// value's elements in one dimension, as are those of what it returns. value gives the elements of any value that was made
// before, by its name in the file.
type Tap func(y *G.Node, value func(name string) (*G.Node, error)) (*G.Node, error)

// Build adds the nodes of a program to a graph. weight gives a parameter's leaf, of the shape that the file has; taps, by
// the names of values, may be nil. precision is that of products of what the network computes; those with what the host
// gives, such as positions, are float32.
func Build(g *G.ExprGraph, p *importer.Program, weight func(*importer.Weight) (*G.Node, error), taps map[string]Tap,
	precision kernel.Precision) (*Network, error) {
	b := &builder{Network: &Network{values: map[string]*value{}}, g: g, weight: weight, taps: taps, precision: precision,
		indices: map[uint64][]known{}}
	for _, in := range p.Inputs {
		if err := checkShape(in.Array); err != nil {
			return nil, fmt.Errorf("input %q: %w", in.Name, err)
		}
		n := b.leaf(in.Name, tensor.Float32, in.Array.Size())
		b.Inputs = append(b.Inputs, n)
		b.values[in.Name] = &value{node: n, Array: in.Array}
	}
	for _, s := range p.Steps {
		if err := b.step(s); err != nil {
			return nil, s.Errorf("%w", err)
		}
	}
	for _, o := range p.Outputs {
		var n *G.Node
		if o.Source == importer.Computed || o.Source == importer.Parameter {
			v, err := b.value(o)
			if err != nil {
				return nil, fmt.Errorf("output %q: %w", o.Name, err)
			}
			if n, err = b.elements(v); err != nil {
				return nil, fmt.Errorf("output %q: %w", o.Name, err)
			}
		}
		b.Outputs = append(b.Outputs, n)
	}
	return b.Network, nil
}

// value is an operand in the graph.
type value struct {
	*fold.Array
	node   *G.Node // its elements in one dimension; nil until they are needed
	source importer.Source
	name   string
	weight *G.Node // of a parameter: its leaf, of two dimensions or others
	trans  bool    // the parameter stands transposed
}

type builder struct {
	*Network
	g      *G.ExprGraph
	weight func(*importer.Weight) (*G.Node, error)
	taps   map[string]Tap
	leaves int

	precision kernel.Precision

	indices map[uint64][]known // leaves of known indices, by their hash
}

// rule makes the outputs of a step of its inputs. What it does not make stays nil.
type rule func(b *builder, s importer.Step, in []*value) ([]*G.Node, error)

// step adds the nodes of one step.
func (b *builder) step(s importer.Step) error {
	in := make([]*value, len(s.In))
	for i, o := range s.In {
		if o.Source == importer.Absent {
			continue
		}
		v, err := b.value(o)
		if err != nil {
			return fmt.Errorf("input %d: %w", i, err)
		}
		in[i] = v
	}
	out, err := b.apply(s, in)
	if err != nil {
		return err
	}
	for i, v := range out {
		if v == nil {
			continue
		}
		if tap := b.taps[s.Out[i].Name]; tap != nil && v.node != nil {
			if v.node, err = tap(v.node, b.named(s)); err != nil {
				return err
			}
		}
		b.values[s.Out[i].Name] = v
	}
	return nil
}

// named gives the elements of values: of what a step reads, and of what steps have made.
func (b *builder) named(s importer.Step) func(name string) (*G.Node, error) {
	return func(name string) (*G.Node, error) {
		v := b.values[name]
		for _, o := range s.In {
			if v == nil && o.Source != importer.Absent && o.Name == name {
				var err error
				if v, err = b.value(o); err != nil {
					return nil, err
				}
			}
		}
		if v == nil {
			return nil, fmt.Errorf("nothing makes %q", name)
		}
		return b.elements(v)
	}
}

// maxElements bounds a value: a graph that asks for more is refused before anything is allocated.
const maxElements = 1 << 30

func checkShape(a *fold.Array) error {
	n := a.Size()
	if n == 0 {
		return fmt.Errorf("%v is empty, which graft's operators do not take", a)
	}
	if n > maxElements {
		return fmt.Errorf("%v is too large", a)
	}
	return nil
}

// value is an operand's, made when it is first used.
func (b *builder) value(o importer.Operand) (*value, error) {
	if v := b.values[o.Name]; v != nil && v.trans == o.Trans {
		return v, nil
	}
	v := &value{Array: o.Array, source: o.Source, name: o.Name, trans: o.Trans}
	switch o.Source {
	case importer.Computed:
		return nil, fmt.Errorf("nothing makes %q", o.Name)
	case importer.Parameter:
		if err := checkShape(o.Array); err != nil {
			return nil, err
		}
		n, err := b.weight(o.Weight)
		if err != nil {
			return nil, err
		}
		v.weight = n
		return v, nil // the name of a parameter stands for it as the file has it and turned
	}
	b.values[o.Name] = v
	return v, nil
}

// elements is a value's node in one dimension.
func (b *builder) elements(v *value) (*G.Node, error) {
	if v.node != nil {
		return v.node, nil
	}
	var err error
	switch v.source {
	case importer.Parameter:
		if v.node, err = op.Reshape(v.weight, v.Size()); err == nil && v.trans {
			v.node, err = b.permute(v.node, []int{v.Shape[1], v.Shape[0]}, []int{1, 0})
		}
	case importer.Constant, importer.Host:
		if err := checkShape(v.Array); err != nil {
			return nil, err
		}
		v.node = b.leaf(v.name, tensor.Float32, v.Size())
		b.Leaves = append(b.Leaves, Leaf{Node: v.node, Constant: v.source == importer.Constant,
			Value: func(host map[string]*fold.Array) (kernel.Tensor, error) {
				a := v.Array
				if v.source == importer.Host {
					a = host[v.name]
				}
				x, err := floats(a)
				if err != nil {
					return kernel.Tensor{}, fmt.Errorf("%q: %w", v.name, err)
				}
				return kernel.F32(x, len(x)), nil
			}})
	default:
		err = fmt.Errorf("%q has no elements", v.name)
	}
	return v.node, err
}

// floats converts an array's elements to float32; integers must stay what they are.
func floats(a *fold.Array) ([]float32, error) {
	out := make([]float32, a.Size())
	for i := range out {
		v := a.At(i)
		out[i] = float32(v)
		if a.Ints != nil && float64(out[i]) != v {
			return nil, fmt.Errorf("the integer %v has no place among float32", a.Ints[i])
		}
	}
	return out, nil
}

// leaf adds a leaf of one dimension, under a name that no other has.
func (b *builder) leaf(name string, t tensor.Dtype, n int) *G.Node {
	b.leaves++
	return G.NewTensor(b.g, t, 1, G.WithShape(n), G.WithName(fmt.Sprintf("%s#%d", name, b.leaves)))
}

// constants adds a leaf of known numbers, index one of known indices.
func (b *builder) constants(name string, x ...float32) *G.Node {
	n := b.leaf(name, tensor.Float32, len(x))
	b.Leaves = append(b.Leaves, Leaf{n, func(map[string]*fold.Array) (kernel.Tensor, error) { return kernel.F32(x, len(x)), nil }, true})
	return n
}

// known is a leaf of known indices.
type known struct {
	node  *G.Node
	index []int32
}

// index is a leaf of known indices: one for all that move the same way, as the layers of an encoder do.
func (b *builder) index(name string, x []int32) *G.Node {
	h := uint64(len(x))
	for _, v := range x { // FNV-1a by words
		h = (h ^ uint64(uint32(v))) * 1099511628211
	}
	for _, k := range b.indices[h] {
		if slices.Equal(k.index, x) {
			return k.node
		}
	}
	n := b.leaf(name, tensor.Int32, len(x))
	b.indices[h] = append(b.indices[h], known{n, x})
	b.Leaves = append(b.Leaves, Leaf{n, func(map[string]*fold.Array) (kernel.Tensor, error) { return kernel.I32(x, len(x)), nil }, true})
	return n
}

// matrix is a value as a matrix. A parameter of that shape is its leaf, which may be packed; trans tells that it is to
// be read transposed.
func (b *builder) matrix(v *value, rows, cols int) (n *G.Node, trans bool, err error) {
	if v.weight != nil && v.weight.Dims() == 2 && v.Shape[0] == rows && v.Shape[1] == cols {
		return v.weight, v.trans, nil
	}
	n, err = b.rows(v, rows, cols)
	return n, false, err
}

// rows is a value as a matrix.
func (b *builder) rows(v *value, rows, cols int) (*G.Node, error) {
	n, err := b.elements(v)
	if err != nil {
		return nil, err
	}
	return op.Reshape(n, rows, cols)
}

func isFloat(t onnx.DataType) bool {
	return t == onnx.Float || t == onnx.Float16 || t == onnx.Bfloat16 || t == onnx.Double
}

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}
