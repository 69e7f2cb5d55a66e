package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// SumBy is y[r] = Σ x[t] over the t whose index is r: x [T,n], index int32 [T] with 0 ≤ index < R, which the caller has
// checked, y [R,n]. R is the length of the vector like. It adds up the tokens of each sequence.
//
//	dx[t] = dy[index[t]]
func SumBy(x, index, like *G.Node) (*G.Node, error) {
	o := &Op{name: "SumBy"}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		if err := ranks(in, 2, 1, 1); err != nil {
			return nil, err
		}
		if in[1][0] != in[0][0] {
			return nil, fmt.Errorf("%d indices for %d rows", in[1][0], in[0][0])
		}
		return append(dst, in[2][0], in[0][1]), nil
	}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { k.RowsGrad(out, in[1], in[0]) }
	o.diff = func(in G.Nodes, _, g *G.Node, need []bool) (r G.Nodes, err error) {
		r = make(G.Nodes, 3)
		if need[0] {
			r[0], err = Rows(g, in[1])
		}
		return r, err
	}
	return apply(o, x, index, like)
}
