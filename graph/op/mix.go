package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Mix are sums of rows within each sequence of a packed batch, head by head, with weights p laid out as Scores are:
//
//	y[t,h] = scale · Σ_j p[t·heads+h, j−s] · x[j,h], trans: y[j,h] = scale · Σ_t p[t·heads+h, j−s] · x[t,h]
//
// p [T·heads,T], x and y [T,heads·d]; rows that lie in no sequence come out as zero.
//
//	dp = scale · dy·xᵀ (trans: x·dyᵀ),  dx = scale · pᵀ·dy (trans: p·dy) within each sequence and head
func Mix(p, x, bounds *G.Node, heads int, trans bool, scale float32) (*G.Node, error) {
	o := &Op{name: "Mix", attrs: fmt.Sprintf("heads=%d,trans=%t,scale=%g", heads, trans, scale)}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		if err := ranks(in, 2, 2, 1); err != nil {
			return nil, err
		}
		if rows := in[1][0]; heads < 1 || in[1][1]%heads != 0 || in[0][0] != rows*heads || in[0][1] != rows {
			return nil, fmt.Errorf("want weights [T·%d,T] and a matrix [T,%d·d]", heads, heads)
		}
		return append(dst, in[1]...), nil
	}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) {
		k.Mix(out, in[0], in[1], in[2], kernel.Attention{Heads: heads, Scale: scale}, trans)
	}
	o.flops = func(_ kernel.Tensor, in []kernel.Tensor) float64 { return 2 * pairs(in[2]) * float64(in[1].Cols()) }
	o.diff = func(in G.Nodes, _, g *G.Node, need []bool) (r G.Nodes, err error) {
		r = make(G.Nodes, 3)
		if need[0] {
			a, b := g, in[1]
			if trans {
				a, b = b, a
			}
			if r[0], err = Scores(a, b, in[2], heads, 0, scale, 0); err != nil {
				return nil, err
			}
		}
		if need[1] {
			r[1], err = Mix(in[0], g, in[2], heads, !trans, scale)
		}
		return r, err
	}
	return apply(o, p, x, bounds)
}
