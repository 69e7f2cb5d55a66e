package importer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

const (
	// maxNodes bounds a graph's nodes: recognition goes as deep as the graph is long. Encoders have some thousands.
	maxNodes = 1 << 14
	// maxChain bounds the nodes of one part of a block, such as an activation: there are a dozen at most. Longer parts
	// would be looked at again and again.
	maxChain = 64
)

// graph is an ONNX graph with its values linked: who makes them, who uses them, and what stands for what.
type graph struct {
	model  *onnx.Model
	nodes  []*onnx.Node // in topological order
	opsets map[string]int64
	inputs []*onnx.ValueInfo // without those that are initialisers
	inits  map[string]*onnx.Tensor
	maker  map[string]*onnx.Node
	users  map[string][]*onnx.Node
	alias  map[string]string        // outputs of Identity, Dropout and such → what they copy, and of casts that change precision
	types  map[string]onnx.DataType // of floating-point values that are not float32 in the file

	expander *expander // what the nodes were made by
	parts    *parts
	whole    bool // parts of weights are computed: every parameter is an initialiser
}

// newGraph is linked, in one precision.
func newGraph(m *onnx.Model) (*graph, error) {
	g, err := linked(m)
	if err != nil {
		return nil, err
	}
	return g, g.mixed()
}

// unlinked is why a graph cannot be taken in any way, recognised or node by node.
type unlinked struct{ error }

// Unwrap implements errors' convention.
func (e unlinked) Unwrap() error { return e.error }

// linked expands, decodes and links the graph of a model. Its errors are unlinked.
func linked(m *onnx.Model) (g *graph, err error) {
	defer func() {
		if err != nil {
			g, err = nil, unlinked{err}
		}
	}()
	x, err := expand(m)
	if err != nil {
		return nil, err
	}
	g, known, err := sourcesOf(x.model)
	if err != nil {
		return nil, err
	}
	if g.nodes, err = decode(x.model); err != nil {
		return nil, err
	}
	if err := g.operators(); err != nil {
		return nil, err
	}
	g.expander = x
	return g, g.link(known)
}

// sourcesOf starts a graph with a model's inputs and initialisers, and returns their names.
func sourcesOf(m *onnx.Model) (*graph, map[string]bool, error) {
	g := &graph{
		model: m, opsets: map[string]int64{}, inits: map[string]*onnx.Tensor{},
		maker: map[string]*onnx.Node{}, users: map[string][]*onnx.Node{}, alias: map[string]string{}, parts: &parts{of: map[string]*onnx.Tensor{}},
	}
	for _, o := range m.OpsetImport {
		if _, twice := g.opsets[canonical(o.Domain)]; twice {
			return nil, nil, fmt.Errorf("the model imports two opsets of the domain %q", o.Domain)
		}
		g.opsets[canonical(o.Domain)] = o.Version
	}
	known, err := g.sources()
	return g, known, err
}

// canonical is a domain's shorter name.
func canonical(domain string) string {
	if domain == "ai.onnx" {
		return ""
	}
	return domain
}

// sources collects the inputs and initialisers, and returns their names.
func (g *graph) sources() (map[string]bool, error) {
	known := map[string]bool{"": true}
	add := func(name, what string) error {
		if known[name] {
			return fmt.Errorf("%s %q has no name, or that of another", what, name)
		}
		known[name] = true
		return reserved(name)
	}
	for _, t := range g.model.Graph.Initializers {
		if err := add(t.Name, "initialiser"); err != nil {
			return nil, err
		}
		g.inits[t.Name] = t
	}
	for _, in := range g.model.Graph.Inputs {
		if g.inits[in.Name] != nil { // its default
			continue
		}
		if err := add(in.Name, "input"); err != nil {
			return nil, err
		}
		g.inputs = append(g.inputs, in)
	}
	return known, nil
}

// reserved refuses names that decode makes itself.
func reserved(name string) error {
	if strings.HasPrefix(name, "\x00") {
		return fmt.Errorf("the name %q begins with a zero byte", name)
	}
	return nil
}

// operators checks that every node's operator is known, before anything is computed.
func (g *graph) operators() error {
	for _, n := range g.nodes {
		if _, err := g.function(n); err != nil {
			return err
		}
	}
	return nil
}

// function is what computes a node.
func (g *graph) function(n *onnx.Node) (fold.Func, error) {
	opset, err := g.opset(n)
	if err != nil {
		return nil, err
	}
	return fold.Lookup(n, opset)
}

// link connects the nodes by their values. known are the values that are there before the first node.
func (g *graph) link(known map[string]bool) error {
	for _, n := range g.nodes {
		for _, in := range n.Inputs {
			if !known[in] {
				return fmt.Errorf("%v: nothing makes its input %q", n, in)
			}
		}
		for _, out := range n.Outputs {
			if out == "" {
				continue
			}
			if known[out] {
				return fmt.Errorf("%v: the value %q is made twice", n, out)
			}
			known[out] = true
			g.maker[out] = n
		}
		if g.copies(n) {
			g.alias[n.Outputs[0]] = g.resolve(n.Inputs[0])
			continue
		}
		for _, in := range n.Inputs {
			in = g.resolve(in)
			g.users[in] = append(g.users[in], n)
		}
	}
	for _, o := range g.model.Graph.Outputs {
		if o.Name == "" || !known[o.Name] {
			return fmt.Errorf("nothing makes the output %q", o.Name)
		}
	}
	return nil
}

// copies tells whether a node does nothing but give its input another name: Identity, Concat of one input, and Dropout at inference whose
// mask nobody wants.
func (g *graph) copies(n *onnx.Node) bool {
	if n.Domain != "" || len(n.Inputs) == 0 || n.Inputs[0] == "" || len(n.Outputs) == 0 || n.Outputs[0] == "" {
		return false
	}
	switch n.OpType {
	case "Identity", "Concat": // of one input
		return len(n.Inputs) == 1 && len(n.Outputs) == 1
	case "Dropout":
		training := len(n.Inputs) > 2 && n.Inputs[2] != "" // or perhaps
		return !training && (len(n.Outputs) == 1 || n.Outputs[1] == "")
	}
	return false
}

// dropCasts makes copies of those casts that do not change the type, by the types of a specialised graph.
func (g *graph) dropCasts(s *spec) {
	for _, n := range g.nodes {
		if n.OpType != "Cast" || n.Domain != "" || len(n.Inputs) != 1 || len(n.Outputs) != 1 {
			continue
		}
		from, to := g.resolve(n.Inputs[0]), n.Outputs[0]
		x, y := s.values[from], s.values[to]
		if x == nil || y == nil || x.Type != y.Type || y.kind != activation {
			continue
		}
		g.alias[to] = from
		g.users[from] = append(slices.DeleteFunc(g.users[from], func(u *onnx.Node) bool { return u == n }), g.users[to]...)
	}
}

// resolve follows copies to the value that they copy.
func (g *graph) resolve(name string) string {
	for {
		to, ok := g.alias[name]
		if !ok {
			return name
		}
		name = to
	}
}

// producer returns the node that makes a value, nil for inputs and initialisers.
func (g *graph) producer(name string) *onnx.Node { return g.maker[g.resolve(name)] }

// input tells whether the graph has an input of a name.
func (g *graph) input(name string) bool {
	for _, in := range g.inputs {
		if in.Name == name {
			return true
		}
	}
	return false
}

// opset is the version of a node's operators that the model imports.
func (g *graph) opset(n *onnx.Node) (int64, error) {
	v, ok := g.opsets[n.Domain]
	if !ok {
		return 0, fmt.Errorf("%v: the model imports no opset of the domain %q", n, n.Domain)
	}
	return v, nil
}

// positionIDs is the model input that counts the tokens of a sequence from 0.
const positionIDs = "position_ids"

// closure is the set of nodes that a value is computed by. byLength tells whether its elements depend on no input's
// elements but positions, on shapes at most.
func (g *graph) closure(values ...string) (need map[*onnx.Node]bool, byLength bool) {
	type state struct {
		name     string
		elements bool
	}
	need, byLength = map[*onnx.Node]bool{}, true
	seen := map[state]bool{}
	var stack []state
	for _, v := range values {
		stack = append(stack, state{g.resolve(v), true})
	}
	for len(stack) > 0 {
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if seen[v] {
			continue
		}
		seen[v] = true
		n := g.maker[v.name]
		if n == nil {
			byLength = byLength && !(v.elements && g.input(v.name) && v.name != positionIDs)
			continue
		}
		need[n] = true
		elements := v.elements && n.OpType != "Shape" && n.OpType != "Size"
		for _, in := range n.Inputs {
			if in != "" {
				stack = append(stack, state{g.resolve(in), elements})
			}
		}
	}
	return need, byLength
}
