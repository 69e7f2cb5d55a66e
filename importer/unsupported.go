package importer

import "github.com/seed-aefebe89/graft/importer/onnx"

// Unsupported counts the nodes of a model whose operators, at its opsets, no rule computes: by name, with a domain other
// than ONNX's own before it ("com.microsoft.QAttention"). A call of a local function counts what stands in the function.
// It is empty where the model is refused for another reason.
func Unsupported(m *onnx.Model) map[string]int {
	out := map[string]int{}
	if m.Graph == nil || len(m.Graph.Nodes) > maxNodes {
		return out
	}
	x, err := newExpander(m)
	if err != nil {
		return out
	}
	g := &graph{opsets: map[string]int64{}}
	for _, o := range x.model.OpsetImport {
		g.opsets[canonical(o.Domain)] = o.Version
	}
	inside := map[*onnx.Function]map[string]int{} // what each function lacks; there is an entry while it is looked at
	var count func(nodes []*onnx.Node, out map[string]int)
	count = func(nodes []*onnx.Node, out map[string]int) {
		for _, n := range nodes {
			if n == nil {
				continue
			}
			c := *n
			c.Domain = canonical(n.Domain)
			if f := x.functions[keyOf(&c)]; f != nil {
				if inside[f] == nil {
					inside[f] = map[string]int{}
					count(f.Nodes, inside[f])
				}
				for op, k := range inside[f] {
					out[op] += k
				}
				continue
			}
			if rules[operator{c.Domain, c.OpType}] != nil || quantised(&c) {
				continue
			}
			if _, err := g.function(&c); err != nil {
				out[OperatorName(&c)]++
			}
		}
	}
	count(m.Graph.Nodes, out)
	return out
}

// OperatorName is a node's operator, with a domain other than ONNX's own before it.
func OperatorName(n *onnx.Node) string {
	if d := canonical(n.Domain); d != "" {
		return d + "." + n.OpType
	}
	return n.OpType
}
