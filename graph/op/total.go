package op

import (
	"errors"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Total is y = Σ x over all elements, taken in float64: y [1].
//
//	dx = dy everywhere
func Total(x *G.Node) (*G.Node, error) {
	o := &Op{name: "Total"}
	o.infer = func(dst tensor.Shape, _ []tensor.Shape) (tensor.Shape, error) { return append(dst, 1), nil }
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { k.Reduce(out, in[0], kernel.Sum) }
	o.diff = func(in G.Nodes, _, g *G.Node, _ []bool) (G.Nodes, error) {
		dx, err := Spread(g, in[0])
		return G.Nodes{dx}, err
	}
	return apply(o, x)
}

// Spread is y = s everywhere, in the shape of like: s [1].
//
//	ds = Σ dy
func Spread(s, like *G.Node) (*G.Node, error) {
	o := &Op{name: "Spread"}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		if !in[0].Eq(tensor.Shape{1}) {
			return nil, errors.New("what is spread has more than one element")
		}
		return append(dst, in[1]...), nil
	}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) {
		k.Copy(out, in[0], kernel.Block(1, len(out.F32), 0, 0).Repeated())
	}
	o.diff = func(_ G.Nodes, _, g *G.Node, need []bool) (r G.Nodes, err error) {
		r = make(G.Nodes, 2)
		if need[0] {
			r[0], err = Total(g)
		}
		return r, err
	}
	return apply(o, s, like)
}
