package portable

import (
	"math"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// A normRow is a row of x + residual, brought to mean 0 and variance 1 element by element.
type normRow struct {
	x, residual []float32 // residual may be empty
	mean, rstd  float64
}

// newNormRow takes the mean and the variance of row i, in float64.
func newNormRow(x, residual kernel.Tensor, i int, eps float32) normRow {
	n := x.Cols()
	r := normRow{x: x.F32[i*n : i*n+n]}
	if !residual.Empty() {
		r.residual = residual.F32[i*n : i*n+n]
	}
	for j := range r.x {
		r.mean += r.at(j)
	}
	r.mean /= float64(n)
	var variance float64
	for j := range r.x {
		d := r.at(j) - r.mean
		variance += d * d
	}
	r.rstd = 1 / math.Sqrt(variance/float64(n)+float64(eps))
	return r
}

// at is z = x + residual at column j.
func (r *normRow) at(j int) float64 {
	if r.residual == nil {
		return float64(r.x[j])
	}
	return float64(r.x[j] + r.residual[j])
}

// hat is the normalised value at column j.
func (r *normRow) hat(j int) float64 { return (r.at(j) - r.mean) * r.rstd }

// LayerNorm implements kernel.Kernels.
func (*kernels) LayerNorm(out, x, residual, gamma, beta kernel.Tensor, eps float32) {
	n := out.Cols()
	for i := range out.Rows() {
		r := newNormRow(x, residual, i, eps)
		to := out.F32[i*n : i*n+n]
		for j := range to {
			y := float32(r.hat(j)) * gamma.F32[j]
			if !beta.Empty() {
				y += beta.F32[j]
			}
			to[j] = y
		}
	}
}

// LayerNormGrad implements kernel.Kernels. With d = dy ⊙ gamma and ẑ the normalised row,
// dz = rstd·(d − mean(d) − ẑ·mean(d ⊙ ẑ)).
func (*kernels) LayerNormGrad(dz, x, residual, gamma, dy kernel.Tensor, eps float32) {
	n := dz.Cols()
	for i := range dz.Rows() {
		r := newNormRow(x, residual, i, eps)
		up, to := dy.F32[i*n:i*n+n], dz.F32[i*n:i*n+n]
		var mean, along float64
		for j, v := range up {
			d := float64(v) * float64(gamma.F32[j])
			mean += d
			along += d * r.hat(j)
		}
		mean /= float64(n)
		along /= float64(n)
		for j, v := range up {
			to[j] = float32(r.rstd * (float64(v)*float64(gamma.F32[j]) - mean - r.hat(j)*along))
		}
	}
}

// LayerNormParamGrad implements kernel.Kernels.
func (*kernels) LayerNormParamGrad(out, x, residual, dy kernel.Tensor, eps float32) {
	n := x.Cols()
	gamma, beta := out.F32[:n], out.F32[n:2*n]
	clear(out.F32)
	for i := range x.Rows() {
		r := newNormRow(x, residual, i, eps)
		for j, v := range dy.F32[i*n : i*n+n] {
			gamma[j] += v * float32(r.hat(j))
			beta[j] += v
		}
	}
}
