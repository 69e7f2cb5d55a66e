package op

import (
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// ColSum is y[j] = Σ_t x[t,j]: x [T,n], y [n].
//
//	dx[t] = dy
func ColSum(x *G.Node) (*G.Node, error) {
	o := &Op{name: "ColSum"}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		if err := rank(in, 0, 2); err != nil {
			return nil, err
		}
		return append(dst, in[0][1]), nil
	}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { k.ColSum(out, in[0]) }
	o.diff = func(in G.Nodes, _, g *G.Node, _ []bool) (G.Nodes, error) {
		dx, err := RepeatRow(in[0], g)
		return G.Nodes{dx}, err
	}
	return apply(o, x)
}
