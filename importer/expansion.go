package importer

import (
	"slices"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// Expansion is what the recognised graph has in place of a node of the file: a function's or an If's nodes, a fused
// operator in core ones. Quantised operators stand in it as the file has them.
type Expansion struct {
	At    int          // the node's index in the file's graph
	Nodes []*onnx.Node // in order; they make the node's values, and others
}

// Makes tells whether the expansion makes a value that its node n does not make.
func (e *Expansion) Makes(n *onnx.Node, value string) bool {
	return value != "" && !slices.Contains(n.Outputs, value) &&
		slices.ContainsFunc(e.Nodes, func(m *onnx.Node) bool { return slices.Contains(m.Outputs, value) })
}

// expansions lists the nodes that were written in others, and the initialisers that the others read beside the file's.
func (x *expander) expansions(m *onnx.Model) (out []Expansion, constants []*onnx.Tensor) {
	of := map[int][]*onnx.Node{}
	read := map[string]bool{}
	for _, n := range x.written {
		of[n.source] = append(of[n.source], n.Node)
	}
	for i, n := range m.Graph.Nodes {
		nodes := of[i]
		if len(nodes) == 1 && nodes[0].OpType == n.OpType && nodes[0].Domain == canonical(n.Domain) {
			continue
		}
		out = append(out, Expansion{At: i, Nodes: nodes})
		for _, n := range nodes {
			for _, in := range n.Inputs {
				read[in] = true
			}
		}
	}
	for _, t := range x.model.Graph.Initializers[len(m.Graph.Initializers)+len(m.Graph.SparseInitializers):] {
		if read[t.Name] {
			constants = append(constants, t)
		}
	}
	return out, constants
}

// Dequantised is a model without quantised operators: weights are stored as the numbers that they stand for, activations
// are not rounded, and what recognition writes out in core operators is written so. It is what training on a quantised
// model computes with, and what to hold the result against.
func Dequantised(m *onnx.Model) (*onnx.Model, error) {
	x, err := expand(m)
	if err != nil {
		return nil, err
	}
	g := x.model.Graph
	g.ValueInfo = nil // which speaks of quantised values
	read := map[string]bool{}
	for _, n := range g.Nodes {
		for _, in := range n.Inputs {
			read[in] = true
		}
	}
	for _, o := range g.Outputs {
		read[o.Name] = true
	}
	for _, in := range g.Inputs {
		read[in.Name] = true
	}
	g.Initializers = slices.DeleteFunc(g.Initializers, func(t *onnx.Tensor) bool { return !read[t.Name] })
	x.model.Functions = nil
	return x.model, nil
}
