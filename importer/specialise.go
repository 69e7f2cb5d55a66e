package importer

import (
	"fmt"

	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// spec is a graph specialised to one batch size and sequence length: every shape is fixed, and what depends on shapes
// and constants alone is computed.
type spec struct {
	g           *graph
	batch, seq  int
	values      map[string]*specValue
	activations []*onnx.Node // nodes that make activations, in order
}

// specValue is a value of a specialised graph.
type specValue struct {
	*fold.Array
	kind  valueKind
	param *view // of kind parameter
}

// valueKind says what a value depends on.
type valueKind int

const (
	constant   valueKind = iota // shapes and constants: its elements are known
	index                       // the model's inputs too, but no weight: evaluated on the host for each batch
	parameter                   // it is a weight, as it stands or turned or converted
	activation                  // inputs and weights
)

// view is a weight as a node sees it: an initialiser, transposed if trans is set, converted to float32.
type view struct {
	tensor *onnx.Tensor
	trans  bool
}

// specialise fixes the shapes for batches of batch sequences of seq tokens. Only nodes that want asks for are
// evaluated; nil asks for all.
func (g *graph) specialise(batch, seq int, want func(*onnx.Node) bool) (*spec, error) {
	s := &spec{g: g, batch: batch, seq: seq, values: map[string]*specValue{}}
	for _, in := range g.inputs {
		a, err := s.input(in)
		if err != nil {
			return nil, err
		}
		s.values[in.Name] = &specValue{Array: a, kind: index}
	}
	for name, t := range g.inits {
		v, err := weight(t)
		if err != nil {
			return nil, fmt.Errorf("initialiser %q: %w", name, err)
		}
		s.values[name] = v
	}
	for _, n := range g.nodes {
		if want != nil && !want(n) {
			continue
		}
		if copies(n) {
			continue
		}
		if err := s.eval(n); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// input is the shape of a model input: [batch, sequence], where the file does not fix other sizes.
func (s *spec) input(in *onnx.ValueInfo) (*fold.Array, error) {
	if in.Type == nil || in.Type.Tensor == nil || in.Type.Tensor.Shape == nil {
		return nil, fmt.Errorf("input %q has the type %v, want a tensor of known rank", in.Name, in.Type)
	}
	dims := in.Type.Tensor.Shape.Dims
	if len(dims) != 2 {
		return nil, fmt.Errorf("input %q has the type %v, want [batch, sequence]", in.Name, in.Type)
	}
	for _, d := range dims {
		if d.Known {
			return nil, fmt.Errorf("input %q has the type %v with a fixed size: export the model with dynamic axes", in.Name, in.Type)
		}
	}
	return fold.Unknown(in.Type.Tensor.Elem, s.batch, s.seq), nil
}

// weight makes a value of an initialiser: a parameter if it is a floating-point tensor of several elements, else a
// constant.
func weight(t *onnx.Tensor) (*specValue, error) {
	n, err := t.Len()
	if err != nil {
		return nil, err
	}
	switch t.Type {
	case onnx.Float, onnx.Float16, onnx.Bfloat16, onnx.Double:
		if n > 1 {
			shape := make([]int, len(t.Dims))
			for i, d := range t.Dims {
				shape[i] = int(d)
			}
			return &specValue{Array: fold.Unknown(t.Type, shape...), kind: parameter, param: &view{tensor: t}}, nil
		}
	case onnx.String:
		return nil, fmt.Errorf("a tensor of strings has no place in an encoder")
	}
	a, err := fold.FromTensor(t)
	if err != nil {
		return nil, err
	}
	return &specValue{Array: a, kind: constant}, nil
}

// eval gives the outputs of a node their shapes, and their elements where they are constant.
func (s *spec) eval(n *onnx.Node) error {
	opset, err := s.g.opset(n)
	if err != nil {
		return err
	}
	f, err := fold.Lookup(n, opset)
	if err != nil {
		return err
	}
	c := fold.Call{Node: n, In: make([]*fold.Array, len(n.Inputs))}
	kind := constant
	for i, name := range n.Inputs {
		if name == "" {
			continue
		}
		v := s.values[s.g.resolve(name)]
		if v == nil {
			return fmt.Errorf("%v: input %q has no shape", n, name)
		}
		c.In[i] = v.Array
		kind = max(kind, v.kind)
	}
	if n.Domain == "" && (n.OpType == "Shape" || n.OpType == "Size") {
		kind = constant // whatever it is the shape of
	}
	if kind == parameter {
		if v := s.turn(n); v != nil {
			s.values[n.Outputs[0]] = v
			return nil
		}
		kind = activation
	}
	out, err := f(c)
	if err != nil {
		return fmt.Errorf("%v (opset %d): %w", n, opset, err)
	}
	for i, name := range n.Outputs {
		if name == "" {
			continue
		}
		if i >= len(out) {
			return fmt.Errorf("%v (opset %d): output %d is not known", n, opset, i)
		}
		v := &specValue{Array: out[i], kind: kind}
		if v.Known() && kind == index {
			v.kind = constant
		}
		s.values[name] = v
	}
	if kind == activation {
		s.activations = append(s.activations, n)
	}
	return nil
}

// turn follows a weight through a node that only transposes or converts it.
func (s *spec) turn(n *onnx.Node) *specValue {
	if n.Domain != "" || len(n.Inputs) != 1 {
		return nil
	}
	v := s.values[s.g.resolve(n.Inputs[0])]
	switch n.OpType {
	case "Cast":
		if a := n.Attribute("to"); a != nil && isFloat(onnx.DataType(a.I)) {
			return &specValue{Array: fold.Unknown(onnx.DataType(a.I), v.Shape...), kind: parameter, param: v.param}
		}
	case "Transpose":
		if p := n.Attribute("perm"); len(v.Shape) == 2 && (p == nil || len(p.Ints) == 2 && p.Ints[0] == 1 && p.Ints[1] == 0) {
			return &specValue{Array: fold.Unknown(v.Type, v.Shape[1], v.Shape[0]), kind: parameter,
				param: &view{v.param.tensor, !v.param.trans}}
		}
	}
	return nil
}

func isFloat(t onnx.DataType) bool {
	return t == onnx.Float || t == onnx.Float16 || t == onnx.Bfloat16 || t == onnx.Double
}

// value returns a value by any of its names.
func (s *spec) value(name string) *specValue { return s.values[s.g.resolve(name)] }

// compute evaluates index values for given model inputs. Results are kept in memo, which the caller starts with the
// inputs.
func (s *spec) compute(name string, memo map[string]*fold.Array) (*fold.Array, error) {
	name = s.g.resolve(name)
	if a := memo[name]; a != nil {
		return a, nil
	}
	v := s.values[name]
	if v == nil {
		return nil, fmt.Errorf("the value %q is not known", name)
	}
	if v.Known() {
		return v.Array, nil
	}
	n := s.g.maker[name]
	if v.kind != index || n == nil {
		return nil, fmt.Errorf("the value %q cannot be computed from the model's inputs", name)
	}
	opset, err := s.g.opset(n)
	if err != nil {
		return nil, err
	}
	f, err := fold.Lookup(n, opset)
	if err != nil {
		return nil, err
	}
	c := fold.Call{Node: n, In: make([]*fold.Array, len(n.Inputs))}
	for i, in := range n.Inputs {
		if in == "" {
			continue
		}
		if c.In[i], err = s.compute(in, memo); err != nil {
			return nil, err
		}
	}
	out, err := f(c)
	if err != nil {
		return nil, fmt.Errorf("%v (opset %d): %w", n, opset, err)
	}
	for i, o := range n.Outputs {
		if o == "" || i >= len(out) {
			continue
		}
		if !out[i].Known() {
			return nil, fmt.Errorf("%v (opset %d): this operator cannot be computed on the host", n, opset)
		}
		memo[o] = out[i]
	}
	return memo[name], nil
}
