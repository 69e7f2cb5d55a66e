package op

import (
	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Add is y = a + b for a and b of one shape. dy is the gradient of both.
func Add(a, b *G.Node) (*G.Node, error) {
	o := &Op{name: "Add", infer: sameAs(0, 1), inPlace: []int{0, 1}}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { k.Add(out, in[0], in[1]) }
	o.diff = func(_ G.Nodes, _, g *G.Node, _ []bool) (G.Nodes, error) { return G.Nodes{g, g}, nil }
	return apply(o, a, b)
}
