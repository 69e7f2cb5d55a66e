package op

import (
	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Combine is y = f(a, b), element by element, for a and b of one shape. Its gradient is built of other operators; that
// of conditions is zero. Where a and b are equal, Min and Max count as a.
func Combine(a, b *G.Node, f kernel.Pair) (*G.Node, error) {
	o := &Op{name: "Combine", attrs: f.String(), infer: sameAs(0, 1), inPlace: []int{0, 1}, usesOutput: true}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { k.Combine(out, in[0], in[1], f) }
	o.diff = func(in G.Nodes, y, g *G.Node, need []bool) (G.Nodes, error) {
		var e parts
		r := make(G.Nodes, 2)
		if need[0] {
			r[0] = e.firstGrad(in[0], in[1], g, f)
		}
		if need[1] {
			r[1] = e.secondGrad(in[0], in[1], y, g, f)
		}
		return r, e.err
	}
	return apply(o, a, b)
}

// firstGrad is g ⊙ ∂f/∂a, nil for zero.
func (e *parts) firstGrad(a, b, g *G.Node, f kernel.Pair) *G.Node {
	switch f {
	case kernel.Div:
		return e.combine(g, b, kernel.Div)
	case kernel.Pow: // b·aᵇ/a, as b·a^(b−1); 0 where b is 0
		one := e.combine(b, b, kernel.Equal) // but where b is NaN, as is the gradient
		d := e.mul(b, e.combine(a, e.sub(b, one), kernel.Pow))
		return e.where(b, e.mul(g, d))
	case kernel.Min:
		return e.where(e.combine(a, b, kernel.LessOrEqual), g)
	case kernel.Max:
		return e.where(e.combine(a, b, kernel.GreaterOrEqual), g)
	}
	return nil
}

// secondGrad is g ⊙ ∂f/∂b for y = f(a, b), nil for zero.
func (e *parts) secondGrad(a, b, y, g *G.Node, f kernel.Pair) *G.Node {
	switch f {
	case kernel.Div: // −a/b²
		return e.scale(e.mul(g, e.combine(y, b, kernel.Div)), -1)
	case kernel.Pow: // aᵇ·ln a; 0 where a is
		return e.where(a, e.mul(e.mul(g, y), e.mapped(a, kernel.Log)))
	case kernel.Min:
		return e.otherwise(e.combine(a, b, kernel.LessOrEqual), g)
	case kernel.Max:
		return e.otherwise(e.combine(a, b, kernel.GreaterOrEqual), g)
	}
	return nil
}
