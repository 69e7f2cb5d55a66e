package cpu

import (
	"math"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// u is the unit roundoff of float32.
const u = 0x1p-24

// everywhere are numbers of every magnitude, densely where functions change, with those that are none.
func everywhere() (x []float32) {
	for v := -120.0; v <= 120; v += 0.37 {
		x = append(x, float32(v))
	}
	for v := -4.5; v <= 4.5; v += 0.003 {
		x = append(x, float32(v))
	}
	for e := -149; e < 128; e++ {
		x = append(x, float32(math.Ldexp(1, e)), -float32(math.Ldexp(1, e)))
	}
	inf := float32(math.Inf(1))
	return append(x, inf, -inf, float32(math.NaN()), 0, math.MaxFloat32, math.Nextafter32(1, 0), math.Nextafter32(-1, 0))
}

// The functions that C has hold from end to end, what float32 has no normal number for included, to 4 roundings: erf's
// polynomials err by 2.5, the others round once or twice.
func TestFunctionsHoldEverywhere(t *testing.T) {
	x := everywhere()
	n := len(x)
	for f, want := range map[kernel.Function]func(float64) float64{
		kernel.Exp: math.Exp, kernel.Erf: math.Erf, kernel.Sqrt: math.Sqrt,
		kernel.Sigmoid:    func(x float64) float64 { return 1 / (1 + math.Exp(-x)) },
		kernel.Reciprocal: func(x float64) float64 { return 1 / x },
		kernel.InvSqrt:    func(x float64) float64 { return 1 / math.Sqrt(x) },
	} {
		t.Run(f.String(), func(t *testing.T) {
			each(t, func(t *testing.T, l Level) {
				got := make([]float32, n)
				open(t, l)().Map(kernel.F32(got, n), kernel.F32(x, n), f)
				for i, v := range x {
					w := want(float64(v))
					if float32(w) == got[i] || math.IsNaN(w) && math.IsNaN(float64(got[i])) {
						continue
					}
					if !(math.Abs(float64(got[i])-w) <= 4*u*math.Abs(w)+math.SmallestNonzeroFloat32) {
						t.Fatalf("of %g it is %g, want %g", v, got[i], w)
					}
				}
			})
		})
	}
}

// Rows with NaN and infinities, at every place of rows of every width up to two vectors, come out as in plain Go.
func TestRowsWithSpecialNumbers(t *testing.T) {
	inf := float32(math.Inf(1))
	reference := open(t, Portable)()
	each(t, func(t *testing.T, l Level) {
		k := open(t, l)()
		for n := 1; n <= 33; n++ {
			for _, rest := range []float32{-1, -inf} {
				for _, special := range []float32{float32(math.NaN()), inf, -inf, 3} {
					x := make([]float32, n*n)
					for i := range x {
						x[i] = rest
						if i%n == i/n {
							x[i] = special
						}
					}
					for _, f := range kernel.Reductions() {
						got, want := make([]float32, n), make([]float32, n)
						k.Reduce(kernel.F32(got, n), kernel.F32(x, n, n), f)
						reference.Reduce(kernel.F32(want, n), kernel.F32(x, n, n), f)
						alike(t, f, n, got, want)
					}
					got, want := make([]float32, n*n), make([]float32, n*n)
					k.Softmax(kernel.F32(got, n, n), kernel.F32(x, n, n), 0.25)
					reference.Softmax(kernel.F32(want, n, n), kernel.F32(x, n, n), 0.25)
					alike(t, "softmax", n, got, want)
				}
			}
		}
	})
}

// alike demands equal numbers up to 4 roundings, and NaN where there is NaN.
func alike(t *testing.T, what any, n int, got, want []float32) {
	t.Helper()
	for i, w := range want {
		g := float64(got[i])
		if got[i] == w || g != g && w != w || math.Abs(g-float64(w)) <= 4*u*math.Abs(float64(w)) {
			continue
		}
		t.Fatalf("%v of rows of %d: element %d is %g, want %g", what, n, i, g, w)
	}
}
