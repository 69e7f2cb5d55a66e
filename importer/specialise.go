package importer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// spec is a graph specialised to one batch size and sequence length: every shape is fixed, and what depends on shapes
// and constants alone is computed.
type spec struct {
	g          *graph
	batch, seq int
	values     map[string]*specValue
	folded     int  // elements computed so far
	exact      bool // weights and activations have the file's types; else all of them are Float
}

// maxFolded bounds the elements that one specialisation computes, all arrays together: what a few nodes of a hostile
// model ask for would otherwise fill the memory.
const maxFolded = 1 << 25

// specValue is a value of a specialised graph.
type specValue struct {
	*fold.Array
	kind  valueKind
	param *view // of kind parameter; also of a constant that is an initialiser of one element, such as a bias
	// Elements depend on no input's but positions: on shapes, constants and weights alone.
	positional bool
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

// array is the weight's elements as the node sees them.
func (v *view) array(t onnx.DataType) (*fold.Array, error) {
	a, err := fold.FromTensor(v.tensor)
	if err != nil || !v.trans {
		return a.As(t), err
	}
	rows, cols := a.Shape[0], a.Shape[1]
	x := make([]float64, len(a.Floats))
	for i, f := range a.Floats {
		x[i%cols*rows+i/cols] = f
	}
	return &fold.Array{Type: t, Shape: []int{cols, rows}, Floats: x}, nil
}

// specialise fixes the shapes for batches of batch sequences of seq tokens. Only nodes that want asks for are
// evaluated; nil asks for all.
func (g *graph) specialise(batch, seq int, want func(*onnx.Node) bool) (*spec, error) {
	return (&spec{g: g, batch: batch, seq: seq, values: map[string]*specValue{}}).run(want)
}

func (s *spec) run(want func(*onnx.Node) bool) (*spec, error) {
	g := s.g
	for _, in := range g.inputs {
		a, err := s.input(in)
		if err != nil {
			return nil, err
		}
		s.values[in.Name] = &specValue{Array: a, kind: index, positional: in.Name == positionIDs}
	}
	for _, n := range g.nodes {
		if want != nil && !want(n) || s.g.skips(n) {
			continue
		}
		if err := s.eval(n); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// modelInputs are the inputs that a batch has values for.
var modelInputs = []string{"input_ids", "attention_mask", "token_type_ids", positionIDs}

// input is the shape of a model input: [batch, sequence], where the file does not fix other sizes.
func (s *spec) input(in *onnx.ValueInfo) (*fold.Array, error) {
	if !slices.Contains(modelInputs, in.Name) {
		return nil, fmt.Errorf("the model has an input %q; graft knows %s", in.Name, strings.Join(modelInputs, ", "))
	}
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
	if t := in.Type.Tensor.Elem; t != onnx.Int64 && t != onnx.Int32 {
		return nil, fmt.Errorf("input %q has the type %v, want int64", in.Name, in.Type)
	}
	return fold.Unknown(in.Type.Tensor.Elem, s.batch, s.seq), nil
}

// maxQuantised is the size from which small integers are a quantised weight, not a constant of shapes or masks.
const maxQuantised = 1 << 12

// weight makes a value of an initialiser: a parameter if it is a floating-point tensor of several elements, else a
// constant.
func (s *spec) weight(t *onnx.Tensor) (*specValue, error) {
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
			typ := onnx.Float
			if s.exact {
				typ = t.Type
			}
			return &specValue{Array: fold.Unknown(typ, shape...), kind: parameter, param: &view{tensor: t}, positional: true}, nil
		}
	}
	if n > maxQuantised && isQuantised(t.Type) {
		shape := make([]int, len(t.Dims))
		for i, d := range t.Dims {
			shape[i] = int(d)
		}
		return &specValue{Array: fold.Unknown(t.Type, shape...), kind: activation}, nil
	}
	a, err := fold.FromTensor(t)
	if err != nil {
		return nil, err
	}
	v := &specValue{Array: a, kind: constant, positional: true}
	if isFloat(t.Type) && n == 1 {
		v.param = &view{tensor: t}
	}
	return v, nil
}

// operand is the value of a node's input: one made before, or an initialiser.
func (s *spec) operand(name string) (*specValue, error) {
	name = s.g.resolve(name)
	if v := s.values[name]; v != nil {
		return v, nil
	}
	t := s.g.inits[name]
	if t == nil {
		return nil, fmt.Errorf("input %q has no shape", name)
	}
	v, err := s.weight(t)
	if err != nil {
		return nil, fmt.Errorf("initialiser %q: %w", name, err)
	}
	s.values[name] = v
	return v, nil
}

// eval gives the outputs of a node their shapes, and their elements where they are constant.
func (s *spec) eval(n *onnx.Node) error {
	inputs := make([]*fold.Array, len(n.Inputs))
	kind, positional := constant, true
	for i, name := range n.Inputs {
		if name == "" {
			continue
		}
		v, err := s.operand(name)
		if err != nil {
			return fmt.Errorf("%v: %w", n, err)
		}
		inputs[i] = v.Array
		kind, positional = max(kind, v.kind), positional && v.positional
	}
	if n.Domain == "" && (n.OpType == "Shape" || n.OpType == "Size") {
		kind, positional = constant, true // whatever it is the shape of
	}
	if kind == parameter {
		if v := s.turn(n); v != nil && n.Outputs[0] != "" {
			s.values[n.Outputs[0]] = v
			return nil
		}
		kind = activation
	}
	plain := kind == activation && !s.exact
	if plain {
		inputs = float32s(inputs)
	}
	out, err := s.call(n, inputs)
	if err != nil {
		return err
	}
	if plain {
		out = float32s(out)
	}
	for i, name := range n.Outputs {
		if name == "" {
			continue
		}
		if i >= len(out) {
			return s.errorf(n, "output %d is not known", i)
		}
		v := &specValue{Array: out[i], kind: kind, positional: positional}
		if v.Known() && (kind == index || v.Size() == 0) {
			v.kind = constant
		}
		s.values[name] = v
	}
	return nil
}

// float32s gives floating-point arrays the type that our networks compute in, whatever the file's is.
func float32s(in []*fold.Array) []*fold.Array { return retyped(in, isFloat) }

// retyped gives arrays of some floating-point types the type float32.
func retyped(in []*fold.Array, which func(onnx.DataType) bool) []*fold.Array {
	out := slices.Clone(in)
	for i, a := range in {
		if a == nil || !which(a.Type) || a.Type == onnx.Float {
			continue
		}
		b := fold.Unknown(onnx.Float, a.Shape...)
		for _, v := range a.Floats {
			b.Floats = append(b.Floats, float64(float32(v)))
		}
		if a.Floats != nil && b.Floats == nil {
			b.Floats = []float64{}
		}
		out[i] = b
	}
	return out
}

// call applies a node to arrays. Half precision is computed in float32 without rounding in between, as onnxruntime does on
// CPUs, which for most operators have no other kernel: where a logarithm is cut to an integer, as that of a distance to its
// bucket, it shows.
func (s *spec) call(n *onnx.Node, in []*fold.Array) ([]*fold.Array, error) {
	f, err := s.g.function(n)
	if err != nil {
		return nil, err
	}
	if !s.exact {
		in = retyped(in, isHalf)
	}
	out, err := f(fold.Call{Node: n, In: in})
	if err != nil {
		return nil, s.errorf(n, "%w", err)
	}
	if !s.exact {
		out = retyped(out, isHalf)
	}
	for _, a := range out {
		if a.Known() {
			s.folded += a.Size()
		}
	}
	if s.folded > maxFolded {
		return nil, s.errorf(n, "the graph's constants are too large to fold")
	}
	return out, nil
}

// errorf names the node with its opset.
func (s *spec) errorf(n *onnx.Node, format string, args ...any) error {
	opset, _ := s.g.opset(n) // which it has, or there would be no spec
	return fmt.Errorf("%v (opset %d): %w", n, opset, fmt.Errorf(format, args...))
}

// turn follows a weight through a node that only transposes or converts it, or takes a part of it.
func (s *spec) turn(n *onnx.Node) *specValue {
	if n.Domain != "" || len(n.Inputs) == 0 {
		return nil
	}
	v := s.values[s.g.resolve(n.Inputs[0])]
	if n.OpType == "Slice" && v != nil {
		return s.part(n, v)
	}
	if len(n.Inputs) != 1 {
		return nil
	}
	switch n.OpType {
	case "Cast":
		a := n.Attribute("to")
		if a == nil {
			return nil
		}
		if to := onnx.DataType(a.I); to == v.Type || to == onnx.Float || isFloat(to) && to.Bits() > v.param.tensor.Type.Bits() { // and loses nothing
			if !s.exact {
				to = onnx.Float
			}
			return &specValue{Array: fold.Unknown(to, v.Shape...), kind: parameter, param: v.param, positional: true}
		}
	case "Transpose":
		if p := n.Attribute("perm"); len(v.Shape) == 2 && (p == nil || slices.Equal(p.Ints, []int64{1, 0})) {
			return &specValue{Array: fold.Unknown(v.Type, v.Shape[1], v.Shape[0]), kind: parameter,
				param: &view{v.param.tensor, !v.param.trans}, positional: true}
		}
	}
	return nil
}

func isHalf(t onnx.DataType) bool { return t == onnx.Float16 || t == onnx.Bfloat16 }

func isFloat(t onnx.DataType) bool {
	return t == onnx.Float || t == onnx.Float16 || t == onnx.Bfloat16 || t == onnx.Double
}

// value returns a value by any of its names.
func (s *spec) value(name string) *specValue { return s.values[s.g.resolve(name)] }

// compute evaluates values for given model inputs, weights among what they are made of included. Results are kept in
// memo, which the caller starts with the inputs.
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
	if v.kind == parameter {
		a, err := v.param.array(v.Type)
		if err != nil {
			return nil, fmt.Errorf("the weight %q: %w", name, err)
		}
		memo[name] = a
		return a, nil
	}
	n := s.g.maker[name]
	if v.kind == constant || n == nil {
		return nil, fmt.Errorf("the value %q cannot be computed from the model's inputs", name)
	}
	inputs := make([]*fold.Array, len(n.Inputs))
	for i, in := range n.Inputs {
		if in == "" {
			continue
		}
		var err error
		if inputs[i], err = s.compute(in, memo); err != nil {
			return nil, err
		}
	}
	out, err := s.call(n, inputs)
	if err != nil {
		return nil, err
	}
	for i, o := range n.Outputs {
		if o != "" && i < len(out) && out[i].Known() {
			memo[o] = out[i]
		}
	}
	if memo[name] == nil {
		return nil, s.errorf(n, "this operator cannot be computed on the host")
	}
	return memo[name], nil
}
