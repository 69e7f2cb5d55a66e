package kerneltest

import (
	"math"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// TensorFloat32 checks products with right operands laid out at TensorFloat32, on devices that have it: exactly on whole
// numbers, which its eleven bits hold, within its roundings on random ones, and that one NaN reaches its row and nothing else.
func TensorFloat32(t *testing.T, open Open) {
	if !open().Native(kernel.TensorFloat32) {
		t.Skip("the device has no such products")
	}
	for i, p := range []product{
		{m: 1, n: 1, k: 1000}, {m: 33, n: 47, k: 129}, {m: 40, n: 96, k: 768, transB: true}, {m: 5, n: 7, k: 0},
		{m: 65, n: 8, k: 500, transA: true}, {m: 20, n: 31, k: 385, transA: true, transB: true},
	} {
		r := newTrial(t, open, uint64(700+i)).unaligned(i % 4)
		o := kernel.MatMul{TransA: p.transA, TransB: p.transB, Bias: r.input(make([]float32, p.n), p.n)}
		multiply := func(x, y []float32) []float32 {
			a, b := r.input(x, p.shapeA()...), r.input(y, p.shapeB()...)
			layout := open().Pack(b, p.transB, kernel.TensorFloat32, nil)
			if layout == nil || layout.Bytes() < 4*p.k*p.n {
				t.Fatalf("%v: the layout is %v", p, layout)
			}
			defer release(layout)
			if b.Packed = (&kernel.Packed{Plain: layout}); p.transB {
				b.Packed = &kernel.Packed{Trans: layout}
			}
			b.F32 = nil // the layout is enough
			return r.fresh(p.m*p.n, func(k kernel.Kernels, out []float32) { k.MatMul(kernel.F32(out, p.m, p.n), a, b, o) })
		}
		x, y := r.integers(p.m*p.k, 600), r.integers(p.k*p.n, 8)
		want, _ := p.reference(x, y)
		exactly(t, multiply(x, y), want)

		// A device may cut off what does not fit: each operand errs by at most 2⁻¹⁰ of itself then.
		x, y = r.normal(p.m*p.k, 2), r.normal(p.k*p.n, 0.1)
		want, tol := p.reference(x, y)
		for j := range tol {
			tol[j] *= 2.01*0x1p-10 + float64(2*p.k+3)*u
		}
		within(t, multiply(x, y), want, tol)
		if p.k > 0 {
			row := p.m / 2
			x[p.atA(row, p.k/2)] = float32(math.NaN())
			allNaN(t, multiply(x, y), func(j int) bool { return j/p.n == row })
		}
		if t.Failed() {
			t.Fatal(p)
		}
	}
}
