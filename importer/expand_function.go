package importer

import (
	"fmt"
	"slices"

	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// functionKey is what a node calls a local function by.
type functionKey struct{ domain, name, overload string }

func keyOf(n *onnx.Node) functionKey { return functionKey{canonical(n.Domain), n.OpType, n.Overload} }

// addFunctions collects the model's local functions. Their operators must mean what the model's do, whose opsets may be
// others.
func (x *expander) addFunctions() error {
	for i, f := range x.model.Functions {
		if f == nil {
			return fmt.Errorf("function %d is empty", i)
		}
		key := functionKey{canonical(f.Domain), f.Name, f.Overload}
		if x.functions[key] != nil {
			return fmt.Errorf("the function %s.%s is defined twice", f.Domain, f.Name)
		}
		x.functions[key] = f
	}
	for _, f := range x.functions {
		for _, o := range f.OpsetImport {
			if _, known := x.model.Opset(o.Domain); !known {
				x.model.OpsetImport = append(x.model.OpsetImport, o)
			}
		}
	}
	return nil
}

// sameMeaning checks that a node of a function means the same at the model's opset as at the function's.
func (x *expander) sameMeaning(f *onnx.Function, n *onnx.Node) error {
	if x.functions[keyOf(n)] != nil {
		return nil
	}
	i := slices.IndexFunc(f.OpsetImport, func(o onnx.OperatorSet) bool { return canonical(o.Domain) == n.Domain })
	if i < 0 {
		return fmt.Errorf("the function %s imports no opset of the domain %q", f.Name, n.Domain)
	}
	own := f.OpsetImport[i].Version
	if model, _ := x.model.Opset(n.Domain); !fold.SameMeaning(n, own, model) {
		return fmt.Errorf("%v stands in the function %s at opset %d and changes its meaning up to the model's %d", n, f.Name,
			own, model)
	}
	return nil
}

// inline returns the nodes of a call of a function, with names of their own.
func (x *expander) inline(call *onnx.Node, f *onnx.Function) ([]*onnx.Node, error) {
	if len(call.Inputs) > len(f.Inputs) || len(call.Outputs) > len(f.Outputs) {
		return nil, fmt.Errorf("it has %d inputs and %d outputs, the function %d and %d", len(call.Inputs), len(call.Outputs),
			len(f.Inputs), len(f.Outputs))
	}
	s := &scoped{x: x, to: map[string]string{"": ""}, attributes: map[string]*onnx.Attribute{}}
	for i, name := range f.Inputs {
		s.to[name] = ""
		if i < len(call.Inputs) {
			s.to[name] = call.Inputs[i]
		}
	}
	for _, a := range slices.Concat(f.Attributes, call.Attributes) {
		if a != nil {
			s.attributes[a.Name] = a
		}
	}
	var copies []*onnx.Node
	for i, out := range call.Outputs {
		name := f.Outputs[i]
		if to, taken := s.to[name]; taken && out != "" { // it hands an input on, or gives one value twice
			copies = append(copies, &onnx.Node{OpType: "Identity", Name: call.Name, Inputs: []string{to}, Outputs: []string{out}})
		} else if out != "" {
			s.to[name] = out
		}
	}
	prefix := call.Name
	if prefix == "" {
		prefix = f.Name
	}
	var nodes []*onnx.Node
	inner, err := x.ordered(f, f.Nodes)
	if err != nil {
		return nil, fmt.Errorf("the function %s: %w", f.Name, err)
	}
	for _, n := range inner {
		if n == nil {
			return nil, fmt.Errorf("a node of the function %s is empty", f.Name)
		}
		c, err := s.node(n, prefix)
		if err != nil {
			return nil, err
		}
		if err := x.sameMeaning(f, c); err != nil {
			return nil, err
		}
		if c.Name != "" {
			c.Name = x.freshNode(prefix + "/" + c.Name)
		}
		nodes = append(nodes, c)
	}
	return append(nodes, copies...), nil
}

// scoped copies nodes of a function or a branch to the graph that it is inlined into.
type scoped struct {
	x          *expander
	to         map[string]string          // its names → the graph's
	attributes map[string]*onnx.Attribute // of the function's caller
}

// node is a copy of a node whose inputs are known and whose outputs get names of the graph.
func (s *scoped) node(n *onnx.Node, prefix string) (*onnx.Node, error) {
	if err := s.x.spend(1 + len(n.Inputs) + len(n.Outputs) + len(n.Attributes)); err != nil {
		return nil, err
	}
	if err := shortNames(n); err != nil {
		return nil, err
	}
	c := *n
	c.Domain = canonical(n.Domain)
	c.Inputs, c.Outputs = slices.Clone(n.Inputs), slices.Clone(n.Outputs)
	for i, name := range c.Inputs {
		to, ok := s.to[name]
		if !ok && s.attributes != nil { // a function sees nothing of the graph around
			return nil, fmt.Errorf("%v: nothing makes the input %q", n, name)
		}
		if ok {
			c.Inputs[i] = to
		}
	}
	var err error
	if c.Attributes, err = s.list(n.Attributes, s.to); err != nil {
		return nil, fmt.Errorf("%v: %w", n, err)
	}
	for i, name := range c.Outputs {
		if name == "" {
			continue
		}
		if _, ok := s.to[name]; !ok {
			if like := name; s.attributes == nil {
				s.to[name] = s.x.fresh(like)
			} else {
				s.to[name] = s.x.fresh(prefix + "/" + like)
			}
		}
		c.Outputs[i] = s.to[name]
	}
	return &c, nil
}

// list copies attributes: those that refer to the caller's get its values, sub-graphs the names of the graph.
func (s *scoped) list(as []*onnx.Attribute, to map[string]string) ([]*onnx.Attribute, error) {
	var out []*onnx.Attribute
	for _, a := range as {
		if a == nil {
			continue
		}
		c := *a
		if a.RefAttrName != "" {
			given := s.attributes[a.RefAttrName]
			if given == nil { // neither given nor with a default: the operator's own applies
				continue
			}
			c = *given
			c.Name, c.RefAttrName = a.Name, ""
		}
		if len(a.Graphs) > 0 {
			return nil, fmt.Errorf("the attribute %q holds several graphs", a.Name)
		}
		if c.G != nil {
			g, err := s.graph(c.G, to)
			if err != nil {
				return nil, err
			}
			c.G = g
		}
		out = append(out, &c)
	}
	return out, nil
}

// graph copies a sub-graph, giving what it reads of the graphs around it their new names.
func (s *scoped) graph(g *onnx.Graph, around map[string]string) (*onnx.Graph, error) {
	if err := s.x.spend(1 + len(around)); err != nil {
		return nil, err
	}
	to := map[string]string{}
	for k, v := range around {
		to[k] = v
	}
	for _, in := range g.Inputs {
		delete(to, in.Name)
	}
	for _, t := range g.Initializers {
		if t != nil {
			delete(to, t.Name)
		}
	}
	c := *g
	c.Nodes = nil
	nodes, err := s.x.ordered(g, g.Nodes)
	if err != nil {
		return nil, fmt.Errorf("the sub-graph %q: %w", g.Name, err)
	}
	for _, n := range nodes {
		if n == nil {
			return nil, fmt.Errorf("a node of the sub-graph %q is empty", g.Name)
		}
		if err := s.x.spend(1 + len(n.Inputs) + len(n.Attributes)); err != nil {
			return nil, err
		}
		d := *n
		d.Inputs = slices.Clone(n.Inputs)
		for i, name := range d.Inputs {
			if y, ok := to[name]; ok && name != "" {
				d.Inputs[i] = y
			}
		}
		var err error
		if d.Attributes, err = s.list(n.Attributes, to); err != nil {
			return nil, err
		}
		for _, name := range n.Outputs {
			delete(to, name)
		}
		c.Nodes = append(c.Nodes, &d)
	}
	s.x.sorted[&c] = c.Nodes
	if len(g.Outputs) > 0 {
		c.Outputs = nil
		for _, o := range g.Outputs {
			d := *o
			if y, ok := to[o.Name]; ok && o.Name != "" {
				d.Name = y
			}
			c.Outputs = append(c.Outputs, &d)
		}
	}
	return &c, nil
}
