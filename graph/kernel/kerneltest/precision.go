package kerneltest

import (
	"fmt"
	"math"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// precisions are those that a device multiplies at, with the most that rounding an operand to them moves it, in parts of it:
// half a unit of eight bits, and a unit of eleven, since a device may cut off what does not fit.
func precisions(open Open) map[kernel.Precision]float64 {
	all := map[kernel.Precision]float64{kernel.Float32: 0, kernel.BFloat16: 0x1p-8}
	if open().Native(kernel.TensorFloat32) {
		all[kernel.TensorFloat32] = 0x1p-10
	}
	return all
}

// roundedProducts are shapes on both sides of what devices round to bfloat16, with many rows, columns and neither.
func roundedProducts() []product {
	return []product{
		{m: 33, n: 8, k: 129}, {m: 40, n: 96, k: 70, transB: true}, {m: 65, n: 8, k: 50, transA: true}, {m: 5, n: 7, k: 0},
		{m: 1100, n: 1030, k: 3, transA: true}, {m: 1024, n: 1024, k: 2, transB: true},
	}
}

// MatMulPrecision checks products without a layout at every precision: exactly on whole numbers that all of them hold, within
// the roundings of their operands on random ones, with a bias, added to what was there and in batches, and that one NaN
// reaches its row and nothing else.
func MatMulPrecision(t *testing.T, open Open) {
	for precision, rounding := range precisions(open) {
		for i, p := range roundedProducts() {
			r := newTrial(t, open, uint64(800+i)).unaligned(i % 4)
			row, before := r.integers(p.n, 50), r.integers(p.m*p.n, 50)
			bias := r.input(row, p.n)
			o := kernel.MatMul{TransA: p.transA, TransB: p.transB, Alpha: 2, Bias: bias, Precision: precision}
			multiply := func(x, y []float32) []float32 {
				a, b := r.input(x, p.shapeA()...), r.input(y, p.shapeB()...)
				return r.from(before, func(k kernel.Kernels, out []float32) { k.MatMul(kernel.F32(out, p.m, p.n), a, b, o) })
			}
			x, y := r.integers(p.m*p.k, 8), r.integers(p.k*p.n, 8)
			want, _ := p.reference(x, y)
			biased, added := make([]float64, len(want)), make([]float64, len(want))
			for j := range want {
				biased[j], added[j] = 2*want[j]+float64(row[j%p.n]), 2*want[j]+float64(before[j])
			}
			exactly(t, multiply(x, y), biased)
			o.Bias, o.Accumulate = kernel.Tensor{}, true
			exactly(t, multiply(x, y), added)

			// As MatMulRounding derives it, with both operands rounded before.
			x, y = r.normal(p.m*p.k, 2), r.normal(p.k*p.n, 0.1)
			want, tol := p.reference(x, y)
			for j := range want {
				tol[j] = 2*(2.01*rounding+float64(p.k+3)*u)*tol[j] + 4*u*math.Abs(float64(before[j]))
				want[j] = 2*want[j] + float64(before[j])
			}
			within(t, multiply(x, y), want, tol)
			if p.k > 0 {
				at := p.m / 2
				x[p.atA(at, p.k/2)] = float32(math.NaN())
				allNaN(t, multiply(x, y), func(j int) bool { return j/p.n == at })
			}
			if t.Failed() {
				t.Fatal(precision, p)
			}
		}
		for i, c := range []struct{ n, m, k, cols int }{{3, 5, 7, 4}, {2, 1030, 3, 1026}} {
			p := product{m: c.m, n: c.cols, k: c.k, transB: i == 1}
			r := newTrial(t, open, uint64(850+i)).unaligned(i)
			x, y := r.normal(c.n*c.m*c.k, 1), r.normal(c.n*c.k*c.cols, 1)
			a, b := r.input(x, append([]int{c.n}, p.shapeA()...)...), r.input(y, append([]int{c.n}, p.shapeB()...)...)
			var want, tol []float64
			for j := range c.n {
				w, m := p.reference(x[j*c.m*c.k:(j+1)*c.m*c.k], y[j*c.k*c.cols:(j+1)*c.k*c.cols])
				want, tol = append(want, w...), append(tol, m...)
			}
			for j := range tol {
				tol[j] *= 2.01*rounding + float64(c.k+3)*u
			}
			o := kernel.MatMul{TransB: p.transB, Precision: precision}
			within(t, r.fresh(len(want), func(k kernel.Kernels, out []float32) {
				k.BatchMatMul(kernel.F32(out, c.n, c.m, c.cols), a, b, o)
			}), want, tol)
			if t.Failed() {
				t.Fatal(fmt.Sprint(precision, c))
			}
		}
	}
}
