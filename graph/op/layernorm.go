package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// LayerNorm is y = (z − mean(z)) / √(var(z) + eps) ⊙ gamma + beta over each row of z = x + residual (Ba, Kiros and
// Hinton 2016): x and residual [T,H], gamma and beta [H]. residual and beta may be nil.
//
// With ẑ the normalised row and d = dy ⊙ gamma:
//
//	dz = (d − mean(d) − ẑ·mean(d ⊙ ẑ)) / √(var(z) + eps),  dgamma = Σ_t dy ⊙ ẑ,  dbeta = Σ_t dy
func LayerNorm(x, residual, gamma, beta *G.Node, eps float32) (*G.Node, error) {
	v := layerNorm{residual: residual != nil, beta: beta != nil, eps: eps}
	o := &Op{name: "LayerNorm", attrs: v.String(), inPlace: []int{0}}
	if v.residual {
		o.inPlace = []int{0, 1}
	}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		if err := rank(in, 0, 2); err != nil {
			return nil, err
		}
		rest := in[1:]
		if v.residual {
			if !in[0].Eq(in[1]) {
				return nil, fmt.Errorf("x and residual differ in shape")
			}
			rest = in[2:]
		}
		for _, s := range rest {
			if len(s) != 1 || s[0] != in[0][1] {
				return nil, fmt.Errorf("gamma or beta has shape %v, want (%d)", s, in[0][1])
			}
		}
		return append(dst, in[0]...), nil
	}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) {
		x, residual, rest := v.split(in)
		var beta kernel.Tensor
		if v.beta {
			beta = rest[1]
		}
		k.LayerNorm(out, x, residual, rest[0], beta, eps)
	}
	o.diff = v.diff
	return apply(o, present(x, residual, gamma, beta)...)
}

// layerNorm says which inputs a LayerNorm has beside x and gamma.
type layerNorm struct {
	residual, beta bool
	eps            float32
}

func (v layerNorm) String() string {
	return fmt.Sprintf("residual=%t,beta=%t,eps=%g", v.residual, v.beta, v.eps)
}

// split takes x and residual off the inputs.
func (v layerNorm) split(in []kernel.Tensor) (x, residual kernel.Tensor, rest []kernel.Tensor) {
	if v.residual {
		return in[0], in[1], in[2:]
	}
	return in[0], kernel.Tensor{}, in[1:]
}

func (v layerNorm) diff(in G.Nodes, _, g *G.Node, need []bool) (G.Nodes, error) {
	r := make(G.Nodes, len(in))
	z := in[:1]
	if v.residual {
		z = in[:2]
	}
	gamma := len(z)
	if need[0] || v.residual && need[1] {
		dz, err := v.grad(z, in[gamma], g)
		if err != nil {
			return nil, err
		}
		for i := range z {
			r[i] = dz
		}
	}
	if need[gamma] || v.beta && need[gamma+1] {
		both, err := v.paramGrad(z, g)
		if err != nil {
			return nil, err
		}
		for i := gamma; i < len(in); i++ {
			if r[i], err = Part(both, i-gamma); err != nil {
				return nil, err
			}
		}
	}
	return r, nil
}
