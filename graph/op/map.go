package op

import (
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Map is y = f(x), element by element. Its gradient is built of other operators, so that it has any order; that of
// functions which are constant almost everywhere is zero.
func Map(x *G.Node, f kernel.Function) (*G.Node, error) {
	o := &Op{name: "Map", attrs: f.String(), infer: sameAs(0), inPlace: []int{0}, usesOutput: true}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { k.Map(out, in[0], f) }
	o.diff = func(in G.Nodes, y, g *G.Node, _ []bool) (G.Nodes, error) {
		var e parts
		dx := e.mapGrad(in[0], y, g, f)
		return G.Nodes{dx}, e.err
	}
	return apply(o, x)
}

// mapGrad is g ⊙ f′(x) for y = f(x), nil for zero.
func (e *parts) mapGrad(x, y, g *G.Node, f kernel.Function) *G.Node {
	switch f {
	case kernel.Abs:
		return e.mul(g, e.mapped(x, kernel.Sign))
	case kernel.Sqrt:
		return e.scale(e.combine(g, y, kernel.Div), 0.5)
	case kernel.Log:
		return e.combine(g, x, kernel.Div)
	case kernel.Erf:
		return e.scale(e.mul(g, e.exp(e.scale(e.mul(x, x), -1))), 2/math.SqrtPi)
	case kernel.Sin:
		return e.mul(g, e.mapped(x, kernel.Cos))
	case kernel.Cos:
		return e.scale(e.mul(g, e.mapped(x, kernel.Sin)), -1)
	case kernel.Reciprocal:
		return e.scale(e.mul(g, e.mul(y, y)), -1)
	case kernel.Atan: // 1/(1 + x²)
		return e.mul(g, e.mapped(e.shift(e.mul(x, x), 1), kernel.Reciprocal))
	case kernel.Sigmoid: // y·(1 − y)
		return e.mul(g, e.sub(y, e.mul(y, y)))
	case kernel.Softplus:
		return e.mul(g, e.mapped(x, kernel.Sigmoid))
	}
	return nil
}
