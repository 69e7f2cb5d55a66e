package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Shift is y = x + c, element by element.
func Shift(x *G.Node, c float32) (*G.Node, error) {
	o := &Op{name: "Shift", attrs: fmt.Sprint(c), infer: sameAs(0), inPlace: []int{0}}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { k.Shift(out, in[0], c) }
	o.diff = func(_ G.Nodes, _, g *G.Node, _ []bool) (G.Nodes, error) { return G.Nodes{g}, nil }
	return apply(o, x)
}
