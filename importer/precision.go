package importer

import (
	"slices"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// mixed makes a graph that computes in other precisions than float32 one that does not: casts of activations between
// floating-point types only give another name, since our networks compute in float32 throughout. The file's types are
// kept for what is added to the file's graph.
func (g *graph) mixed() error {
	if !g.hasOtherFloats() {
		return nil
	}
	s, types, err := g.precisions()
	if err != nil {
		return err
	}
	g.types = types
	casts := map[*onnx.Node]bool{}
	for _, n := range g.nodes {
		if n.OpType != "Cast" || n.Domain != "" {
			continue
		}
		from, to := s.value(n.Inputs[0]), s.value(n.Outputs[0])
		casts[n] = from != nil && to != nil && from.kind == activation && to.kind == activation && isFloat(from.Type) && isFloat(to.Type)
	}
	g.users = map[string][]*onnx.Node{}
	for _, n := range g.nodes {
		if g.copies(n) || casts[n] {
			g.alias[n.Outputs[0]] = g.resolve(n.Inputs[0])
			continue
		}
		for _, in := range n.Inputs {
			in = g.resolve(in)
			g.users[in] = append(g.users[in], n)
		}
	}
	return nil
}

// precisions specialises the graph in the file's types, and lists those of the floating-point values that are not float32.
func (g *graph) precisions() (*spec, map[string]onnx.DataType, error) {
	p := probes[0]
	s, err := (&spec{g: g, batch: p.batch, seq: p.seq, values: map[string]*specValue{}, exact: true}).run(nil)
	if err != nil {
		return nil, nil, err
	}
	types := map[string]onnx.DataType{}
	for _, n := range g.nodes {
		for _, out := range n.Outputs {
			if v := s.value(out); out != "" && v != nil && isFloat(v.Type) && v.Type != onnx.Float {
				types[out] = v.Type
			}
		}
	}
	return s, types, nil
}

// hasOtherFloats tells whether the file has weights, constants or casts of floating-point types beside float32.
func (g *graph) hasOtherFloats() bool {
	other := func(t onnx.DataType) bool { return isFloat(t) && t != onnx.Float }
	for _, t := range g.inits {
		if other(t.Type) {
			return true
		}
	}
	return slices.ContainsFunc(g.nodes, func(n *onnx.Node) bool {
		a := n.Attribute("to")
		return n.OpType == "Cast" && a != nil && other(onnx.DataType(a.I))
	})
}

// skips tells whether a node only gives its input another name.
func (g *graph) skips(n *onnx.Node) bool {
	if len(n.Outputs) == 0 {
		return false
	}
	_, ok := g.alias[n.Outputs[0]]
	return ok
}
