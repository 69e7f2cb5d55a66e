package op

import (
	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Activate is y = f(x), element by element.
//
//	dx = dy ⊙ f′(x)
func Activate(x *G.Node, f kernel.Activation) (*G.Node, error) {
	o := &Op{name: "Activate", attrs: f.String(), infer: sameAs(0)}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { k.Activate(out, in[0], f) }
	o.diff = func(in G.Nodes, _, g *G.Node, _ []bool) (G.Nodes, error) {
		dx, err := activateGrad(in[0], g, f)
		return G.Nodes{dx}, err
	}
	return apply(o, x)
}

func activateGrad(x, dy *G.Node, f kernel.Activation) (*G.Node, error) {
	o := &Op{name: "ActivateGrad", attrs: f.String(), infer: sameAs(0, 1), inPlace: []int{1}}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { k.ActivateGrad(out, in[0], in[1], f) }
	o.diff = func(in G.Nodes, _, g *G.Node, need []bool) (r G.Nodes, err error) {
		r = make(G.Nodes, 2)
		if need[0] {
			var e parts
			if c := e.curvature(in[0], f); c != nil {
				r[0] = e.mul(e.mul(g, in[1]), c)
			}
			if e.err != nil {
				return nil, e.err
			}
		}
		if need[1] {
			r[1], err = activateGrad(in[0], g, f)
		}
		return r, err
	}
	return apply(o, x, dy)
}
