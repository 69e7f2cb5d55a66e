//go:build gpu && cgo && linux

package gpu

import (
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/internal/cuda"
)

// Reduce implements kernel.Kernels.
func (k *kernels) Reduce(out, x kernel.Tensor, f kernel.Reduction) {
	m := len(out.F32)
	if m == 0 {
		return
	}
	n := len(x.F32) / m
	if n == 0 { // nothing to read, and yet each row has a value
		k.launch("reduce_short", warps(m), at(out), null, cuda.I(int(f)), cuda.L(m), cuda.I(0))
		return
	}
	k.perRow("reduce_short", "reduce_long", m, n, at(out), at(x), cuda.I(int(f)), cuda.L(m), cuda.I(n))
}

// Softmax implements kernel.Kernels.
func (k *kernels) Softmax(out, x kernel.Tensor, empty float32) {
	m, n := out.Rows(), out.Cols()
	k.perRow("softmax_short", "softmax_long", m, n, at(out), at(x), cuda.F(empty), cuda.L(m), cuda.I(n))
}

// lanes are the threads of a block that adds up n numbers, whole warps of them. They depend on n alone, as the order of
// the sum does.
func lanes(n, most int) int { return min(most, 32*max(1, ceil(n, 32))) }

// sumBlocks is over how many blocks a sum of n numbers is spread at most.
const sumBlocks = 1024

// Clip implements kernel.Kernels.
func (k *kernels) Clip(out, x kernel.Tensor, limit float32) {
	n := len(x.F32)
	blocks := min(sumBlocks, ceil(n, 4*256))
	partial := cuda.P(k.scratch(8 * max(blocks, 1))[0])
	if n > 0 {
		k.launch("sum_squares", cuda.Line(blocks, lanes(n, 256)), partial, at(x), cuda.L(n))
	}
	k.launch("clip_factor", cuda.Line(1, lanes(blocks, 1024)), at(out), partial, cuda.F(limit), cuda.L(blocks))
}

// CrossEntropy implements kernel.Kernels.
func (k *kernels) CrossEntropy(out, logits, labels, weight kernel.Tensor) {
	m, n := logits.Rows(), logits.Cols()
	losses := cuda.P(k.scratch(8 * max(m, 1))[0])
	k.perRow("cross_entropy_short", "cross_entropy_long", m, n, losses, at(logits), at(labels), cuda.L(m), cuda.I(n))
	k.launch("weighted_total", cuda.Line(1, lanes(m, 1024)), at(out), at(weight), losses, cuda.L(m))
}

// CrossEntropyGrad implements kernel.Kernels.
func (k *kernels) CrossEntropyGrad(out, logits, labels, weight, dout kernel.Tensor) {
	m, n := logits.Rows(), logits.Cols()
	k.perRow("cross_entropy_grad_short", "cross_entropy_grad_long", m, n, at(out), at(logits), at(labels), at(weight), at(dout),
		cuda.L(m), cuda.I(n))
}
