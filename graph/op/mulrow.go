package op

import (
	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// MulRow is y[t] = x[t] ⊙ row: x [T,n], row [n].
//
//	dx = dy ⊙ row,  drow = Σ_t dy[t] ⊙ x[t]
func MulRow(x, row *G.Node) (*G.Node, error) {
	o := &Op{name: "MulRow", infer: rowRule, inPlace: []int{0}}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { k.MulRow(out, in[0], in[1]) }
	o.diff = func(in G.Nodes, _, g *G.Node, need []bool) (r G.Nodes, err error) {
		r = make(G.Nodes, 2)
		if need[0] {
			if r[0], err = MulRow(g, in[1]); err != nil {
				return nil, err
			}
		}
		if need[1] {
			p, err := Mul(g, in[0])
			if err != nil {
				return nil, err
			}
			if r[1], err = ColSum(p); err != nil {
				return nil, err
			}
		}
		return r, err
	}
	return apply(o, x, row)
}
