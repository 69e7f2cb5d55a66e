package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Linear is y = x·W + b, or x·Wᵀ + b when trans is set: x [T,in], W [in,out] (trans: [out,in]), b [out] or nil. p is
// kernel.MatMul's Precision, for the gradients' products too.
//
//	dx = dy·Wᵀ,  dW = xᵀ·dy (trans: dyᵀ·x),  db = Σ_t dy[t]
func Linear(x, w, b *G.Node, trans bool, p kernel.Precision) (*G.Node, error) {
	o := &Op{name: "Linear", attrs: fmt.Sprintf("trans=%t,bias=%t,%v", trans, b != nil, p), packs: []PackUse{{1, trans}}}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		dst, err := product(dst, in, false, trans)
		if err == nil && len(in) > 2 && (len(in[2]) != 1 || in[2][0] != dst[1]) {
			return nil, fmt.Errorf("the bias has shape %v, want (%d)", in[2], dst[1])
		}
		return dst, err
	}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) {
		m := kernel.MatMul{TransB: trans, Precision: p}
		if len(in) > 2 {
			m.Bias = in[2]
		}
		k.MatMul(out, in[0], in[1], m)
	}
	o.flops = func(out kernel.Tensor, in []kernel.Tensor) float64 { return productFlops(out, in[0], false) }
	o.diff = func(in G.Nodes, _, g *G.Node, need []bool) (r G.Nodes, err error) {
		if r, err = grads(in, g, need, kernel.MatMul{TransB: trans, Precision: p}, MatMul); err != nil {
			return nil, err
		}
		if len(in) > 2 {
			r = append(r, nil)
			if need[2] {
				r[2], err = ColSum(g)
			}
		}
		return r, err
	}
	return apply(o, present(x, w, b)...)
}
