//go:build gpu && cgo && linux

package gpu

import (
	"math"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/internal/cuda"
)

// Add implements kernel.Kernels.
func (k *kernels) Add(out, a, b kernel.Tensor) { k.each("add", out, at(out), at(a), at(b)) }

// Mul implements kernel.Kernels.
func (k *kernels) Mul(out, a, b kernel.Tensor) { k.each("mul", out, at(out), at(a), at(b)) }

// Scale implements kernel.Kernels.
func (k *kernels) Scale(out, x kernel.Tensor, s float32) {
	k.each("scale", out, at(out), at(x), cuda.F(s))
}

// Shift implements kernel.Kernels.
func (k *kernels) Shift(out, x kernel.Tensor, c float32) {
	k.each("shift", out, at(out), at(x), cuda.F(c))
}

// AddScaled implements kernel.Kernels.
func (k *kernels) AddScaled(y, x kernel.Tensor, s float32) {
	k.each("add_scaled", y, at(y), at(x), cuda.F(s))
}

// Fill implements kernel.Kernels.
func (k *kernels) Fill(out kernel.Tensor, v float32) {
	k.fill(address(out), math.Float32bits(v), len(out.F32))
}

// Activate implements kernel.Kernels.
func (k *kernels) Activate(out, x kernel.Tensor, f kernel.Activation) {
	k.each("activate", out, at(out), at(x), cuda.I(int(f)))
}

// ActivateGrad implements kernel.Kernels.
func (k *kernels) ActivateGrad(dx, x, dy kernel.Tensor, f kernel.Activation) {
	k.each("activate_grad", dx, at(dx), at(x), at(dy), cuda.I(int(f)))
}

// Map implements kernel.Kernels.
func (k *kernels) Map(out, x kernel.Tensor, f kernel.Function) {
	k.each("map_each", out, at(out), at(x), cuda.I(int(f)))
}

// Combine implements kernel.Kernels.
func (k *kernels) Combine(out, a, b kernel.Tensor, f kernel.Pair) {
	k.each("combine_each", out, at(out), at(a), at(b), cuda.I(int(f)))
}

// Select implements kernel.Kernels.
func (k *kernels) Select(out, c, a, b kernel.Tensor) {
	k.each("select_each", out, at(out), at(c), at(a), at(b))
}

// AdamW implements kernel.Kernels.
func (k *kernels) AdamW(p, g, m, v kernel.Tensor, o kernel.AdamW) {
	beta1, beta2 := float64(o.Beta1), float64(o.Beta2)
	rate := float32(float64(o.LR) / (1 - math.Pow(beta1, float64(o.Step))))
	root := float32(1 / math.Sqrt(1-math.Pow(beta2, float64(o.Step))))
	k.each("adamw", p, at(p), at(g), at(m), at(v), at(o.Clip), cuda.F(o.GradScale), cuda.F(o.Beta1), cuda.F(float32(1-beta1)),
		cuda.F(o.Beta2), cuda.F(float32(1-beta2)), cuda.F(o.LR*o.WeightDecay), cuda.F(rate), cuda.F(root), cuda.F(o.Eps))
}

// each launches a kernel of elementwise.cuh over out's elements; their number is its last argument.
func (k *kernels) each(name string, out kernel.Tensor, args ...cuda.Arg) {
	n := len(out.F32)
	if n == 0 {
		return
	}
	var all [16]cuda.Arg
	used := copy(all[:], args)
	all[used] = cuda.L(n)
	k.launch(name, cuda.Line(min(ceil(n, 4*256), 4096), 256), all[:used+1]...)
}
