package op

import (
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// RowSum is y[t] = Σ_j x[t,j], taken in float64: x [T,n], y [T].
//
//	dx[t,j] = dy[t]
func RowSum(x *G.Node) (*G.Node, error) {
	o := &Op{name: "RowSum"}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		if err := rank(in, 0, 2); err != nil {
			return nil, err
		}
		return append(dst, in[0][0]), nil
	}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { k.Reduce(out, in[0], kernel.Sum) }
	o.diff = func(in G.Nodes, _, g *G.Node, _ []bool) (G.Nodes, error) {
		dx, err := RepeatColumn(g, in[0])
		return G.Nodes{dx}, err
	}
	return apply(o, x)
}
