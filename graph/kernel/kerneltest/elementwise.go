package kerneltest

import (
	"math"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// lengths cross every vector width and unrolling that is likely, and the blocks of a GPU.
var lengths = []int{0, 1, 2, 3, 5, 7, 8, 9, 12, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 255, 1000, 5003}

// matrices are shapes for the kernels that work on rows and columns.
var matrices = [][2]int{
	{0, 5}, {1, 1}, {1, 17}, {2, 3}, {3, 16}, {4, 31}, {5, 8}, {6, 7}, {7, 33}, {8, 64}, {13, 12}, {17, 1}, {33, 65},
	{65, 15}, {9, 127}, {16, 384}, {127, 6}, {300, 40}, {3, 2052},
}

// rounded returns the tolerances of results that a kernel computes in one operation: one rounding.
func rounded(want []float64) (tol []float64) {
	tol = make([]float64, len(want))
	for i, v := range want {
		tol[i] = u * math.Abs(v)
	}
	return tol
}

// binary checks an element-wise function of two operands, with out apart from both and with out in place of each.
func binary(t *testing.T, open Open, f func(a, b float64) float64,
	run func(k kernel.Kernels, out, a, b kernel.Tensor)) {
	for i, n := range lengths {
		r := newTrial(t, open, uint64(i)).unaligned(i % 4)
		x, y := r.normal(n, 3), r.normal(n, 0.2)
		if n > 4 {
			x[n-2] = float32(math.NaN())
			y[n-4] = float32(math.NaN())
		}
		a, b := r.input(x, n), r.input(y, n)
		apart := r.fresh(n, func(k kernel.Kernels, out []float32) { run(k, kernel.F32(out, n), a, b) })
		overA := r.from(x, func(k kernel.Kernels, out []float32) { run(k, kernel.F32(out, n), kernel.F32(out, n), b) })
		overB := r.from(y, func(k kernel.Kernels, out []float32) { run(k, kernel.F32(out, n), a, kernel.F32(out, n)) })
		want := make([]float64, n)
		for j := range want {
			want[j] = f(float64(x[j]), float64(y[j]))
		}
		for _, got := range [][]float32{apart, overA, overB} {
			if n > 4 {
				allNaN(t, got, func(j int) bool { return j == n-2 || j == n-4 })
				got[n-2], got[n-4], want[n-2], want[n-4] = 0, 0, 0, 0
			}
			within(t, got, want, rounded(want))
		}
		if t.Failed() {
			t.Fatal(label("length", n))
		}
	}
}

// Add checks out = a + b.
func Add(t *testing.T, open Open) {
	binary(t, open, func(a, b float64) float64 { return a + b }, kernel.Kernels.Add)
}

// Mul checks out = a ⊙ b.
func Mul(t *testing.T, open Open) {
	binary(t, open, func(a, b float64) float64 { return a * b }, kernel.Kernels.Mul)
}

// Scale checks out = s·x, in place too.
func Scale(t *testing.T, open Open) {
	for i, n := range lengths {
		for _, s := range []float32{0, 1, -0.3, 1e20} {
			r := newTrial(t, open, uint64(i)).unaligned(i % 4)
			x := r.normal(n, 3)
			a := r.input(x, n)
			want := wide(x)
			for j := range want {
				want[j] *= float64(s)
			}
			within(t, r.fresh(n, func(k kernel.Kernels, out []float32) { k.Scale(kernel.F32(out, n), a, s) }),
				want, rounded(want))
			within(t, r.from(x, func(k kernel.Kernels, out []float32) {
				k.Scale(kernel.F32(out, n), kernel.F32(out, n), s)
			}), want, rounded(want))
			if t.Failed() {
				t.Fatalf("length %d, factor %g", n, s)
			}
		}
	}
	r := newTrial(t, open, 1)
	nan := r.input([]float32{1, float32(math.NaN()), 3}, 3)
	got := r.fresh(3, func(k kernel.Kernels, out []float32) { k.Scale(kernel.F32(out, 3), nan, 0) })
	allNaN(t, got, func(i int) bool { return i == 1 })
}

// byRow checks a function of a matrix and a row, in place too.
func byRow(t *testing.T, open Open, f func(a, b float64) float64,
	run func(k kernel.Kernels, out, x, row kernel.Tensor)) {
	for i, shape := range matrices {
		m, n := shape[0], shape[1]
		r := newTrial(t, open, uint64(i)).unaligned(i % 4)
		x, y := r.normal(m*n, 3), r.normal(n, 0.2)
		y[n/2] = float32(math.NaN())
		a, row := r.input(x, m, n), r.input(y, n)
		want := make([]float64, m*n)
		for j := range want {
			if j%n != n/2 {
				want[j] = f(float64(x[j]), float64(y[j%n]))
			}
		}
		for _, got := range [][]float32{
			r.fresh(m*n, func(k kernel.Kernels, out []float32) { run(k, kernel.F32(out, m, n), a, row) }),
			r.from(x, func(k kernel.Kernels, out []float32) { run(k, kernel.F32(out, m, n), kernel.F32(out, m, n), row) }),
		} {
			allNaN(t, got, func(j int) bool { return j%n == n/2 })
			for j := n / 2; j < m*n; j += n {
				got[j] = 0
			}
			within(t, got, want, rounded(want))
		}
		if t.Failed() {
			t.Fatal(label("shape", m, n))
		}
	}
}

// AddRow checks out[i,j] = x[i,j] + row[j].
func AddRow(t *testing.T, open Open) {
	byRow(t, open, func(a, b float64) float64 { return a + b }, kernel.Kernels.AddRow)
}

// MulRow checks out[i,j] = x[i,j]·row[j].
func MulRow(t *testing.T, open Open) {
	byRow(t, open, func(a, b float64) float64 { return a * b }, kernel.Kernels.MulRow)
}

// ColSum checks out[j] = Σ_i x[i,j].
func ColSum(t *testing.T, open Open) {
	for i, shape := range matrices {
		m, n := shape[0], shape[1]
		r := newTrial(t, open, uint64(i)).unaligned(i % 4)
		x := r.normal(m*n, 3)
		want, tol := make([]float64, n), make([]float64, n)
		for j, v := range x {
			want[j%n] += float64(v)
			tol[j%n] += float64(m) * u * math.Abs(float64(v)) // m additions in any order
		}
		sum := func(x []float32) []float32 {
			a := r.input(x, m, n)
			return r.fresh(n, func(k kernel.Kernels, out []float32) { k.ColSum(kernel.F32(out, n), a) })
		}
		within(t, sum(x), want, tol)
		if m > 0 {
			x[m/2*n+n/2] = float32(math.NaN())
			allNaN(t, sum(x), func(j int) bool { return j == n/2 })
		}
		if t.Failed() {
			t.Fatal(label("shape", m, n))
		}
	}
}
