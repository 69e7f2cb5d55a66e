package portable

import (
	"math"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// AdamW implements kernel.Kernels.
func (*kernels) AdamW(p, g, m, v kernel.Tensor, o kernel.AdamW) {
	beta1, beta2 := float64(o.Beta1), float64(o.Beta2)
	b1, b2, c1, c2 := o.Beta1, o.Beta2, float32(1-beta1), float32(1-beta2)
	step := float32(float64(o.LR) / (1 - math.Pow(beta1, float64(o.Step))))
	root := float32(1 / math.Sqrt(1-math.Pow(beta2, float64(o.Step)))) // √(v/(1−β2ᵗ)) = root·√v
	decay, scale := o.LR*o.WeightDecay, o.Scale()
	for i, grad := range g.F32 {
		grad *= scale
		mi := b1*m.F32[i] + c1*grad
		vi := b2*v.F32[i] + c2*grad*grad
		m.F32[i], v.F32[i] = mi, vi
		x := p.F32[i]
		p.F32[i] = x - decay*x - step*mi/(root*float32(math.Sqrt(float64(vi)))+o.Eps)
	}
}

// AddScaled implements kernel.Kernels.
func (*kernels) AddScaled(y, x kernel.Tensor, s float32) { addScaled(y.F32, x.F32, s) }

// Clip implements kernel.Kernels: sixteen partial sums of squares, element i in sum i mod 16, added in pairs.
func (*kernels) Clip(out, x kernel.Tensor, limit float32) {
	var partial [16]float64
	for i, v := range x.F32 {
		partial[i%16] += float64(v) * float64(v)
	}
	for n := len(partial) / 2; n > 0; n /= 2 {
		for i := range n {
			partial[i] += partial[n+i]
		}
	}
	out.F32[0] = kernel.ClipFactor(partial[0], limit)
}
