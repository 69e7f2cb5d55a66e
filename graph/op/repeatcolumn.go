package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// RepeatColumn is y[t,j] = c[t] in the shape of like: c [T], like and y [T,n].
//
//	dc[t] = Σ_j dy[t,j]
func RepeatColumn(c, like *G.Node) (*G.Node, error) {
	o := &Op{name: "RepeatColumn"}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		if err := ranks(in, 1, 2); err != nil {
			return nil, err
		}
		if in[0][0] != in[1][0] {
			return nil, fmt.Errorf("a column of %d does not fit %d rows", in[0][0], in[1][0])
		}
		return append(dst, in[1]...), nil
	}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) {
		k.Copy(out, in[0], kernel.Block(out.Rows(), out.Cols(), out.Cols(), 1).Repeated())
	}
	o.diff = func(_ G.Nodes, _, g *G.Node, need []bool) (r G.Nodes, err error) {
		r = make(G.Nodes, 2)
		if need[0] {
			r[0], err = RowSum(g)
		}
		return r, err
	}
	return apply(o, c, like)
}
