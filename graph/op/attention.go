package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Attention is multi-head scaled dot-product attention (Vaswani et al. 2017) within each sequence of a packed batch:
//
//	y[s,h] = P·v[s,h],  P = softmax(scale · q[s,h]·k[s,h]ᵀ)
//
// q, k, v and y are [T, heads·d]; bounds is int32 [sequences+1], the first row of each sequence and T at the end.
// Every token sees its whole sequence; padding is not there to be masked.
//
// With dP = dy·vᵀ and dS = scale·P ⊙ (dP − Σ_j P ⊙ dP):
//
//	dq = dS·k,  dk = dSᵀ·q,  dv = Pᵀ·dy
func Attention(q, k, v, bounds *G.Node, heads int, scale float32) (*G.Node, error) {
	a := kernel.Attention{Heads: heads, Scale: scale}
	o := &Op{name: "Attention", attrs: fmt.Sprintf("heads=%d,scale=%g", heads, scale)}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		if err := ranks(in, 2, 2, 2, 1); err != nil {
			return nil, err
		}
		if !in[0].Eq(in[1]) || !in[0].Eq(in[2]) {
			return nil, fmt.Errorf("q, k and v differ in shape")
		}
		if heads < 1 || in[0][1]%heads != 0 {
			return nil, fmt.Errorf("%d columns do not split into %d heads", in[0][1], heads)
		}
		return append(dst, in[0]...), nil
	}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) {
		k.Attention(out, in[0], in[1], in[2], in[3], a)
	}
	o.flops = func(_ kernel.Tensor, in []kernel.Tensor) float64 { return 4 * pairs(in[3]) * float64(in[0].Cols()) }
	o.diff = func(in G.Nodes, _, g *G.Node, need []bool) (G.Nodes, error) {
		all, err := attentionGrad(in, g, a)
		if err != nil {
			return nil, err
		}
		r := make(G.Nodes, 4)
		for i := range 3 {
			if need[i] && err == nil {
				r[i], err = Part(all, i)
			}
		}
		return r, err
	}
	return apply(o, q, k, v, bounds)
}
