package kerneltest

import (
	"math"
	"slices"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// AdamW checks steps 1, 2, 10 and 1000 against the formula in float64, from given moments.
func AdamW(t *testing.T, open Open) {
	for i, n := range lengths {
		for _, o := range []kernel.AdamW{
			{LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.01, GradScale: 1, Step: 1},
			{LR: 5e-5, Beta1: 0.9, Beta2: 0.98, Eps: 1e-6, GradScale: 0.25, Step: 2},
			{LR: 0.1, Beta1: 0, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.1, GradScale: 1, Step: 10},
			{LR: 1e-3, Beta1: 0.95, Beta2: 0.999, Eps: 1e-3, GradScale: 128, Step: 1000},
			{LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, GradScale: 2, Step: 3, Clip: kernel.F32([]float32{0.125}, 1)},
		} {
			r := newTrial(t, open, uint64(i)).unaligned(i % 4)
			scale := float64(o.GradScale)
			if clip := o.Clip.F32; clip != nil {
				scale *= float64(clip[0])
				o.Clip = r.input(clip, 1)
			}
			p, grad, m, v := r.normal(n, 0.1), r.normal(n, 1e-2), r.normal(n, 1e-2), r.normal(n, 1e-2)
			for j := range v {
				v[j] *= v[j]
			}
			if n > 2 {
				grad[1], m[1], v[1] = 0, 0, 0 // only Eps is below the line
			}
			g := r.input(grad, n)
			// The three outputs in one piece, so that each is compared.
			got := r.from(slices.Concat(p, m, v), func(k kernel.Kernels, out []float32) {
				k.AdamW(kernel.F32(out[:n], n), g, kernel.F32(out[n:2*n], n), kernel.F32(out[2*n:], n), o)
			})
			want, tol := make([]float64, 3*n), make([]float64, 3*n)
			beta1, beta2 := float64(o.Beta1), float64(o.Beta2)
			for j := range n {
				x, gs := float64(p[j]), float64(grad[j])*scale
				m0, v0 := beta1*float64(m[j]), beta2*float64(v[j])
				m1, v1 := m0+(1-beta1)*gs, v0+(1-beta2)*gs*gs
				below := math.Sqrt(v1/(1-math.Pow(beta2, float64(o.Step)))) + float64(o.Eps)
				rate := float64(o.LR) / (1 - math.Pow(beta1, float64(o.Step))) / below
				// 1−β is exact in float32 for β ≥ ½ and 0: two products, the gradient's scaling, and a sum.
				magnitude := math.Abs(m0) + math.Abs(m1-m0)
				want[n+j], tol[n+j] = m1, 4*u*magnitude
				want[2*n+j], tol[2*n+j] = v1, 5*u*v1
				want[j] = x - float64(o.LR)*float64(o.WeightDecay)*x - rate*m1
				tol[j] = 3*u*math.Abs(x) + 12*u*rate*magnitude
			}
			within(t, got, want, tol)
			if n > 0 {
				grad[n/2] = float32(math.NaN())
				g := r.input(grad, n)
				got := r.from(slices.Concat(p, m, v), func(k kernel.Kernels, out []float32) {
					k.AdamW(kernel.F32(out[:n], n), g, kernel.F32(out[n:2*n], n), kernel.F32(out[2*n:], n), o)
				})
				allNaN(t, got, func(j int) bool { return j%n == n/2 })
			}
			if t.Failed() {
				t.Fatalf("length %d, %+v", n, o)
			}
		}
	}
}

// AddScaled checks y += s·x.
func AddScaled(t *testing.T, open Open) {
	for i, n := range lengths {
		for _, s := range []float32{0, 1, -0.37} {
			r := newTrial(t, open, uint64(i)).unaligned(i % 4)
			x, y := r.normal(n, 3), r.normal(n, 1)
			a := r.input(x, n)
			want, tol := make([]float64, n), make([]float64, n)
			for j := range want {
				product := float64(s) * float64(x[j])
				want[j] = float64(y[j]) + product
				tol[j] = u * (math.Abs(product) + math.Abs(want[j]))
			}
			got := r.from(y, func(k kernel.Kernels, out []float32) { k.AddScaled(kernel.F32(out, n), a, s) })
			within(t, got, want, tol)
			if n > 0 {
				x[n/2] = float32(math.NaN())
				a := r.input(x, n)
				got := r.from(y, func(k kernel.Kernels, out []float32) { k.AddScaled(kernel.F32(out, n), a, s) })
				allNaN(t, got, func(j int) bool { return j == n/2 })
			}
			if t.Failed() {
				t.Fatalf("length %d, factor %g", n, s)
			}
		}
	}
}

// Clip checks the factor for norms whose squares float32 would overflow or lose, on both sides of the limit.
func Clip(t *testing.T, open Open) {
	for i, n := range append(lengths, 4097) {
		for _, deviation := range []float64{1e-20, 1, 1e30} {
			r := newTrial(t, open, uint64(i)).unaligned(i % 4)
			x := r.normal(n, deviation)
			var squares float64
			for _, v := range x {
				squares += float64(v) * float64(v)
			}
			clip := func(limit float32) []float32 {
				a := r.input(x, n)
				return r.fresh(1, func(k kernel.Kernels, out []float32) { k.Clip(kernel.F32(out, 1), a, limit) })
			}
			above := float32(2 * math.Sqrt(squares))
			exactly(t, clip(above), []float64{1})
			if n == 0 {
				continue
			}
			limit := above / 4
			// A square of a float32 is exact in float64, n additions in any order are far below the quotient's rounding.
			want := float64(limit) / math.Sqrt(squares)
			within(t, clip(limit), []float64{want}, []float64{2 * u * want})
			x[n/2] = float32(math.NaN())
			exactly(t, clip(limit), []float64{1})
			if t.Failed() {
				t.Fatalf("length %d, deviation %g", n, deviation)
			}
		}
	}
}
