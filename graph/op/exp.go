package op

import (
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Exp is y = eˣ, element by element.
//
//	dx = dy ⊙ y
func Exp(x *G.Node) (*G.Node, error) {
	o := &Op{name: "Exp", infer: sameAs(0), inPlace: []int{0}, usesOutput: true}
	o.run = func(_ kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) {
		for i, v := range in[0].F32 {
			out.F32[i] = float32(math.Exp(float64(v)))
		}
	}
	o.diff = func(_ G.Nodes, y, g *G.Node, _ []bool) (G.Nodes, error) {
		dx, err := Mul(g, y)
		return G.Nodes{dx}, err
	}
	return apply(o, x)
}
