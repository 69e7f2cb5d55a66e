package importer

import (
	"fmt"
	"slices"
	"strings"

	goonnx "github.com/owulveryck/onnx-go"
	gograph "gonum.org/v1/gonum/graph"
	"gonum.org/v1/gonum/graph/simple"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// decode runs onnx-go's graph decoding over a model and returns its nodes in order, their inputs and outputs as onnx-go
// links them.
//
// onnx-go gets a skeleton: the nodes with their names and the number of the node that they stand for. Whatever it
// cannot carry (weights, sub-graphs, domains, most element types) stays with our codec and never passes through it.
func decode(m *onnx.Model) ([]*onnx.Node, error) {
	skeleton, err := skeletonOf(m)
	if err != nil {
		return nil, err
	}
	b := &backend{WeightedDirectedGraph: simple.NewWeightedDirectedGraph(0, 0), model: m, in: map[int64][]string{}}
	if err := goonnx.NewModel(b).UnmarshalBinary(skeleton); err != nil {
		return nil, fmt.Errorf("decoding the graph: %w", err)
	}
	if len(b.nodes) != len(m.Graph.Nodes) {
		return nil, fmt.Errorf("decoding the graph: %d of %d nodes were decoded", len(b.nodes), len(m.Graph.Nodes))
	}
	return b.nodes, nil
}

const (
	numberAttr = "node"    // a skeleton node's attribute: the index of the node that it stands for
	unused     = "\x00out" // prefix of the names given to outputs that are left out
	leftOut    = "\x00in"  // the name given to inputs that are left out
)

func skeletonOf(m *onnx.Model) ([]byte, error) {
	k := &onnx.Model{IRVersion: m.IRVersion, Graph: &onnx.Graph{Name: m.Graph.Name}}
	for _, in := range m.Graph.Inputs {
		k.Graph.Inputs = append(k.Graph.Inputs, &onnx.ValueInfo{Name: in.Name})
	}
	for _, out := range m.Graph.Outputs {
		k.Graph.Outputs = append(k.Graph.Outputs, &onnx.ValueInfo{Name: out.Name})
	}
	for i, n := range m.Graph.Nodes {
		if len(n.Outputs) == 0 {
			return nil, fmt.Errorf("%v: the node has no output", n)
		}
		for _, name := range slices.Concat(n.Inputs, n.Outputs) {
			if err := reserved(name); err != nil {
				return nil, fmt.Errorf("%v: %w", n, err)
			}
		}
		s := &onnx.Node{OpType: n.OpType, Name: fmt.Sprintf("\x00%d", i)}
		for j, out := range n.Outputs {
			if out == "" {
				out = fmt.Sprintf("%s%d.%d", unused, i, j)
			}
			s.Outputs = append(s.Outputs, out)
		}
		for _, in := range n.Inputs {
			if in == "" {
				in = leftOut
			}
			s.Inputs = append(s.Inputs, in)
		}
		s.Attributes = []*onnx.Attribute{{Name: numberAttr, Type: onnx.AttrInt, I: int64(i)}}
		k.Graph.Nodes = append(k.Graph.Nodes, s)
	}
	return k.Encode()
}

// backend takes the decoded graph from onnx-go.
type backend struct {
	*simple.WeightedDirectedGraph
	model *onnx.Model
	last  int64
	in    map[int64][]string // by output: the node's inputs in order
	nodes []*onnx.Node
}

// value is a named value of the graph, a vertex to onnx-go.
type value struct {
	id   int64
	name string
}

func (v *value) ID() int64              { return v.id }
func (v *value) SetName(s string)       { v.name = s }
func (v *value) GetName() string        { return v.name }
func (b *backend) AddNode(gograph.Node) {}

// NewNode implements onnx-go's Backend.
func (b *backend) NewNode() gograph.Node {
	b.last++
	return &value{id: b.last}
}

// NewWeightedEdge implements onnx-go's Backend: from an output to an input of the same node.
func (b *backend) NewWeightedEdge(from, to gograph.Node, w float64) gograph.WeightedEdge {
	return simple.WeightedEdge{F: from, T: to, W: w}
}

// SetWeightedEdge implements onnx-go's Backend. Edges come in the order of the inputs.
func (b *backend) SetWeightedEdge(e gograph.WeightedEdge) {
	b.in[e.From().ID()] = append(b.in[e.From().ID()], e.To().(*value).name)
}

// ApplyOperation implements onnx-go's Backend: one node of the graph, with its outputs.
func (b *backend) ApplyOperation(o goonnx.Operation, outputs ...gograph.Node) error {
	i, ok := o.Attributes[numberAttr].(int64)
	if !ok || i < 0 || i >= int64(len(b.model.Graph.Nodes)) || len(outputs) == 0 {
		return fmt.Errorf("a node of type %s lost its number", o.Name)
	}
	src := b.model.Graph.Nodes[i]
	n := *src
	n.Domain, n.Inputs, n.Outputs = canonical(n.Domain), nil, nil
	for _, out := range outputs {
		name := out.(*value).name
		if strings.HasPrefix(name, unused) {
			name = ""
		}
		n.Outputs = append(n.Outputs, name)
	}
	if len(src.Inputs) > 0 { // onnx-go invents an input for nodes without one
		for _, name := range b.in[outputs[0].ID()] {
			if name == leftOut {
				name = ""
			}
			n.Inputs = append(n.Inputs, name)
		}
	}
	b.nodes = append(b.nodes, &n)
	return nil
}
