// Package build makes ONNX graphs in code:
//
//	b := build.New(17)
//	x := b.Input("x", onnx.Float, "batch", 4)
//	w := b.Initializer("w", []int64{4, 3}, weights)
//	y := b.In("layer").Node("MatMul", []string{x, w}) // "/layer/MatMul", giving "/layer/MatMul_output_0"
//	b.Output(b.Node("Softmax", []string{y}, build.Int("axis", -1), build.To("y")), onnx.Float, "batch", 3)
//	m, err := b.Model()
//
// Nodes and values are named as torch.onnx.export names them, by scope and operator. A fault, such as an input that
// nothing gives, is kept and returned by Model; until then every call may go on.
package build

import (
	"fmt"
	"strings"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// Builder adds to a graph, under a scope of names.
type Builder struct {
	*state
	scope string
}

// state is what the builders of one graph share.
type state struct {
	graph  *onnx.Graph
	opset  int64
	outer  *state          // of the graph that a sub-graph stands in
	known  map[string]bool // values that nodes may read
	names  *names
	domain map[string]int64 // beside the default one
	order  []string         // of the domains
	err    error
}

// names are shared with sub-graphs, so that no name comes twice in a model.
type names struct {
	taken map[string]bool // node names
	used  map[string]int  // how many names began so
}

// New starts a graph of a version of the default operator set.
func New(opset int64) *Builder {
	return &Builder{state: newState(opset, "main_graph", &names{taken: map[string]bool{}, used: map[string]int{}})}
}

func newState(opset int64, name string, n *names) *state {
	return &state{graph: &onnx.Graph{Name: name}, opset: opset, known: map[string]bool{}, names: n,
		domain: map[string]int64{}}
}

// In returns a builder of the same graph whose names stand in a scope below b's.
func (b *Builder) In(scope ...string) *Builder {
	return &Builder{state: b.state, scope: strings.Join(append([]string{b.scope}, scope...), "/")}
}

// Sub starts a sub-graph, for the attribute of an If, Loop or Scan. Its nodes may read what b's graph has so far.
func (b *Builder) Sub(name string) *Builder {
	s := newState(b.opset, name, b.names)
	s.outer = b.state
	return &Builder{state: s, scope: b.scope}
}

// Opset is the version of the default operator set.
func (b *Builder) Opset() int64 { return b.opset }

// failf keeps the first fault.
func (s *state) failf(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("building %s: %w", s.graph.Name, fmt.Errorf(format, args...))
	}
}

// add makes a value known.
func (s *state) add(value string) {
	if value != "" && s.knows(value) {
		s.failf("the value %q is given twice", value)
	}
	s.known[value] = true
}

func (s *state) knows(value string) bool {
	return s.known[value] || s.outer != nil && s.outer.knows(value)
}

// Info is a value's name and type. A dimension is an int or int64 (fixed), a string (symbolic, "" for unknown) or an
// onnx.Dim; none are a scalar.
func Info(name string, typ onnx.DataType, dims ...any) (*onnx.ValueInfo, error) {
	shape := &onnx.Shape{}
	for _, d := range dims {
		switch d := d.(type) {
		case int:
			shape.Dims = append(shape.Dims, onnx.FixedDim(int64(d)))
		case int64:
			shape.Dims = append(shape.Dims, onnx.FixedDim(d))
		case string:
			shape.Dims = append(shape.Dims, onnx.SymbolicDim(d))
		case onnx.Dim:
			shape.Dims = append(shape.Dims, d)
		default:
			return nil, fmt.Errorf("%q: a dimension cannot be a %T", name, d)
		}
	}
	return &onnx.ValueInfo{Name: name, Type: &onnx.Type{Tensor: &onnx.TensorType{Elem: typ, Shape: shape}}}, nil
}

// Input adds an input of the graph, with dimensions as Info takes them, and returns its name.
func (b *Builder) Input(name string, typ onnx.DataType, dims ...any) string {
	info, err := Info(name, typ, dims...)
	if err != nil {
		b.failf("input %w", err)
	}
	b.add(name)
	b.graph.Inputs = append(b.graph.Inputs, info)
	return name
}

// Output makes a value an output of the graph, with dimensions as Info takes them.
func (b *Builder) Output(name string, typ onnx.DataType, dims ...any) {
	info, err := Info(name, typ, dims...)
	if err != nil {
		b.failf("output %w", err)
	}
	if !b.known[name] {
		b.failf("nothing gives the output %q", name)
	}
	b.graph.Outputs = append(b.graph.Outputs, info)
}

// Initializer adds a tensor of data, as onnx.NewTensor takes it, and returns its name.
func (b *Builder) Initializer(name string, dims []int64, data any) string {
	t, err := onnx.NewTensor(name, dims, data)
	if err != nil {
		b.failf("%w", err)
		t = &onnx.Tensor{Name: name}
	}
	return b.Tensor(t)
}

// Tensor adds a tensor as an initialiser and returns its name. Added under the name of an input, it is that input's
// default.
func (b *Builder) Tensor(t *onnx.Tensor) string {
	if b.input(t.Name) && b.graph.Initializer(t.Name) == nil {
		b.graph.Initializers = append(b.graph.Initializers, t)
		return t.Name
	}
	b.add(t.Name)
	b.graph.Initializers = append(b.graph.Initializers, t)
	return t.Name
}

func (b *Builder) input(name string) bool {
	for _, v := range b.graph.Inputs {
		if v.Name == name {
			return true
		}
	}
	return false
}

// Constant adds a Constant node of data, as onnx.NewTensor takes it, and returns its output.
func (b *Builder) Constant(dims []int64, data any, options ...Option) string {
	t, err := onnx.NewTensor("", dims, data)
	if err != nil {
		b.failf("%w", err)
		t = &onnx.Tensor{}
	}
	return b.Node("Constant", nil, append([]Option{Tensor("value", t)}, options...)...)
}

// Node adds a node of one output and returns the output's name.
func (b *Builder) Node(op string, inputs []string, options ...Option) string {
	return b.Nodes(op, 1, inputs, options...)[0]
}

// Nodes adds a node of several outputs and returns their names.
func (b *Builder) Nodes(op string, outputs int, inputs []string, options ...Option) []string {
	n := &onnx.Node{OpType: op, Inputs: inputs}
	s := &settings{node: n, builder: b}
	for _, set := range options {
		set(s)
	}
	if n.Name == "" {
		n.Name = b.fresh(b.scope + "/" + op)
	}
	if b.names.taken[n.Name] {
		b.failf("two nodes are named %q", n.Name)
	}
	b.names.taken[n.Name] = true
	for _, in := range inputs {
		if in != "" && !b.knows(in) {
			b.failf("%v reads %q, which nothing gives", n, in)
		}
	}
	for i := len(n.Outputs); i < outputs; i++ {
		n.Outputs = append(n.Outputs, fmt.Sprintf("%s_output_%d", n.Name, i))
	}
	if len(n.Outputs) != outputs {
		b.failf("%v has %d outputs, but %d names for them", n, outputs, len(n.Outputs))
		n.Outputs = append(n.Outputs, make([]string, max(0, outputs-len(n.Outputs)))...)
	}
	for _, out := range n.Outputs {
		b.add(out)
	}
	b.graph.Nodes = append(b.graph.Nodes, n)
	return n.Outputs
}

// fresh is a name that no node has: the base, then base_1, base_2 …
func (b *Builder) fresh(base string) string {
	for {
		name, k := base, b.names.used[base]
		if b.names.used[base]++; k > 0 {
			name = fmt.Sprintf("%s_%d", base, k)
		}
		if !b.names.taken[name] {
			return name
		}
	}
}

// Graph returns the graph, or the first fault.
func (b *Builder) Graph() (*onnx.Graph, error) {
	if b.err != nil {
		return nil, b.err
	}
	return b.graph, nil
}

// Model returns a model of the graph, or the first fault. Its IR version is the one that came with the operator set.
func (b *Builder) Model() (*onnx.Model, error) {
	g, err := b.Graph()
	if err != nil {
		return nil, err
	}
	m := &onnx.Model{IRVersion: IRVersion(b.opset), ProducerName: "graft", Graph: g}
	m.OpsetImport = append(m.OpsetImport, onnx.OperatorSet{Version: b.opset})
	for _, d := range b.order {
		m.OpsetImport = append(m.OpsetImport, onnx.OperatorSet{Domain: d, Version: b.domain[d]})
	}
	return m, nil
}

// IRVersion is the IR version of the ONNX release that brought a version of the default operator set, as the table
// "Released Versions" of ONNX's Versioning.md has it.
func IRVersion(opset int64) int64 {
	for _, r := range []struct{ opset, ir int64 }{
		{28, 14}, {25, 13}, {24, 12}, {23, 11}, {21, 10}, {19, 9}, {15, 8}, {12, 7}, {11, 6}, {10, 5}, {9, 4},
	} {
		if opset >= r.opset {
			return r.ir
		}
	}
	return 3
}
