package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Attention is multi-head scaled dot-product attention (Vaswani et al. 2017) within each sequence of a packed batch:
//
//	y[s,h] = P·v[s,h],  P = softmax(scale · q[s,h]·k[s,h]ᵀ + B[h]),  B[h][i,j] = bias[j−i+L−1, h]
//
// q, k, v and y are [T, heads·d]; bounds is int32 [sequences+1], the first row of each sequence and T at the end. bias is
// [2L−1, heads] for sequences of up to L tokens, or nil for none; a.Bias is left empty. Every token sees its whole
// sequence, or what lies within a.Window of it; padding is not there to be masked.
//
// With dP = dy·vᵀ and dS = P ⊙ (dP − Σ_j P ⊙ dP):
//
//	dq = scale·dS·k,  dk = scale·dSᵀ·q,  dv = Pᵀ·dy,  dbias = Σ dS by j − i
func Attention(q, k, v, bounds, bias *G.Node, a kernel.Attention) (*G.Node, error) {
	o := &Op{name: "Attention", attrs: attentionAttrs(a)}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		if err := ranks(in[:4], 2, 2, 2, 1); err != nil {
			return nil, err
		}
		if !in[0].Eq(in[1]) || !in[0].Eq(in[2]) {
			return nil, fmt.Errorf("q, k and v differ in shape")
		}
		if a.Heads < 1 || in[0][1]%a.Heads != 0 {
			return nil, fmt.Errorf("%d columns do not split into %d heads", in[0][1], a.Heads)
		}
		if a.Window < 0 {
			return nil, fmt.Errorf("the window is %d", a.Window)
		}
		if len(in) > 4 && (len(in[4]) != 2 || in[4][0]%2 == 0 || in[4][1] != a.Heads) {
			return nil, fmt.Errorf("the bias has shape %v, want an odd number of rows of %d columns", in[4], a.Heads)
		}
		return append(dst, in[0]...), nil
	}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) {
		k.Attention(out, in[0], in[1], in[2], in[3], biased(a, in[4:]))
	}
	o.flops = func(_ kernel.Tensor, in []kernel.Tensor) float64 { return 4 * pairs(in[3]) * float64(in[0].Cols()) }
	o.diff = func(in G.Nodes, _, g *G.Node, need []bool) (G.Nodes, error) {
		r := make(G.Nodes, len(in))
		var err error
		if len(in) > 4 && need[4] {
			if r[4], err = attentionBiasGrad(in, g, a); err != nil {
				return nil, err
			}
		}
		if !need[0] && !need[1] && !need[2] {
			return r, nil
		}
		all, err := attentionGrad(in, g, a)
		for i := range 3 {
			if need[i] && err == nil {
				r[i], err = Part(all, i)
			}
		}
		return r, err
	}
	return apply(o, present(q, k, v, bounds, bias)...)
}

func attentionAttrs(a kernel.Attention) string {
	return fmt.Sprintf("heads=%d,scale=%g,window=%d,%v", a.Heads, a.Scale, a.Window, a.Precision)
}

// biased adds the bias to the options, if there is one.
func biased(a kernel.Attention, bias []kernel.Tensor) kernel.Attention {
	if len(bias) > 0 {
		a.Bias = bias[0]
	}
	return a
}

// attentionBiasGrad is the gradient of the bias.
func attentionBiasGrad(in G.Nodes, dy *G.Node, a kernel.Attention) (*G.Node, error) {
	o := &Op{name: "AttentionBiasGrad", attrs: attentionAttrs(a), infer: sameAs(5)}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) {
		k.AttentionBiasGrad(out, in[1], in[2], in[3], in[4], in[0], biased(a, in[5:]))
	}
	o.diff = noSecondDerivative("a bias")
	return apply(o, append(G.Nodes{dy}, in...)...)
}
