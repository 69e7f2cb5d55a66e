package op

import (
	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// RepeatRow is y[t] = row in the shape of like: like and y [T,n], row [n].
//
//	drow = Σ_t dy[t]
func RepeatRow(like, row *G.Node) (*G.Node, error) {
	o := &Op{name: "RepeatRow", infer: rowRule}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) {
		k.Copy(out, in[1], kernel.Block(out.Rows(), out.Cols(), out.Cols(), 0))
	}
	o.diff = func(_ G.Nodes, _, g *G.Node, need []bool) (r G.Nodes, err error) {
		r = make(G.Nodes, 2)
		if need[1] {
			r[1], err = ColSum(g)
		}
		return r, err
	}
	return apply(o, like, row)
}
