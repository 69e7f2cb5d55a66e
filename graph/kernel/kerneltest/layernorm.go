package kerneltest

import (
	"math"
	"slices"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// norm is a case of LayerNorm: [m,n], around mean, with or without a residual and a beta.
type norm struct {
	m, n     int
	mean     float32
	residual bool
	beta     bool
	eps      float32
}

// norms returns the cases: widths that cross vectors and unrolling, the encoders' own, rows of one value, and means
// that dwarf the deviation, where a variance taken as E[z²] − E[z]² fails.
func norms() []norm {
	var cases []norm
	for i, n := range []int{1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 384, 768, 1000, 1028, 2305} {
		cases = append(cases, norm{m: 1 + i%7, n: n, residual: i%2 == 1, beta: i%3 != 1, eps: 1e-12},
			norm{m: 3, n: n, mean: 5, residual: i%2 == 0, beta: true, eps: 1e-5})
	}
	return append(cases, norm{m: 0, n: 8, beta: true, eps: 1e-5}, norm{m: 5, n: 100, mean: 3e3, eps: 1e-12})
}

// operands draws the case's operands; one row, if there are several, is constant where there is no residual.
func (c norm) operands(r *trial) (x, residual, gamma, beta []float32) {
	x, gamma = r.normal(c.m*c.n, 1), r.normal(c.n, 1)
	for i := range x {
		x[i] += c.mean
	}
	if c.m > 2 && !c.residual && c.eps > 1e-6 {
		for j := range c.n {
			x[2*c.n+j] = 0.75
		}
	}
	if c.residual {
		residual = r.normal(c.m*c.n, 2)
	}
	if c.beta {
		beta = r.normal(c.n, 1)
	}
	return x, residual, gamma, beta
}

// optional makes a tensor of x, the empty one of nil.
func (r *trial) optional(x []float32, shape ...int) kernel.Tensor {
	if x == nil {
		return kernel.Tensor{}
	}
	return r.input(x, shape...)
}

// sums returns x + residual.
func sums(x, residual []float32) []float64 {
	z := wide(x)
	for i, v := range residual {
		z[i] += float64(v)
	}
	return z
}

// standard is a row z brought to mean 0 and variance 1, with 1/√(var+eps) and a bound on the error of hat: an element
// of z errs by u·max|z|, the mean by (n+1)·u·max|z| in any order of summation, all times rstd; the deviation relatively
// by half of what the variance does, (n+3)·u, and by the errors of its terms, of which the mean's cancels to first
// order.
func standard(z []float64, eps float32) (hat []float64, rstd, tol float64) {
	n := float64(len(z))
	var mean, variance, largest float64
	for _, v := range z {
		mean += v / n
		largest = max(largest, math.Abs(v))
	}
	for _, v := range z {
		variance += (v - mean) * (v - mean) / n
	}
	rstd = 1 / math.Sqrt(variance+float64(eps))
	hat = make([]float64, len(z))
	var extreme float64
	for i, v := range z {
		hat[i] = (v - mean) * rstd
		extreme = max(extreme, math.Abs(hat[i]))
	}
	shift := (n + 3) * u * largest * rstd
	return hat, rstd, shift + extreme*((n/2+4)*u+shift*shift+4*u*largest*rstd)
}

// layerNorm is the reference for one row.
func layerNorm(z []float64, gamma, beta []float32, eps float32) (out, tol []float64) {
	hat, _, err := standard(z, eps)
	out, tol = make([]float64, len(z)), make([]float64, len(z))
	for j, h := range hat {
		out[j] = h * float64(gamma[j])
		tol[j] = err*math.Abs(float64(gamma[j])) + 2*u*math.Abs(out[j])
		if beta != nil {
			out[j] += float64(beta[j])
			tol[j] += u * math.Abs(out[j])
		}
	}
	return out, tol
}

// LayerNorm checks the normalisation, with and without residual and beta, in place of either input too.
func LayerNorm(t *testing.T, open Open) {
	for i, c := range norms() {
		r := newTrial(t, open, uint64(i)).unaligned(i % 4)
		x, residual, gamma, beta := c.operands(r)
		z := sums(x, residual)
		var want, tol []float64
		for row := range c.m {
			out, err := layerNorm(z[row*c.n:(row+1)*c.n], gamma, beta, c.eps)
			want, tol = append(want, out...), append(tol, err...)
		}
		run := func(x, residual []float32) []float32 {
			a, q := r.input(x, c.m, c.n), r.optional(residual, c.m, c.n)
			g, b := r.input(gamma, c.n), r.optional(beta, c.n)
			apart := r.fresh(c.m*c.n, func(k kernel.Kernels, out []float32) {
				k.LayerNorm(kernel.F32(out, c.m, c.n), a, q, g, b, c.eps)
			})
			inPlace := r.from(x, func(k kernel.Kernels, out []float32) {
				k.LayerNorm(kernel.F32(out, c.m, c.n), kernel.F32(out, c.m, c.n), q, g, b, c.eps)
			})
			if d := differingBits(apart, inPlace); d >= 0 {
				t.Errorf("in place of x, element %d is %g, elsewhere %g", d, inPlace[d], apart[d])
			}
			if c.residual {
				inPlace = r.from(residual, func(k kernel.Kernels, out []float32) {
					k.LayerNorm(kernel.F32(out, c.m, c.n), a, kernel.F32(out, c.m, c.n), g, b, c.eps)
				})
				if d := differingBits(apart, inPlace); d >= 0 {
					t.Errorf("in place of the residual, element %d is %g, elsewhere %g", d, inPlace[d], apart[d])
				}
			}
			return apart
		}
		within(t, run(x, residual), want, tol)
		if c.m > 0 {
			x[(c.m-1)*c.n] = float32(math.NaN())
			allNaN(t, run(x, residual), func(j int) bool { return j/c.n == c.m-1 })
		}
		if t.Failed() {
			t.Fatalf("%+v", c)
		}
	}
}

// layerNormGrad is the reference for one row: dz = rstd·(d − mean(d) − hat·mean(d ⊙ hat)) with d = dy ⊙ gamma.
func layerNormGrad(z []float64, gamma, dy []float32, eps float32) (dz, tol []float64) {
	hat, rstd, err := standard(z, eps)
	n := float64(len(z))
	var a, c, magnitude, extreme float64
	for j, h := range hat {
		d := float64(dy[j]) * float64(gamma[j])
		a += d / n
		c += d * h / n
		magnitude = max(magnitude, math.Abs(d))
		extreme = max(extreme, math.Abs(h))
	}
	dz, tol = make([]float64, len(z)), make([]float64, len(z))
	for j, h := range hat {
		dz[j] = rstd * (float64(dy[j])*float64(gamma[j]) - a - h*c)
		// Each mean errs by (n+2)·u of its largest term; hat errs by err in the product and inside c, and rstd
		// relatively as hat does.
		tol[j] = rstd * magnitude * ((n+6)*u*(1+extreme*extreme) + 3*err*(1+extreme))
	}
	return dz, tol
}

// LayerNormGrad checks the gradient of the sum of x and residual against the formula, and the formula against finite
// differences.
func LayerNormGrad(t *testing.T, open Open) {
	for i, c := range norms() {
		r := newTrial(t, open, uint64(i)).unaligned(i % 4)
		x, residual, gamma, _ := c.operands(r)
		dy := r.normal(c.m*c.n, 1)
		z := sums(x, residual)
		var want, tol []float64
		for row := range c.m {
			part := z[row*c.n : (row+1)*c.n]
			up := dy[row*c.n : (row+1)*c.n]
			dz, err := layerNormGrad(part, gamma, up, c.eps)
			if c.n > 2 && c.n < 34 && c.mean < 10 && dz[0] != 0 { // a constant row has no differences to speak of
				numeric := central(func(z []float64) float64 {
					out, _ := layerNorm(z, gamma, nil, c.eps)
					return dot(up, out)
				}, slices.Clone(part))
				for j, v := range numeric {
					if math.Abs(v-dz[j]) > 1e-5*(1+math.Abs(dz[j])) {
						t.Fatalf("%+v: the reference's gradient at %d is %g, by differences %g", c, j, dz[j], v)
					}
				}
			}
			want, tol = append(want, dz...), append(tol, err...)
		}
		run := func(x, dy []float32) []float32 {
			a, q := r.input(x, c.m, c.n), r.optional(residual, c.m, c.n)
			g, d := r.input(gamma, c.n), r.input(dy, c.m, c.n)
			apart := r.fresh(c.m*c.n, func(k kernel.Kernels, out []float32) {
				k.LayerNormGrad(kernel.F32(out, c.m, c.n), a, q, g, d, c.eps)
			})
			inPlace := r.from(dy, func(k kernel.Kernels, out []float32) {
				k.LayerNormGrad(kernel.F32(out, c.m, c.n), a, q, g, kernel.F32(out, c.m, c.n), c.eps)
			})
			if d := differingBits(apart, inPlace); d >= 0 {
				t.Errorf("in place of dy, element %d is %g, elsewhere %g", d, inPlace[d], apart[d])
			}
			return apart
		}
		within(t, run(x, dy), want, tol)
		if c.m > 0 {
			dy[0] = float32(math.NaN())
			allNaN(t, run(x, dy), func(j int) bool { return j/c.n == 0 })
			dy[0], x[0] = 1, float32(math.NaN())
			allNaN(t, run(x, dy), func(j int) bool { return j/c.n == 0 })
		}
		if t.Failed() {
			t.Fatalf("%+v", c)
		}
	}
}

// LayerNormParamGrad checks the gradients of gamma, Σ_i dy ⊙ hat, and of beta, Σ_i dy.
func LayerNormParamGrad(t *testing.T, open Open) {
	cases := append(norms(), norm{m: 65, n: 33, residual: true, eps: 1e-5}, norm{m: 130, n: 16, eps: 1e-5}, norm{m: 300, n: 36, residual: true, eps: 1e-5})
	for i, c := range cases {
		r := newTrial(t, open, uint64(i)).unaligned(i % 4)
		x, residual, _, _ := c.operands(r)
		dy := r.normal(c.m*c.n, 1)
		z := sums(x, residual)
		want, tol := make([]float64, 2*c.n), make([]float64, 2*c.n)
		for row := range c.m {
			hat, _, err := standard(z[row*c.n:(row+1)*c.n], c.eps)
			for j, h := range hat {
				d := float64(dy[row*c.n+j])
				want[j] += d * h
				want[c.n+j] += d
				tol[j] += math.Abs(d) * (err + float64(c.m+2)*u*math.Abs(h))
				tol[c.n+j] += float64(c.m) * u * math.Abs(d)
			}
		}
		run := func(x, dy []float32) []float32 {
			a, q, d := r.input(x, c.m, c.n), r.optional(residual, c.m, c.n), r.input(dy, c.m, c.n)
			return r.fresh(2*c.n, func(k kernel.Kernels, out []float32) {
				k.LayerNormParamGrad(kernel.F32(out, 2, c.n), a, q, d, c.eps)
			})
		}
		within(t, run(x, dy), want, tol)
		if c.m > 0 {
			dy[c.n-1] = float32(math.NaN())
			allNaN(t, run(x, dy), func(j int) bool { return j%c.n == c.n-1 })
			dy[c.n-1], x[0] = 1, float32(math.NaN())
			allNaN(t, run(x, dy), func(j int) bool { return j < c.n })
		}
		if t.Failed() {
			t.Fatalf("%+v", c)
		}
	}
}
