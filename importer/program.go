package importer

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// Nodewise is a network taken node by node, as it runs where its blocks are not recognised: on padded batches, a
// Program for each shape of them.
type Nodewise struct {
	Weights []*Weight // in the order of first use, by all programs so far

	g       *graph
	weights map[*onnx.Tensor]*Weight
	taken   map[string]*Weight // by name
}

// Program is a network for inputs of fixed shapes. Shapes, and what depends on shapes and constants alone, are
// computed; what depends on integer inputs too is left to Host, for each batch; Steps are the rest, in order.
type Program struct {
	Inputs  []Operand // of floating-point numbers, which are fed
	Steps   []Step
	Outputs []Operand // the graph's, in its order

	spec  *spec
	hosts []string // the values that Host computes
}

// Step is a node that computes with floating-point inputs or weights.
type Step struct {
	Node  *onnx.Node
	Opset int64
	In    []Operand // of source Absent where left out
	Out   []Operand // likewise
}

// Operand is what a step reads, or what it makes.
type Operand struct {
	Source Source
	Name   string      // the value's in the file; what copies another value has that one's
	Array  *fold.Array // its type and shape, and its elements if it is Constant
	Weight *Weight     // if it is a Parameter
	Trans  bool        // the parameter stands transposed
}

// Source is where an operand's elements come from.
type Source int

const (
	Absent    Source = iota // it is left out
	Constant                // they are known
	Host                    // Program.Host computes them from the integer inputs
	Parameter               // it is a weight
	Computed                // a step makes it, or it is a floating-point input
)

// NewNodewise takes a model node by node. It fails for operators that are not known.
func NewNodewise(m *onnx.Model) (*Nodewise, error) {
	g, err := linked(m)
	if err != nil {
		return nil, err
	}
	g.whole = true
	return &Nodewise{g: g, weights: map[*onnx.Tensor]*Weight{}, taken: map[string]*Weight{}}, nil
}

// Program specialises the network for inputs of the types and shapes of arrays, whose elements do not matter, and for
// those outputs; none stands for all of the graph's.
func (n *Nodewise) Program(inputs map[string]*fold.Array, outputs ...string) (*Program, error) {
	p := &Program{spec: &spec{g: n.g, values: map[string]*specValue{}}}
	for _, in := range n.g.inputs {
		a := inputs[in.Name]
		if a == nil {
			return nil, fmt.Errorf("the input %q is missing", in.Name)
		}
		v := &specValue{Array: fold.Unknown(a.Type, a.Shape...), kind: index}
		switch {
		case isFloat(a.Type) && a.Size() == 0:
			v.kind, v.Floats = constant, []float64{}
		case isFloat(a.Type):
			v.kind = activation
			p.Inputs = append(p.Inputs, Operand{Source: Computed, Name: in.Name, Array: v.Array})
		}
		p.spec.values[in.Name] = v
	}
	if len(outputs) == 0 {
		for _, o := range n.g.model.Graph.Outputs {
			outputs = append(outputs, o.Name)
		}
	}
	need, _ := n.g.closure(outputs...)
	hosts := map[string]bool{}
	for _, node := range n.g.nodes {
		if !need[node] || n.g.skips(node) {
			continue
		}
		if err := p.spec.eval(node); err != nil {
			return nil, err
		}
		if !p.computed(node) {
			continue
		}
		s, err := n.step(p.spec, node)
		if err != nil {
			return nil, err
		}
		for _, o := range s.In {
			hosts[o.Name] = hosts[o.Name] || o.Source == Host
		}
		p.Steps = append(p.Steps, s)
	}
	for _, name := range outputs {
		o, err := n.operand(p.spec, name, nil)
		if err != nil {
			return nil, fmt.Errorf("output %q: %w", name, err)
		}
		hosts[o.Name] = hosts[o.Name] || o.Source == Host
		p.Outputs = append(p.Outputs, o)
	}
	for _, name := range slices.Sorted(maps.Keys(hosts)) {
		if hosts[name] {
			p.hosts = append(p.hosts, name)
		}
	}
	return p, nil
}

// computed tells whether a node makes anything that depends on weights or floating-point inputs.
func (p *Program) computed(n *onnx.Node) bool {
	return slices.ContainsFunc(n.Outputs, func(name string) bool {
		v := p.spec.values[name]
		return name != "" && v != nil && v.kind == activation
	})
}

// step collects a node's operands.
func (n *Nodewise) step(s *spec, node *onnx.Node) (Step, error) {
	opset, err := n.g.opset(node)
	if err != nil {
		return Step{}, err
	}
	out := Step{Node: node, Opset: opset}
	for _, name := range node.Inputs {
		o, err := n.operand(s, name, node)
		if err != nil {
			return out, s.errorf(node, "%w", err)
		}
		out.In = append(out.In, o)
	}
	for _, name := range node.Outputs {
		o := Operand{}
		if name != "" {
			o = Operand{Source: Computed, Name: name, Array: s.values[name].Array}
		}
		out.Out = append(out.Out, o)
	}
	return out, nil
}

// operand describes a value as user needs it.
func (n *Nodewise) operand(s *spec, name string, user *onnx.Node) (Operand, error) {
	if name == "" {
		return Operand{}, nil
	}
	v, err := s.operand(name)
	if err != nil {
		return Operand{}, err
	}
	o := Operand{Name: n.g.resolve(name), Array: v.Array}
	switch {
	case v.Known():
		o.Source = Constant
	case v.kind == index:
		o.Source = Host
	case v.kind == parameter:
		o.Source, o.Trans = Parameter, v.param.trans
		if o.Weight, err = n.weight(v.param.tensor, user); err != nil {
			return o, err
		}
	default:
		o.Source = Computed
	}
	return o, nil
}

// weight is the parameter of an initialiser, under a name that no other has: its own, that of its first user's module,
// or the file's. Where another weight has the name and equal elements, it is that one: exporters may write a matrix once
// for each layer that shares it.
func (n *Nodewise) weight(t *onnx.Tensor, user *onnx.Node) (*Weight, error) {
	if w := n.weights[t]; w != nil {
		return w, nil
	}
	w := &Weight{Tensor: t, numbers: sync.OnceValues(t.Float32s)}
	for _, name := range append(n.names(t, user), t.Name) {
		other := n.taken[name]
		if other != nil && sameTensor(other.Tensor, t) {
			other.Copies = append(other.Copies, t)
			n.weights[t] = other
			return other, nil
		}
		if name != "" && other == nil && (n.g.inits[name] == nil || n.g.inits[name] == t) {
			w.Name = name
			break
		}
	}
	if w.Name == "" {
		return nil, fmt.Errorf("two weights would be called %q", t.Name)
	}
	n.taken[w.Name] = w
	for _, d := range t.Dims {
		w.Shape = append(w.Shape, int(d))
	}
	n.weights[t] = w
	n.Weights = append(n.Weights, w)
	return w, nil
}

// names lists what a weight may be called by its first user, the most trustworthy first.
func (n *Nodewise) names(t *onnx.Tensor, user *onnx.Node) []string {
	if user == nil {
		return nil
	}
	if _, ok := mapping(user); ok && len(t.Dims) == 2 {
		return n.g.linearNames(t, n.g.biasOf(user), user, false)
	}
	kind := "weight"
	if user.OpType == "Add" {
		kind = "bias"
	}
	return []string{parameterName(t.Name, user, kind)}
}

// Host computes the elements of the operands of source Host from those of the integer inputs.
func (p *Program) Host(inputs map[string]*fold.Array) (map[string]*fold.Array, error) {
	s := *p.spec
	s.folded = 0
	memo := map[string]*fold.Array{}
	for name, v := range s.values {
		if !s.g.input(name) || v.kind != index {
			continue
		}
		a := inputs[name]
		switch {
		case a == nil || !a.Known():
			return nil, fmt.Errorf("the input %q is missing", name)
		case a.Type != v.Type || !slices.Equal(a.Shape, v.Shape):
			return nil, fmt.Errorf("the input %q is %v, want %v", name, a, v.Array)
		}
		memo[name] = a
	}
	for _, name := range p.hosts {
		if _, err := s.compute(name, memo); err != nil {
			return nil, err
		}
	}
	return memo, nil
}

// Bound returns an error where the steps compute more than limit numbers in all.
func (p *Program) Bound(limit int) error {
	total := 0
	for _, s := range p.Steps {
		for _, o := range s.Out {
			if o.Source == Absent {
				continue
			}
			if total += o.Array.Size(); total > limit {
				return s.Errorf("up to here the graph computes more than %d numbers for a small batch: it is too large to run", limit)
			}
		}
	}
	return nil
}

// Fold applies a step's operator to arrays, some of whose elements may not be known.
func (s Step) Fold(in []*fold.Array) ([]*fold.Array, error) {
	f, err := fold.Lookup(s.Node, s.Opset)
	if err != nil {
		return nil, err
	}
	return f(fold.Call{Node: s.Node, In: in})
}

// Errorf is an error that names the node and its opset.
func (s Step) Errorf(format string, args ...any) error {
	return fmt.Errorf("%v (opset %d): %w", s.Node, s.Opset, fmt.Errorf(format, args...))
}
