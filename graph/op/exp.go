package op

import (
	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Exp is y = eˣ, element by element.
//
//	dx = dy ⊙ y
func Exp(x *G.Node) (*G.Node, error) {
	o := &Op{name: "Exp", infer: sameAs(0), inPlace: []int{0}, usesOutput: true}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { k.Map(out, in[0], kernel.Exp) }
	o.diff = func(_ G.Nodes, y, g *G.Node, _ []bool) (G.Nodes, error) {
		dx, err := Mul(g, y)
		return G.Nodes{dx}, err
	}
	return apply(o, x)
}
