package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Rotary turns the pairs of columns of each head by angles that belong to the row (Su et al. 2021, RoFormer):
//
//	y = (a·cos − b·sin, b·cos + a·sin) for each pair (a, b)
//
// x and y are [T, heads·d] with an even d, cos and sin [T, d/2]. The gradient is turned back. cos and sin have none.
func Rotary(x, cos, sin *G.Node, r kernel.Rotary) (*G.Node, error) {
	o := &Op{name: "Rotary", inPlace: []int{0}}
	o.attrs = fmt.Sprintf("heads=%d,interleaved=%t,inverse=%t", r.Heads, r.Interleaved, r.Inverse)
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		if err := ranks(in, 2, 2, 2); err != nil {
			return nil, err
		}
		if !in[1].Eq(in[2]) || in[1][0] != in[0][0] || r.Heads < 1 || in[0][1] != 2*r.Heads*in[1][1] {
			return nil, fmt.Errorf("the angles do not fit %d heads", r.Heads)
		}
		return append(dst, in[0]...), nil
	}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { k.Rotary(out, in[0], in[1], in[2], r) }
	o.diff = func(in G.Nodes, _, g *G.Node, need []bool) (G.Nodes, error) {
		if need[1] || need[2] {
			return nil, fmt.Errorf("the angles of rotary embeddings are not trained")
		}
		back := r
		back.Inverse = !r.Inverse
		dx, err := Rotary(g, in[1], in[2], back)
		return G.Nodes{dx, nil, nil}, err
	}
	return apply(o, x, cos, sin)
}
