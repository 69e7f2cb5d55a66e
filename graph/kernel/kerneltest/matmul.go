package kerneltest

import (
	"fmt"
	"math"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// product is a case of MatMul: the dimensions m, n, k and what is transposed.
type product struct {
	m, n, k        int
	transA, transB bool
}

func (p product) String() string {
	return fmt.Sprintf("[%d,%d]·[%d,%d] transA=%t transB=%t", p.m, p.k, p.k, p.n, p.transA, p.transB)
}

// shapeA is the shape of the left operand as it is stored.
func (p product) shapeA() []int {
	if p.transA {
		return []int{p.k, p.m}
	}
	return []int{p.m, p.k}
}

// shapeB is the shape of the right operand as it is stored.
func (p product) shapeB() []int {
	if p.transB {
		return []int{p.n, p.k}
	}
	return []int{p.k, p.n}
}

// strides are the distances between rows and between columns of a matrix of rows by cols that is stored transposed, or
// not.
func strides(trans bool, rows, cols int) (row, col int) {
	if trans {
		return 1, rows
	}
	return cols, 1
}

// atA and atB are the places of elements of op(a) and op(b) in the operands.
func (p product) atA(i, q int) int { row, col := strides(p.transA, p.m, p.k); return i*row + q*col }
func (p product) atB(q, j int) int { row, col := strides(p.transB, p.k, p.n); return q*row + j*col }

// reference returns op(a)·op(b) and the same with absolute values, which bounds the rounding errors.
func (p product) reference(a, b []float32) (sum, magnitude []float64) {
	sum, magnitude = make([]float64, p.m*p.n), make([]float64, p.m*p.n)
	_, next := strides(p.transB, p.k, p.n)
	for i := range p.m {
		sums, magnitudes := sum[i*p.n:(i+1)*p.n], magnitude[i*p.n:(i+1)*p.n]
		for q := range p.k {
			x, at := float64(a[p.atA(i, q)]), p.atB(q, 0)
			for j := range sums {
				y := x * float64(b[at])
				sums[j] += y
				magnitudes[j] += math.Abs(y)
				at += next
			}
		}
	}
	return sum, magnitude
}

// products returns the cases: every transposition of shapes that lie on, before and behind the sizes of register tiles
// (4, 6, 8, 12, 14, 16, 32) and cache blocks, and of the narrow and wide matrices of adapters.
// In short mode the largest are left out.
func products() []product {
	var cases []product
	add := func(m, n, k int) {
		if testing.Short() && m*n*k > 1<<18 {
			return
		}
		for _, trans := range [][2]bool{{false, false}, {false, true}, {true, false}, {true, true}} {
			cases = append(cases, product{m, n, k, trans[0], trans[1]})
		}
	}
	for _, m := range []int{0, 1, 5, 6, 7, 13, 33} {
		for _, n := range []int{0, 1, 7, 12, 16, 17, 33} {
			for _, k := range []int{0, 1, 2, 5, 16, 31} {
				add(m, n, k)
			}
		}
	}
	for _, shape := range [][3]int{
		{2, 3, 400}, {4, 8, 12}, {12, 32, 384}, {15, 15, 15}, {14, 48, 33}, {24, 64, 65}, {25, 65, 127}, {31, 31, 385},
		{64, 8, 96}, {65, 8, 33}, {97, 6, 40}, {128, 16, 8}, {127, 96, 8}, {8, 100, 130}, {64, 70, 257},
		{1, 384, 96}, {3, 384, 129}, {16, 384, 384}, {17, 127, 769}, {127, 65, 384}, {65, 384, 127}, {33, 128, 1000},
		{257, 33, 65}, {385, 17, 12}, {130, 257, 66},
	} {
		add(shape[0], shape[1], shape[2])
	}
	return cases
}

// MatMul checks the product of every shape and transposition on whole numbers, which leave no room for rounding.
func MatMul(t *testing.T, open Open) {
	for i, p := range products() {
		r := newTrial(t, open, uint64(i)).unaligned(i % 4)
		x, y := r.integers(p.m*p.k, 8), r.integers(p.k*p.n, 8)
		a, b := r.input(x, p.shapeA()...), r.input(y, p.shapeB()...)
		got := r.fresh(p.m*p.n, func(k kernel.Kernels, out []float32) {
			k.MatMul(kernel.F32(out, p.m, p.n), a, b, kernel.MatMul{TransA: p.transA, TransB: p.transB})
		})
		want, _ := p.reference(x, y)
		exactly(t, got, want)
		if t.Failed() {
			t.Fatal(p)
		}
	}
}

// MatMulOptions checks Alpha, Bias and Accumulate, alone and together, on whole numbers.
func MatMulOptions(t *testing.T, open Open) {
	for i, p := range []product{
		{m: 1, n: 1, k: 1}, {m: 7, n: 33, k: 5}, {m: 16, n: 17, k: 0}, {m: 13, n: 8, k: 800}, {m: 31, n: 65, k: 385},
		{m: 64, n: 8, k: 16}, {m: 50, n: 7, k: 500, transA: true}, {m: 12, n: 33, k: 770, transB: true},
		{m: 8, n: 127, k: 66, transA: true}, {m: 300, n: 5, k: 20, transA: true, transB: true},
	} {
		r := newTrial(t, open, uint64(100+i)).unaligned(3)
		x, y := r.integers(p.m*p.k, 8), r.integers(p.k*p.n, 8)
		row, before := r.integers(p.n, 100), r.integers(p.m*p.n, 100)
		a, b, bias := r.input(x, p.shapeA()...), r.input(y, p.shapeB()...), r.input(row, p.n)
		sum, _ := p.reference(x, y)
		for _, o := range []kernel.MatMul{
			{Bias: bias}, {Alpha: 1, Bias: bias}, {Alpha: -0.5}, {Alpha: 2, Bias: bias}, {Accumulate: true},
			{Alpha: -4, Accumulate: true},
		} {
			want := make([]float64, p.m*p.n)
			for j := range want {
				want[j] = sum[j]
				if o.Alpha != 0 {
					want[j] *= float64(o.Alpha)
				}
				if o.Accumulate {
					want[j] += float64(before[j])
				}
				if !o.Bias.Empty() {
					want[j] += float64(row[j%p.n])
				}
			}
			o.TransA, o.TransB = p.transA, p.transB
			run := func(k kernel.Kernels, out []float32) { k.MatMul(kernel.F32(out, p.m, p.n), a, b, o) }
			if o.Accumulate {
				exactly(t, r.from(before, run), want)
			} else {
				exactly(t, r.fresh(p.m*p.n, run), want)
			}
			if t.Failed() {
				t.Fatalf("%v, alpha %g, accumulate %t, bias %t", p, o.Alpha, o.Accumulate, !o.Bias.Empty())
			}
		}
	}
}

// MatMulRounding checks products of random numbers, and that one NaN reaches its row or its column and nothing else.
func MatMulRounding(t *testing.T, open Open) {
	for i, p := range []product{
		{m: 1, n: 1, k: 1000}, {m: 33, n: 47, k: 129}, {m: 40, n: 96, k: 768, transB: true},
		{m: 65, n: 8, k: 500, transA: true}, {m: 20, n: 31, k: 385, transA: true, transB: true},
	} {
		r := newTrial(t, open, uint64(200+i)).unaligned(1)
		x, y := r.normal(p.m*p.k, 2), r.normal(p.k*p.n, 0.1)
		before := r.normal(p.m*p.n, 1)
		const alpha = float32(0.3)
		o := kernel.MatMul{TransA: p.transA, TransB: p.transB, Alpha: alpha, Accumulate: true}
		multiply := func(x, y []float32) []float32 {
			a, b := r.input(x, p.shapeA()...), r.input(y, p.shapeB()...)
			return r.from(before, func(k kernel.Kernels, out []float32) { k.MatMul(kernel.F32(out, p.m, p.n), a, b, o) })
		}
		// A sum of k products errs by at most γ_k·Σ|a||b| in any order (Higham 2002, section 3.1), γ_k ≈ k·u;
		// alpha and the sum with what was there add two roundings more.
		want, tol := p.reference(x, y)
		for j := range want {
			want[j] = float64(alpha)*want[j] + float64(before[j])
			tol[j] = float64(p.k+3) * u * (float64(alpha)*tol[j] + math.Abs(float64(before[j])))
		}
		within(t, multiply(x, y), want, tol)

		row, col := p.m/2, p.n/2
		x[p.atA(row, p.k/2)] = float32(math.NaN())
		allNaN(t, multiply(x, y), func(j int) bool { return j/p.n == row })
		x[p.atA(row, p.k/2)] = 1
		y[p.atB(p.k/2, col)] = float32(math.NaN())
		allNaN(t, multiply(x, y), func(j int) bool { return j%p.n == col })
		if t.Failed() {
			t.Fatal(p)
		}
	}
}

// MatMulPacked checks that a packed right operand gives the product: plain, transposed, packed once and shared by two
// values, from unaligned weights, and beside a layout that does not hold op(b).
func MatMulPacked(t *testing.T, open Open) {
	for i, p := range products() {
		if p.m < 13 && p.m != 5 {
			continue // what is packed depends on n and k
		}
		r := newTrial(t, open, uint64(300+i)).unaligned(i % 4)
		x, y := r.integers(p.m*p.k, 8), r.integers(p.k*p.n, 8)
		row := r.integers(p.n, 50)
		a, b, bias := r.input(x, p.shapeA()...), r.input(y, p.shapeB()...), r.input(row, p.n)
		layout := open().Pack(b, p.transB, kernel.Float32, nil)
		if layout != nil && layout.Bytes() < 4*p.k*p.n {
			t.Errorf("%v: the layout says that it takes %d bytes", p, layout.Bytes())
		}
		b.Packed = &kernel.Packed{Plain: layout}
		if p.transB {
			b.Packed = &kernel.Packed{Trans: layout}
		}
		got := r.fresh(p.m*p.n, func(k kernel.Kernels, out []float32) {
			k.MatMul(kernel.F32(out, p.m, p.n), a, b,
				kernel.MatMul{TransA: p.transA, TransB: p.transB, Alpha: 2, Bias: bias})
		})
		want, _ := p.reference(x, y)
		for j := range want {
			want[j] = 2*want[j] + float64(row[j%p.n])
		}
		exactly(t, got, want)

		// The layout holds the other orientation: the elements are used.
		b.Packed.Plain, b.Packed.Trans = b.Packed.Trans, b.Packed.Plain
		got = r.fresh(p.m*p.n, func(k kernel.Kernels, out []float32) {
			k.MatMul(kernel.F32(out, p.m, p.n), a, b,
				kernel.MatMul{TransA: p.transA, TransB: p.transB, Alpha: 2, Bias: bias})
		})
		exactly(t, got, want)
		release(layout)
		if t.Failed() {
			t.Fatal(p)
		}
	}
}
