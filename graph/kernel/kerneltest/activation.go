package kerneltest

import (
	"math"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// activation is the reference of one element-wise function. The errors allowed are value + 16u·|f| for f and
// slope + 16u·|f′| for f′, times |dy|: 16 roundings of a well-conditioned formula, and what a polynomial or the
// cancellation in 1 − tanh² and the like may add.
type activation struct {
	f, df        func(x float64) float64
	value, slope float64
}

// activations are the references of kernel.Activations.
var activations = map[kernel.Activation]activation{
	kernel.GELU: {
		f: func(x float64) float64 { return x * math.Erfc(-x/math.Sqrt2) / 2 },
		df: func(x float64) float64 {
			return math.Erfc(-x/math.Sqrt2)/2 + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
		},
		value: 5e-7, slope: 1e-6,
	},
	kernel.GELUTanh: {
		f: func(x float64) float64 { return x / 2 * (1 + math.Tanh(geluArgument(x))) },
		df: func(x float64) float64 {
			h := math.Tanh(geluArgument(x))
			return (1+h)/2 + x/2*(1-h*h)*math.Sqrt(2/math.Pi)*(1+3*0.044715*x*x)
		},
		value: 5e-7, slope: 1e-6,
	},
	kernel.ReLU: {
		f: func(x float64) float64 { return max(x, 0) },
		df: func(x float64) float64 {
			if x > 0 {
				return 1
			}
			return 0
		},
	},
	// The smallest normal float32 is 1.2e-38: exp may end there, times |x| < 1e3.
	kernel.SiLU: {
		f: func(x float64) float64 { return x * sigmoid(x) },
		df: func(x float64) float64 {
			return sigmoid(x) * (1 + x*sigmoid(-x))
		},
		value: 1e-35, slope: 1e-6,
	},
	kernel.Tanh: {
		f:     math.Tanh,
		df:    func(x float64) float64 { h := math.Tanh(x); return 1 - h*h },
		slope: 1e-6,
	},
}

func geluArgument(x float64) float64 { return math.Sqrt(2/math.Pi) * (x + 0.044715*x*x*x) }

func sigmoid(x float64) float64 {
	if x < -700 { // exp(-x) would overflow
		return math.Exp(x)
	}
	return 1 / (1 + math.Exp(-x))
}

// activationPoints are inputs on a fine grid where the functions bend, tiny ones, and far ones on both sides.
func activationPoints() []float32 {
	points := []float32{0, float32(math.Copysign(0, -1))}
	for x := -12.0; x <= 12; x += 1.0 / 128 {
		points = append(points, float32(x))
	}
	for _, x := range []float32{1e-40, 1e-30, 1e-10, 1e-6, 1e-4, 1e-3, 0.01, 0.1, 13, 20, 50, 87, 88, 89, 104, 1e3, 1e4} {
		points = append(points, x, -x)
	}
	return points
}

// Activate checks every activation at every length, in place too, and on the whole range of its argument.
func Activate(t *testing.T, open Open) {
	for _, f := range kernel.Activations() {
		reference := activations[f]
		for i, n := range append(lengths, len(activationPoints())) {
			r := newTrial(t, open, uint64(i)).unaligned(i % 4)
			x := r.normal(n, 3)
			if n == len(activationPoints()) {
				x = activationPoints()
			}
			want, tol := make([]float64, n), make([]float64, n)
			for j, v := range x {
				want[j] = reference.f(float64(v))
				tol[j] = reference.value + 16*u*math.Abs(want[j])
			}
			a := r.input(x, n)
			within(t, r.fresh(n, func(k kernel.Kernels, out []float32) { k.Activate(kernel.F32(out, n), a, f) }), want, tol)
			within(t, r.from(x, func(k kernel.Kernels, out []float32) {
				k.Activate(kernel.F32(out, n), kernel.F32(out, n), f)
			}), want, tol)
			if n > 0 {
				x[n/2] = float32(math.NaN())
				got := r.from(x, func(k kernel.Kernels, out []float32) {
					k.Activate(kernel.F32(out, n), kernel.F32(out, n), f)
				})
				allNaN(t, got, func(j int) bool { return j == n/2 })
			}
			if t.Failed() {
				t.Fatalf("%v, length %d", f, n)
			}
		}
	}
}

// ActivateGrad checks every activation's gradient against its formula and the formula against finite differences.
func ActivateGrad(t *testing.T, open Open) {
	for _, f := range kernel.Activations() {
		reference := activations[f]
		for i, n := range append(lengths, len(activationPoints())) {
			r := newTrial(t, open, uint64(i)).unaligned(i % 4)
			x, y := r.normal(n, 3), r.normal(n, 1)
			if n == len(activationPoints()) {
				x = activationPoints()
			}
			want, tol := make([]float64, n), make([]float64, n)
			for j, v := range x {
				slope, dy := reference.df(float64(v)), float64(y[j])
				if v := float64(v); math.Abs(v) > 1e-3 && math.Abs(v) < 20 {
					numeric := central(func(x []float64) float64 { return reference.f(x[0]) }, []float64{v})[0]
					if math.Abs(numeric-slope) > 1e-8 {
						t.Fatalf("%v: the reference's slope at %g is %g, by differences %g", f, v, slope, numeric)
					}
				}
				want[j] = slope * dy
				tol[j] = (reference.slope + 16*u*math.Abs(slope)) * math.Abs(dy)
			}
			a, dy := r.input(x, n), r.input(y, n)
			within(t, r.fresh(n, func(k kernel.Kernels, out []float32) {
				k.ActivateGrad(kernel.F32(out, n), a, dy, f)
			}), want, tol)
			within(t, r.from(y, func(k kernel.Kernels, out []float32) {
				k.ActivateGrad(kernel.F32(out, n), a, kernel.F32(out, n), f)
			}), want, tol)
			if n > 3 {
				x[n/2], y[n/3] = float32(math.NaN()), float32(math.NaN())
				a, dy := r.input(x, n), r.input(y, n)
				got := r.fresh(n, func(k kernel.Kernels, out []float32) { k.ActivateGrad(kernel.F32(out, n), a, dy, f) })
				allNaN(t, got, func(j int) bool { return j == n/2 || j == n/3 })
			}
			if t.Failed() {
				t.Fatalf("%v, length %d", f, n)
			}
		}
	}
}
