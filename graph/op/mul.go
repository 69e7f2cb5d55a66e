package op

import (
	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Mul is y = a ⊙ b for a and b of one shape.
func Mul(a, b *G.Node) (*G.Node, error) {
	o := &Op{name: "Mul", infer: sameAs(0, 1), inPlace: []int{0, 1}}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { k.Mul(out, in[0], in[1]) }
	o.diff = func(in G.Nodes, _, g *G.Node, need []bool) (r G.Nodes, err error) {
		r = make(G.Nodes, 2)
		for i := range r {
			if need[i] && err == nil {
				r[i], err = Mul(g, in[1-i])
			}
		}
		return r, err
	}
	return apply(o, a, b)
}
