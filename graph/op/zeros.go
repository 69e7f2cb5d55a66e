package op

import (
	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Zeros is y = 0 in the shape of x.
func Zeros(x *G.Node) (*G.Node, error) {
	o := &Op{name: "Zeros", infer: sameAs(0)}
	o.run = func(k kernel.Kernels, out kernel.Tensor, _ []kernel.Tensor) { k.Fill(out, 0) }
	o.diff = func(in G.Nodes, _, _ *G.Node, _ []bool) (G.Nodes, error) { return make(G.Nodes, len(in)), nil }
	return apply(o, x)
}
