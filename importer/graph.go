package importer

import (
	"fmt"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// graph is an ONNX graph with its values linked: who makes them, who uses them, and what stands for what.
type graph struct {
	file   *onnx.File
	nodes  []*onnx.Node // in topological order
	opsets map[string]int64
	inputs []*onnx.ValueInfo // without those that are initialisers
	inits  map[string]*onnx.Tensor
	maker  map[string]*onnx.Node
	users  map[string][]*onnx.Node
	alias  map[string]string // outputs of Identity and Dropout → what they copy
}

// newGraph decodes and links the graph of a file.
func newGraph(f *onnx.File) (*graph, error) {
	g := &graph{
		file: f, opsets: map[string]int64{}, inits: map[string]*onnx.Tensor{},
		maker: map[string]*onnx.Node{}, users: map[string][]*onnx.Node{}, alias: map[string]string{},
	}
	for _, o := range f.OpsetImport {
		domain := o.Domain
		if domain == "ai.onnx" {
			domain = ""
		}
		g.opsets[domain] = o.Version
	}
	if f.Graph == nil {
		return nil, fmt.Errorf("the model has no graph")
	}
	for _, t := range f.Graph.Initializers {
		g.inits[t.Name] = t
	}
	for _, in := range f.Graph.Inputs {
		if g.inits[in.Name] == nil {
			g.inputs = append(g.inputs, in)
		}
	}
	var err error
	if g.nodes, err = decode(f.Model); err != nil {
		return nil, err
	}
	known := map[string]bool{"": true}
	for name := range g.inits {
		known[name] = true
	}
	for _, in := range g.inputs {
		known[in.Name] = true
	}
	for _, n := range g.nodes {
		for _, in := range n.Inputs {
			if !known[in] {
				return nil, fmt.Errorf("%v: input %q is made by no earlier node: the graph has a cycle, or is not in topological order", n, in)
			}
		}
		for _, out := range n.Outputs {
			if out == "" {
				continue
			}
			if known[out] {
				return nil, fmt.Errorf("%v: the value %q is made twice", n, out)
			}
			known[out] = true
			g.maker[out] = n
		}
		if copies(n) {
			g.alias[n.Outputs[0]] = g.resolve(n.Inputs[0])
			continue
		}
		for _, in := range n.Inputs {
			in = g.resolve(in)
			g.users[in] = append(g.users[in], n)
		}
	}
	return g, nil
}

// copies tells whether a node's first output is its first input at inference.
func copies(n *onnx.Node) bool {
	return n.Domain == "" && (n.OpType == "Identity" || n.OpType == "Dropout") && len(n.Inputs) > 0 && len(n.Outputs) > 0
}

// resolve follows copies to the value that they copy.
func (g *graph) resolve(name string) string {
	if to, ok := g.alias[name]; ok {
		return to
	}
	return name
}

// producer returns the node that makes a value, nil for inputs and initialisers.
func (g *graph) producer(name string) *onnx.Node { return g.maker[g.resolve(name)] }

// opset is the version of a node's operators that the model imports.
func (g *graph) opset(n *onnx.Node) (int64, error) {
	domain := n.Domain
	if domain == "ai.onnx" {
		domain = ""
	}
	v, ok := g.opsets[domain]
	if !ok {
		return 0, fmt.Errorf("%v: the model imports no opset of the domain %q", n, domain)
	}
	return v, nil
}
