package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Scale is y = s·x.
func Scale(x *G.Node, s float32) (*G.Node, error) {
	o := &Op{name: "Scale", attrs: fmt.Sprint(s), infer: sameAs(0), inPlace: []int{0}}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { k.Scale(out, in[0], s) }
	o.diff = func(_ G.Nodes, _, g *G.Node, _ []bool) (G.Nodes, error) {
		dx, err := Scale(g, s)
		return G.Nodes{dx}, err
	}
	return apply(o, x)
}
