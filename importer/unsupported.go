package importer

import "github.com/seed-aefebe89/graft/importer/onnx"

// Unsupported counts the nodes of a model whose operators, at its opsets, no rule computes: by name, with a domain other
// than ONNX's own before it ("com.microsoft.Attention"). It is empty where the model is refused for another reason.
func Unsupported(m *onnx.Model) map[string]int {
	out := map[string]int{}
	if m.Graph == nil || len(m.Graph.Nodes) > maxNodes {
		return out
	}
	nodes, err := decode(m)
	if err != nil {
		return out
	}
	g := &graph{model: m, nodes: nodes, opsets: map[string]int64{}}
	for _, o := range m.OpsetImport {
		g.opsets[canonical(o.Domain)] = o.Version
	}
	for _, n := range nodes {
		if _, err := g.function(n); err != nil {
			out[OperatorName(n)]++
		}
	}
	return out
}

// OperatorName is a node's operator, with a domain other than ONNX's own before it.
func OperatorName(n *onnx.Node) string {
	if d := canonical(n.Domain); d != "" {
		return d + "." + n.OpType
	}
	return n.OpType
}
