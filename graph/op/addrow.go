package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// AddRow is y[t] = x[t] + row: x [T,n], row [n].
//
//	drow = Σ_t dy[t]
func AddRow(x, row *G.Node) (*G.Node, error) {
	o := &Op{name: "AddRow", infer: rowRule, inPlace: []int{0}}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { k.AddRow(out, in[0], in[1]) }
	o.diff = func(_ G.Nodes, _, g *G.Node, need []bool) (r G.Nodes, err error) {
		r = G.Nodes{g, nil}
		if need[1] {
			r[1], err = ColSum(g)
		}
		return r, err
	}
	return apply(o, x, row)
}

// rowRule is the shape rule of a matrix with a row that goes to each of its rows.
func rowRule(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
	if err := ranks(in, 2, 1); err != nil {
		return nil, err
	}
	if in[0][1] != in[1][0] {
		return nil, fmt.Errorf("a row of %d does not fit %d columns", in[1][0], in[0][1])
	}
	return append(dst, in[0]...), nil
}
