package kerneltest

import (
	"math"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Scores checks products of rows within sequences and windows against the formula, and what stands outside.
func Scores(t *testing.T, open Open) {
	for i, c := range attentions() {
		if c.rows() > 200 { // the result is quadratic in the rows
			continue
		}
		for _, outside := range []float32{0, float32(math.Inf(-1))} {
			r := newTrial(t, open, uint64(i)).unaligned(i % 4)
			rows, width := c.rows(), c.heads*c.d
			x, y := r.normal(rows*width, 1), r.normal(rows*width, 1)
			o := kernel.Attention{Heads: c.heads, Scale: 0.3, Window: c.window}
			want, tol := make([]float64, rows*c.heads*rows), make([]float64, rows*c.heads*rows)
			for j := range want {
				want[j] = float64(outside)
			}
			c.each(func(lo, hi, col int) {
				for q := lo; q < hi; q++ {
					for k := lo; k < hi; k++ {
						if c.window > 0 && (k < q-c.window || k > q+c.window) {
							continue
						}
						at, sum, magnitude := (q*c.heads+col/c.d)*rows+k-lo, 0.0, 0.0
						for j := range c.d {
							p := float64(x[q*width+col+j]) * float64(y[k*width+col+j])
							sum, magnitude = sum+p, magnitude+math.Abs(p)
						}
						// d products and sums, the scale, and its own rounding.
						want[at], tol[at] = float64(o.Scale)*sum, float64(o.Scale)*magnitude*float64(c.d+2)*u
					}
				}
			})
			a, b, bounds := r.input(x, rows, width), r.input(y, rows, width), r.index(c.bounds(), len(c.lengths)+1)
			got := r.fresh(len(want), func(k kernel.Kernels, out []float32) {
				k.Scores(kernel.F32(out, rows*c.heads, rows), a, b, bounds, o, outside)
			})
			for j, w := range want { // −∞ − −∞ is no difference
				if math.IsInf(w, -1) && math.IsInf(float64(got[j]), -1) {
					got[j], want[j] = 0, 0
				}
			}
			within(t, got, want, tol)
			if t.Failed() {
				t.Fatalf("%+v", c)
			}
		}
	}
}

// Mix checks weighted sums of rows within sequences, both ways; what lies in the weights outside of them is not read.
func Mix(t *testing.T, open Open) {
	for i, c := range attentions() {
		if c.rows() > 200 {
			continue
		}
		for _, trans := range []bool{false, true} {
			r := newTrial(t, open, uint64(i)).unaligned(i % 4)
			rows, width := c.rows(), c.heads*c.d
			p, x := make([]float32, rows*c.heads*rows), r.normal(rows*width, 1)
			for j := range p {
				p[j] = float32(math.NaN())
			}
			o := kernel.Attention{Heads: c.heads, Scale: 0.3}
			want, tol := make([]float64, rows*width), make([]float64, rows*width)
			c.each(func(lo, hi, col int) {
				for q := lo; q < hi; q++ {
					for k := lo; k < hi; k++ {
						at := (q*c.heads+col/c.d)*rows + k - lo
						p[at] = float32(r.rng.NormFloat64())
						from, to := k, q
						if trans {
							from, to = q, k
						}
						for j := range c.d {
							v := float64(o.Scale) * float64(p[at]) * float64(x[from*width+col+j])
							want[to*width+col+j] += v
							tol[to*width+col+j] += math.Abs(v) * float64(hi-lo+3) * u // each a product, a scale and the sums
						}
					}
				}
			})
			a, b, bounds := r.input(p, rows*c.heads, rows), r.input(x, rows, width), r.index(c.bounds(), len(c.lengths)+1)
			got := r.fresh(len(want), func(k kernel.Kernels, out []float32) {
				k.Mix(kernel.F32(out, rows, width), a, b, bounds, o, trans)
			})
			within(t, got, want, tol)
			if t.Failed() {
				t.Fatalf("%+v trans=%t", c, trans)
			}
		}
	}
}

// BatchMatMul checks several products at once, transposed or not and scaled.
func BatchMatMul(t *testing.T, open Open) {
	for i, c := range []struct{ n, rows, depth, cols int }{{0, 2, 2, 2}, {1, 1, 1, 1}, {3, 5, 7, 4}, {12, 9, 16, 17}, {2, 33, 64, 40}} {
		for flags := range 4 {
			o := kernel.MatMul{TransA: flags&1 != 0, TransB: flags&2 != 0, Alpha: 0.5}
			r := newTrial(t, open, uint64(i)).unaligned(i % 4)
			x, y := r.normal(c.n*c.rows*c.depth, 1), r.normal(c.n*c.depth*c.cols, 1)
			a, b := r.input(x, c.n, c.rows, c.depth), r.input(y, c.n, c.depth, c.cols)
			if o.TransA {
				a.Shape = []int{c.n, c.depth, c.rows}
			}
			if o.TransB {
				b.Shape = []int{c.n, c.cols, c.depth}
			}
			rowA, colA := strides(o.TransA, c.rows, c.depth)
			rowB, colB := strides(o.TransB, c.depth, c.cols)
			want, tol := make([]float64, c.n*c.rows*c.cols), make([]float64, c.n*c.rows*c.cols)
			for j := range want {
				k, row, col := j/(c.rows*c.cols), j/c.cols%c.rows, j%c.cols
				for d := range c.depth {
					p := 0.5 * float64(x[k*c.rows*c.depth+row*rowA+d*colA]) * float64(y[k*c.depth*c.cols+d*rowB+col*colB])
					want[j] += p
					tol[j] += float64(c.depth+1) * u * math.Abs(p)
				}
			}
			within(t, r.fresh(len(want), func(k kernel.Kernels, out []float32) {
				k.BatchMatMul(kernel.F32(out, c.n, c.rows, c.cols), a, b, o)
			}), want, tol)
			if t.Failed() {
				t.Fatalf("%+v %+v", c, o)
			}
		}
	}
}
