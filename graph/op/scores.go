package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Scores are products of rows within each sequence of a packed batch, head by head:
//
//	y[t·heads+h, j−s] = scale · ⟨a[t,h], b[j,h]⟩ for t and j of the sequence that starts at s
//
// and outside everywhere else, also for j more than window places from t if window is not 0: a and b [T,heads·d], bounds int32 [sequences+1] as in Attention, y [T·heads,T]. Scores
// and Mix are attention taken apart, for derivatives of its gradient.
//
//	da = scale · dy·b,  db = scale · dyᵀ·a within each sequence and head
func Scores(a, b, bounds *G.Node, heads, window int, scale, outside float32) (*G.Node, error) {
	o := &Op{name: "Scores", attrs: fmt.Sprintf("heads=%d,window=%d,scale=%g,outside=%g", heads, window, scale, outside)}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		if err := ranks(in, 2, 2, 1); err != nil {
			return nil, err
		}
		if !in[0].Eq(in[1]) || heads < 1 || in[0][1]%heads != 0 {
			return nil, fmt.Errorf("want two matrices of one shape, with columns for %d heads", heads)
		}
		return append(dst, in[0][0]*heads, in[0][0]), nil
	}
	options := kernel.Attention{Heads: heads, Scale: scale, Window: window}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) {
		k.Scores(out, in[0], in[1], in[2], options, outside)
	}
	o.flops = func(_ kernel.Tensor, in []kernel.Tensor) float64 { return 2 * pairs(in[2]) * float64(in[0].Cols()) }
	o.diff = func(in G.Nodes, _, g *G.Node, need []bool) (r G.Nodes, err error) {
		r = make(G.Nodes, 3)
		if need[0] {
			if r[0], err = Mix(g, in[1], in[2], heads, false, scale); err != nil {
				return nil, err
			}
		}
		if need[1] {
			r[1], err = Mix(g, in[0], in[2], heads, true, scale)
		}
		return r, err
	}
	return apply(o, a, b, bounds)
}
