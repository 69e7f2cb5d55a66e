package onnx

import (
	"fmt"
	"iter"
)

// Tensors yields every tensor of the model with its path, such as "graph.node[3].attribute[0].t": initialisers, the
// parts of sparse tensors, attributes, and all of these in sub-graphs, functions and training information.
func (m *Model) Tensors() iter.Seq2[string, *Tensor] {
	return func(yield func(string, *Tensor) bool) {
		w := &walker{yield: yield}
		if m.Graph != nil && !w.graph("graph", m.Graph) {
			return
		}
		for i, t := range m.Training {
			at := index("training_info", i)
			if t != nil && !(w.graph(at+".initialization", t.Initialization) && w.graph(at+".algorithm", t.Algorithm)) {
				return
			}
		}
		for i, f := range m.Functions {
			at := index("functions", i)
			if f != nil && !(w.nodes(at, f.Nodes) && w.attributes(at+".attribute_proto", f.Attributes)) {
				return
			}
		}
	}
}

// walker goes through messages; its methods return false to stop.
type walker struct {
	yield func(string, *Tensor) bool
	depth int
}

func index(at string, i int) string { return fmt.Sprintf("%s[%d]", at, i) }

func (w *walker) graph(at string, g *Graph) bool {
	if g == nil || w.depth >= maxDepth {
		return true
	}
	w.depth++
	defer func() { w.depth-- }()
	for i, t := range g.Initializers {
		if t != nil && !w.yield(index(at+".initializer", i), t) {
			return false
		}
	}
	for i, s := range g.SparseInitializers {
		if !w.sparse(index(at+".sparse_initializer", i), s) {
			return false
		}
	}
	return w.nodes(at, g.Nodes)
}

func (w *walker) nodes(at string, nodes []*Node) bool {
	for i, n := range nodes {
		if n != nil && len(n.Attributes) > 0 && !w.attributes(index(at+".node", i)+".attribute", n.Attributes) {
			return false
		}
	}
	return true
}

func (w *walker) attributes(at string, attributes []*Attribute) bool {
	for i, a := range attributes {
		if a != nil && !w.attribute(index(at, i), a) {
			return false
		}
	}
	return true
}

func (w *walker) attribute(at string, a *Attribute) bool {
	if a.T != nil && !w.yield(at+".t", a.T) {
		return false
	}
	for i, t := range a.Tensors {
		if t != nil && !w.yield(index(at+".tensors", i), t) {
			return false
		}
	}
	if !w.sparse(at+".sparse_tensor", a.SparseTensor) {
		return false
	}
	for i, s := range a.SparseTensors {
		if !w.sparse(index(at+".sparse_tensors", i), s) {
			return false
		}
	}
	if !w.graph(at+".g", a.G) {
		return false
	}
	for i, g := range a.Graphs {
		if !w.graph(index(at+".graphs", i), g) {
			return false
		}
	}
	return true
}

func (w *walker) sparse(at string, s *SparseTensor) bool {
	if s == nil {
		return true
	}
	return (s.Values == nil || w.yield(at+".values", s.Values)) && (s.Indices == nil || w.yield(at+".indices", s.Indices))
}
