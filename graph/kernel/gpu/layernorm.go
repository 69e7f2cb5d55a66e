//go:build gpu && cgo && linux

package gpu

import (
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/internal/cuda"
)

// shortRow is the longest row that a warp takes, and keeps in registers in layernorm.cu.
const shortRow = 1024

// LayerNorm implements kernel.Kernels.
func (k *kernels) LayerNorm(out, x, residual, gamma, beta kernel.Tensor, eps float32) {
	m, n := out.Rows(), out.Cols()
	k.perRow("layer_norm_short", "layer_norm_long", m, n, at(out), at(x), at(residual), at(gamma), at(beta), cuda.L(m),
		cuda.I(n), cuda.F(eps))
}

// LayerNormGrad implements kernel.Kernels.
func (k *kernels) LayerNormGrad(dz, x, residual, gamma, dy kernel.Tensor, eps float32) {
	m, n := dz.Rows(), dz.Cols()
	k.perRow("layer_norm_grad_short", "layer_norm_grad_long", m, n, at(dz), at(x), at(residual), at(gamma), at(dy), cuda.L(m),
		cuda.I(n), cuda.F(eps))
}

// LayerNormParamGrad implements kernel.Kernels: the rows' moments, then sums down the columns.
func (k *kernels) LayerNormParamGrad(out, x, residual, dy kernel.Tensor, eps float32) {
	m, n := x.Rows(), x.Cols()
	if m == 0 {
		k.Fill(out, 0)
		return
	}
	blocks, rows := columnBlocks(m)
	scratch := k.scratch(4*2*m, 4*2*n*blocks)
	stats, partial := scratch[0], scratch[1]
	k.perRow("layer_norm_stats_short", "layer_norm_stats_long", m, n, cuda.P(stats), at(x), at(residual), cuda.L(m), cuda.I(n),
		cuda.F(eps))
	to := cuda.P(partial)
	if blocks == 1 {
		to = at(out)
	}
	k.launch("layer_norm_param_sums", columns(n, blocks), to, at(x), at(residual), at(dy), cuda.P(stats), cuda.L(m), cuda.I(n),
		cuda.L(rows))
	if blocks > 1 {
		k.launch("column_sums", columns(2*n, 1), at(out), to, cuda.L(blocks), cuda.I(2*n), cuda.L(blocks))
	}
}

// ColSum implements kernel.Kernels.
func (k *kernels) ColSum(out, x kernel.Tensor) {
	m, n := x.Rows(), x.Cols()
	if n == 0 {
		return
	}
	blocks, rows := columnBlocks(m)
	if blocks == 1 {
		k.launch("column_sums", columns(n, 1), at(out), at(x), cuda.L(m), cuda.I(n), cuda.L(max(m, 1)))
		return
	}
	partial := cuda.P(k.scratch(4 * n * blocks)[0])
	k.launch("column_sums", columns(n, blocks), partial, at(x), cuda.L(m), cuda.I(n), cuda.L(rows))
	k.launch("column_sums", columns(n, 1), at(out), partial, cuda.L(blocks), cuda.I(n), cuda.L(blocks))
}

// columnBlocks is over how many blocks m rows are summed, and how many rows each takes. It depends on nothing else, so
// that the order of the sums is the same on every device.
func columnBlocks(m int) (blocks, rows int) {
	rows = max(128, ceil(m, 1024))
	return max(1, ceil(m, rows)), rows
}

// columns is the grid of columns.cu.
func columns(n, blocks int) cuda.Grid {
	return cuda.Grid{Blocks: cuda.Dim{X: ceil(n, 32), Y: blocks}, Threads: cuda.Dim{X: 256}}
}

// perRow launches the kernel whose warps take a row each, or for long rows that whose blocks do.
func (k *kernels) perRow(short, long string, m, n int, args ...cuda.Arg) {
	switch {
	case m == 0 || n == 0:
	case n <= shortRow:
		k.launch(short, warps(m), args...)
	default:
		k.launch(long, cuda.Line(m, 256), args...)
	}
}
