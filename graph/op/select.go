package op

import (
	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Select is y = a where c ≠ 0 and b elsewhere, element by element, for operands of one shape; a or b may be nil, for
// zeros.
//
//	da = dy where c ≠ 0,  db = dy elsewhere
func Select(c, a, b *G.Node) (*G.Node, error) {
	o := &Op{name: "Select", infer: sameAs(0, 1), inPlace: []int{0, 1}}
	switch {
	case a == nil:
		o.attrs = "0,b"
	case b == nil:
		o.attrs = "a,0"
	default:
		o.infer, o.inPlace = sameAs(0, 1, 2), []int{0, 1, 2}
	}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) {
		x := in[1:]
		switch {
		case a == nil:
			k.Select(out, in[0], kernel.Tensor{}, x[0])
		case b == nil:
			k.Select(out, in[0], x[0], kernel.Tensor{})
		default:
			k.Select(out, in[0], x[0], x[1])
		}
	}
	o.diff = func(in G.Nodes, _, g *G.Node, need []bool) (G.Nodes, error) {
		var e parts
		r := make(G.Nodes, len(in))
		for i := 1; i < len(in); i++ {
			switch {
			case !need[i]:
			case a == nil || i == 2:
				r[i] = e.otherwise(in[0], g)
			default:
				r[i] = e.where(in[0], g)
			}
		}
		return r, e.err
	}
	return apply(o, present(c, a, b)...)
}
