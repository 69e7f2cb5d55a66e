package kerneltest

import (
	"math"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// special are numbers at which functions turn, beside random ones.
var special = []float32{0, 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, 30, -30, 100, -100, float32(math.Inf(1)), float32(math.Inf(-1)),
	float32(math.NaN()), 1e-20, -1e20}

// near demands got to be want within tol units of rounding, and equal where want is no finite float32.
func near(t *testing.T, what any, got []float32, want []float64, ulps float64) {
	t.Helper()
	for i, w := range want {
		g := float64(got[i])
		switch {
		case math.IsNaN(w) && math.IsNaN(g), float32(w) == got[i]:
		case math.Abs(g-w) <= ulps*u*math.Abs(w)+math.SmallestNonzeroFloat32:
		default:
			t.Fatalf("%v: element %d is %v, want %v", what, i, g, w)
		}
	}
}

var functions = map[kernel.Function]func(float64) float64{
	kernel.Abs: math.Abs, kernel.Ceil: math.Ceil, kernel.Floor: math.Floor, kernel.Round: math.RoundToEven,
	kernel.Trunc: math.Trunc, kernel.Sqrt: math.Sqrt, kernel.Log: math.Log, kernel.Erf: math.Erf,
	kernel.Sin: math.Sin, kernel.Cos: math.Cos, kernel.Atan: math.Atan,
	kernel.Sign: func(x float64) float64 {
		if x == 0 || math.IsNaN(x) {
			return x
		}
		return x / math.Abs(x)
	},
	kernel.Reciprocal: func(x float64) float64 { return 1 / x },
	kernel.Sigmoid:    func(x float64) float64 { return 0.5 + math.Tanh(x/2)/2 },
	kernel.Softplus:   func(x float64) float64 { return math.Log(1 + math.Exp(x)) },
	kernel.Not:        func(x float64) float64 { return condition(x == 0) },
	kernel.IsNaN:      func(x float64) float64 { return condition(x != x) },
	kernel.Exp:        math.Exp,
	kernel.InvSqrt:    func(x float64) float64 { return 1 / math.Sqrt(x) },
}

func condition(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Map checks every function of one argument, in place too, on numbers of moderate size and on special ones.
func Map(t *testing.T, open Open) {
	for _, f := range kernel.Functions() {
		r := newTrial(t, open, uint64(f))
		x := r.normal(70, 2)
		switch f {
		case kernel.Sign:
			x = append(x, 0, float32(math.NaN()))
		case kernel.Softplus, kernel.Sigmoid: // whose references lose digits far from 0
			x = append(x, special[:8]...)
		case kernel.Sin, kernel.Cos, kernel.Exp:
			x = append(x, special[:10]...)
		default:
			x = append(x, special...)
		}
		want := wide(x)
		for i := range want {
			want[i] = functions[f](want[i])
		}
		n := len(x)
		a := r.input(x, n)
		near(t, f, r.fresh(n, func(k kernel.Kernels, out []float32) { k.Map(kernel.F32(out, n), a, f) }), want, 4)
		near(t, f, r.from(x, func(k kernel.Kernels, out []float32) {
			k.Map(kernel.F32(out, n), kernel.F32(out, n), f)
		}), want, 4)
	}
}

var pairs = map[kernel.Pair]func(a, b float64) float64{
	kernel.Div: func(a, b float64) float64 { return a / b }, kernel.Pow: math.Pow,
	kernel.Min: func(a, b float64) float64 { return min(a, b) }, kernel.Max: func(a, b float64) float64 { return max(a, b) },
	kernel.Equal:          func(a, b float64) float64 { return condition(a == b) },
	kernel.Less:           func(a, b float64) float64 { return condition(a < b) },
	kernel.LessOrEqual:    func(a, b float64) float64 { return condition(a <= b) },
	kernel.Greater:        func(a, b float64) float64 { return condition(a > b) },
	kernel.GreaterOrEqual: func(a, b float64) float64 { return condition(a >= b) },
	kernel.And:            func(a, b float64) float64 { return condition(a != 0 && b != 0) },
	kernel.Or:             func(a, b float64) float64 { return condition(a != 0 || b != 0) },
	kernel.Xor:            func(a, b float64) float64 { return condition((a != 0) != (b != 0)) },
}

// Combine checks every function of two arguments on all pairs of special numbers and on random ones, in place too.
func Combine(t *testing.T, open Open) {
	for _, f := range kernel.Pairs() {
		r := newTrial(t, open, uint64(f))
		x, y := r.normal(50, 2), r.normal(50, 2)
		for _, a := range special {
			for _, b := range special {
				x, y = append(x, a), append(y, b)
			}
		}
		n := len(x)
		want := make([]float64, n)
		for i := range want {
			want[i] = float64(float32(pairs[f](float64(x[i]), float64(y[i]))))
		}
		a, b := r.input(x, n), r.input(y, n)
		for _, got := range [][]float32{
			r.fresh(n, func(k kernel.Kernels, out []float32) { k.Combine(kernel.F32(out, n), a, b, f) }),
			r.from(x, func(k kernel.Kernels, out []float32) { k.Combine(kernel.F32(out, n), kernel.F32(out, n), b, f) }),
			r.from(y, func(k kernel.Kernels, out []float32) { k.Combine(kernel.F32(out, n), a, kernel.F32(out, n), f) }),
		} {
			near(t, f, got, want, 2)
		}
	}
}

// Select checks out = c ≠ 0 ? a : b, with either left out.
func Select(t *testing.T, open Open) {
	for i, n := range lengths {
		r := newTrial(t, open, uint64(i)).unaligned(i % 4)
		c := r.integers(n, 2)
		x, y := r.normal(n, 1), r.normal(n, 1)
		cond, a, b := r.input(c, n), r.input(x, n), r.input(y, n)
		for _, leave := range []string{"", "a", "b"} {
			want := make([]float64, n)
			for j := range want {
				switch {
				case c[j] != 0 && leave != "a":
					want[j] = float64(x[j])
				case c[j] == 0 && leave != "b":
					want[j] = float64(y[j])
				}
			}
			p, q := a, b
			switch leave {
			case "a":
				p = kernel.Tensor{}
			case "b":
				q = kernel.Tensor{}
			}
			exactly(t, r.fresh(n, func(k kernel.Kernels, out []float32) { k.Select(kernel.F32(out, n), cond, p, q) }), want)
		}
	}
}

// Reduce checks products and sums in float64 and exact extremes of rows, with NaN among them.
func Reduce(t *testing.T, open Open) {
	for i, shape := range matrices {
		m, n := shape[0], shape[1]
		r := newTrial(t, open, uint64(i)).unaligned(i % 4)
		x := r.normal(m*n, 1)
		if m > 2 {
			x[2*n] = float32(math.NaN())
		}
		a := r.input(x, m, n)
		for _, f := range kernel.Reductions() {
			want, tol := make([]float64, m), make([]float64, m)
			for j := range m {
				acc, magnitude := float64(x[j*n]), math.Abs(float64(x[j*n]))
				for _, v := range x[j*n+1 : j*n+n] {
					switch w := float64(v); f {
					case kernel.Product:
						acc *= w
					case kernel.Greatest:
						acc = max(acc, w)
					case kernel.Least:
						acc = min(acc, w)
					case kernel.Sum:
						acc += w
						magnitude += math.Abs(w)
					}
				}
				want[j], tol[j] = acc, u*math.Abs(acc)+math.SmallestNonzeroFloat32 // rounded once
				if f == kernel.Sum {
					tol[j] += float64(n) * 0x1p-52 * magnitude // n additions in any order, here and there
				}
			}
			got := r.fresh(m, func(k kernel.Kernels, out []float32) { k.Reduce(kernel.F32(out, m), a, f) })
			if m > 2 {
				allNaN(t, got, func(j int) bool { return j == 2 })
				got[2], want[2], tol[2] = 0, 0, 0
			}
			within(t, got, want, tol)
			if t.Failed() {
				t.Fatal(f, label("shape", m, n))
			}
		}
	}
}

// Softmax checks rows far from zero, with elements of −∞ and of nothing else, in place too.
func Softmax(t *testing.T, open Open) {
	for i, shape := range matrices {
		m, n := shape[0], shape[1]
		for _, empty := range []float32{0, float32(math.NaN())} {
			r := newTrial(t, open, uint64(i)).unaligned(i % 4)
			x := r.normal(m*n, 5)
			for row := range m {
				for j := range n {
					switch {
					case row == 1 || row%3 == 0 && j == n/2:
						x[row*n+j] = float32(math.Inf(-1))
					case row%2 == 0:
						x[row*n+j] -= 1e4
					}
				}
			}
			want, tol := make([]float64, m*n), make([]float64, m*n)
			for row := range m {
				top, total := math.Inf(-1), 0.0
				for _, v := range x[row*n : row*n+n] {
					top = max(top, float64(v))
				}
				for j, v := range x[row*n : row*n+n] {
					want[row*n+j] = math.Exp(float64(v) - top)
					total += want[row*n+j]
				}
				for j := range n {
					want[row*n+j] /= total
					if math.IsInf(top, -1) {
						want[row*n+j] = float64(empty)
					}
					// A rounding each of exponential and quotient, and the smallest number where they vanish.
					tol[row*n+j] = 3*u*want[row*n+j] + math.SmallestNonzeroFloat32
				}
			}
			a := r.input(x, m, n)
			for _, got := range [][]float32{
				r.fresh(m*n, func(k kernel.Kernels, out []float32) { k.Softmax(kernel.F32(out, m, n), a, empty) }),
				r.from(x, func(k kernel.Kernels, out []float32) { k.Softmax(kernel.F32(out, m, n), kernel.F32(out, m, n), empty) }),
			} {
				allNaN(t, got, func(j int) bool { return math.IsNaN(want[j]) })
				for j := range got {
					if math.IsNaN(want[j]) {
						continue
					}
					within(t, got[j:j+1], want[j:j+1], tol[j:j+1])
				}
			}
			if t.Failed() {
				t.Fatal(label("shape", m, n))
			}
		}
	}
}
