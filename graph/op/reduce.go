package op

import (
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Reduce makes one number of each row: x [m,n], y [m]; RowSum is its sum. The gradient of Greatest and Least goes to all elements that
// are, in equal parts.
func Reduce(x *G.Node, f kernel.Reduction) (*G.Node, error) {
	o := &Op{name: "Reduce", attrs: f.String(), usesOutput: true}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		if err := rank(in, 0, 2); err != nil {
			return nil, err
		}
		return append(dst, in[0][0]), nil
	}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { k.Reduce(out, in[0], f) }
	o.diff = func(in G.Nodes, y, g *G.Node, _ []bool) (G.Nodes, error) {
		var e parts
		x := in[0]
		dx := e.repeatColumn(g, x)
		switch f {
		case kernel.Product: // y/x, which needs x ≠ 0
			dx = e.mul(dx, e.combine(e.repeatColumn(y, x), x, kernel.Div))
		case kernel.Greatest, kernel.Least:
			is := e.combine(x, e.repeatColumn(y, x), kernel.Equal)
			dx = e.combine(e.mul(dx, is), e.repeatColumn(e.rowSum(is), x), kernel.Div)
		}
		return G.Nodes{dx}, e.err
	}
	return apply(o, x)
}
