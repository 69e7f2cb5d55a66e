package op

import (
	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// InvSqrt is y = 1/√x, element by element.
//
//	dx = −½ dy ⊙ y³
func InvSqrt(x *G.Node) (*G.Node, error) {
	o := &Op{name: "InvSqrt", infer: sameAs(0), inPlace: []int{0}, usesOutput: true}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { k.Map(out, in[0], kernel.InvSqrt) }
	o.diff = func(_ G.Nodes, y, g *G.Node, _ []bool) (G.Nodes, error) {
		var e parts
		dx := e.scale(e.mul(g, e.mul(y, e.mul(y, y))), -0.5)
		return G.Nodes{dx}, e.err
	}
	return apply(o, x)
}
