package kerneltest

import (
	"math"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// bf16 is x rounded to the eight significant bits of bfloat16, ties to even, for x of its normal range.
func bf16(x float32) float32 {
	fraction, exponent := math.Frexp(float64(x))
	return float32(math.Ldexp(math.RoundToEven(math.Ldexp(fraction, 8)), exponent-8))
}

// roundedBF16 returns x with every element rounded to bfloat16.
func roundedBF16(x []float32) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = bf16(v)
	}
	return out
}

// release gives the memory of a layout back, where that has to be done.
func release(l kernel.Layout) {
	if r, ok := l.(kernel.Releaser); ok {
		r.Release()
	}
}

// packBF16 gives b a layout of op(b) in bfloat16 alone: for the other orientation there is none.
func packBF16(k kernel.Kernels, b kernel.Tensor, trans bool, old kernel.Layout) (kernel.Tensor, kernel.Layout) {
	layout := k.Pack(b, trans, kernel.BFloat16, old)
	if b.Packed = (&kernel.Packed{Plain: layout}); trans {
		b.Packed = &kernel.Packed{Trans: layout}
	}
	return b, layout
}

// BFloat16 checks products with right operands packed in bfloat16, of every shape and transposition, on whole numbers:
// those that need rounding, in both operands, ties among them, and sums that need none in float32.
func BFloat16(t *testing.T, open Open) {
	for i, p := range products() {
		r := newTrial(t, open, uint64(400+i)).unaligned(i % 4)
		// Numbers above 256 are rounded; these limits keep the magnitude of every sum below 2²³.
		limit := 600
		if p.k > 64 {
			limit = 300
		}
		x, y := r.integers(p.m*p.k, limit), r.integers(p.k*p.n, 8)
		if p.k <= 12 {
			y = r.integers(p.k*p.n, 600)
		}
		row, before := r.integers(p.n, 50), r.integers(p.m*p.n, 50)
		a, bias := r.input(x, p.shapeA()...), r.input(row, p.n)
		b, layout := packBF16(open(), r.input(y, p.shapeB()...), p.transB, nil)
		if layout == nil || layout.Bytes() < 2*p.k*p.n {
			t.Fatalf("%v: the layout is %v", p, layout)
		}
		// Beside the rows and columns that fill it up, it is half of a layout in float32.
		if whole := open().Pack(b, p.transB, kernel.Float32, nil); whole != nil && p.k%4 == 0 && 2*layout.Bytes() > whole.Bytes() {
			t.Errorf("%v: the layout takes %d bytes, in float32 %d", p, layout.Bytes(), whole.Bytes())
		}
		sum, _ := p.reference(roundedBF16(x), roundedBF16(y))
		want := make([]float64, len(sum))
		for j := range want {
			want[j] = 2*sum[j] + float64(row[j%p.n])
		}
		o := kernel.MatMul{TransA: p.transA, TransB: p.transB, Alpha: 2, Bias: bias}
		exactly(t, r.fresh(p.m*p.n, func(k kernel.Kernels, out []float32) { k.MatMul(kernel.F32(out, p.m, p.n), a, b, o) }), want)
		for j := range want {
			want[j] = float64(before[j]) - sum[j]
		}
		o.Alpha, o.Bias, o.Accumulate = -1, kernel.Tensor{}, true
		exactly(t, r.from(before, func(k kernel.Kernels, out []float32) { k.MatMul(kernel.F32(out, p.m, p.n), a, b, o) }), want)
		release(layout)
		if t.Failed() {
			t.Fatal(p)
		}
	}
}

// BFloat16Rounding checks products of random numbers in bfloat16, extreme ones among them, and that one NaN reaches its
// row or its column and nothing else.
func BFloat16Rounding(t *testing.T, open Open) {
	for i, p := range []product{
		{m: 1, n: 1, k: 1000}, {m: 33, n: 47, k: 129}, {m: 40, n: 96, k: 768, transB: true}, {m: 5, n: 64, k: 1537},
		{m: 65, n: 8, k: 500, transA: true}, {m: 20, n: 31, k: 385, transA: true, transB: true},
	} {
		r := newTrial(t, open, uint64(500+i)).unaligned(1)
		x, y := r.normal(p.m*p.k, 2), r.normal(p.k*p.n, 0.1)
		x[0], x[len(x)-1] = 1e30, 3e-30
		multiply := func(x, y []float32) []float32 {
			a := r.input(x, p.shapeA()...)
			b, layout := packBF16(open(), r.input(y, p.shapeB()...), p.transB, nil)
			defer release(layout)
			return r.fresh(p.m*p.n, func(k kernel.Kernels, out []float32) {
				k.MatMul(kernel.F32(out, p.m, p.n), a, b, kernel.MatMul{TransA: p.transA, TransB: p.transB})
			})
		}
		// As for float32 operands: the products of rounded operands are exact in float32, and their sum errs by at most
		// γ_k·Σ|a||b|. Each sum may lose a subnormal number.
		want, tol := p.reference(roundedBF16(x), roundedBF16(y))
		for j := range tol {
			tol[j] = float64(p.k+3)*u*tol[j] + float64(p.k)*0x1p-126
		}
		within(t, multiply(x, y), want, tol)

		row, col := p.m/2, p.n/2
		// Of all bits set, rounding would make a number.
		x[p.atA(row, p.k/2)] = math.Float32frombits(0x7fffffff)
		allNaN(t, multiply(x, y), func(j int) bool { return j/p.n == row })
		x[p.atA(row, p.k/2)] = 1
		y[p.atB(p.k/2, col)] = math.Float32frombits(0xffffffff)
		allNaN(t, multiply(x, y), func(j int) bool { return j%p.n == col })
		if t.Failed() {
			t.Fatal(p)
		}
	}
}

// PackAgain checks that a layout that is packed again holds the new matrix in the same memory, and that a layout of
// another size or precision is left alone.
func PackAgain(t *testing.T, open Open) {
	const m, n, k = 9, 40, 70
	for _, precision := range []kernel.Precision{kernel.Float32, kernel.BFloat16} {
		r, p := newTrial(t, open, 600), product{m: m, n: n, k: k}
		first, second, x := r.integers(k*n, 8), r.integers(k*n, 8), r.integers(m*k, 8)
		kernels := open()
		old := kernels.Pack(kernel.F32(first, k, n), false, precision, nil)
		if old == nil && precision == kernel.Float32 {
			continue // the device gains nothing by it
		}
		smaller := kernels.Pack(kernel.F32(first[:n], 1, n), false, precision, old)
		if smaller == old {
			t.Fatalf("%v: a layout of another size was written over", precision)
		}
		other := kernels.Pack(kernel.F32(first, k, n), false, kernel.BFloat16-precision, old)
		if other == old {
			t.Fatalf("%v: a layout of this precision was written over", precision)
		}
		release(smaller)
		release(other)
		again := kernels.Pack(kernel.F32(second, k, n), false, precision, old)
		if again != old {
			t.Fatalf("%v: the layout's memory was not taken again", precision)
		}
		b := kernel.F32(second, k, n)
		b.Packed = &kernel.Packed{Plain: again}
		out := make([]float32, m*n)
		kernels.MatMul(kernel.F32(out, m, n), kernel.F32(x, m, k), b, kernel.MatMul{})
		want, _ := p.reference(x, second)
		exactly(t, out, want)
		release(again)
	}
}
