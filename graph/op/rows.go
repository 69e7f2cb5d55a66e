package op

import (
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Rows is y[i] = x[index[i]]: x [T,n], index int32 [m] with 0 ≤ index < T, which the caller has checked, y [m,n].
// It takes the first token of each sequence, or the labelled tokens of a batch.
//
//	dx[r] = Σ dy[i] over the i whose index is r
func Rows(x, index *G.Node) (*G.Node, error) {
	o := &Op{name: "Rows", lookups: 1}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		if err := ranks(in, 2, 1); err != nil {
			return nil, err
		}
		return append(dst, in[1][0], in[0][1]), nil
	}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { k.Rows(out, in[0], in[1]) }
	o.diff = func(in G.Nodes, _, g *G.Node, _ []bool) (G.Nodes, error) {
		dx, err := SumRows(in[0], in[1], g)
		return G.Nodes{dx, nil}, err
	}
	return apply(o, x, index)
}

// SumRows is the gradient of Rows: y[r] = Σ dy[i] over the i whose index is r, in the shape of x, of which it takes the shape
// alone.
func SumRows(x, index, dy *G.Node) (*G.Node, error) {
	o := &Op{name: "RowsGrad", infer: sameAs(0)}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { k.RowsGrad(out, in[1], in[2]) }
	o.diff = func(in G.Nodes, _, g *G.Node, need []bool) (r G.Nodes, err error) {
		r = make(G.Nodes, 3)
		if need[2] {
			r[2], err = Rows(g, in[1])
		}
		return r, err
	}
	return apply(o, x, index, dy)
}
