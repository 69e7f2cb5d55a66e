package kerneltest

import (
	"math"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Copy checks blocks, slices, transpositions, repetitions and axes in any order against the formula, and that other
// elements stay.
func Copy(t *testing.T, open Open) {
	for i, s := range []kernel.Strides{
		kernel.Block(1, 1, 1, 1),
		kernel.Block(0, 3, 3, 3),
		kernel.Block(3, 0, 4, 4),
		kernel.Block(5, 7, 9, 8),
		kernel.Block(16, 16, 48, 16),
		kernel.Block(4, 33, 33, 66),
		kernel.Block(6, 5, 5, 0),
		kernel.Block(6, 5, 7, 2).Repeated(),
		kernel.Block(1, 300, 300, 0).Repeated(),
		{Size: [4]int{1, 1, 37, 65}, Out: [4]int{0, 0, 1, 37}, In: [4]int{0, 0, 65, 1}},
		{Size: [4]int{2, 3, 4, 5}, Out: [4]int{60, 5, 15, 1}, In: [4]int{60, 20, 5, 1}},
		{Size: [4]int{3, 2, 17, 8}, Out: [4]int{400, 200, 8, 1}, In: [4]int{8, 0, 24, 1}},
		{Size: [4]int{2, 2, 3, 2}, Out: [4]int{1, 12, 4, 2}, In: [4]int{3, 0, 1, 6}},
		{Size: [4]int{2, 0, 3, 2}, Out: [4]int{1, 12, 4, 2}, In: [4]int{3, 0, 1, 6}},
	} {
		reach := func(stride [4]int) int {
			n := 1
			for k, size := range s.Size {
				n += max(0, size-1) * stride[k]
			}
			return n
		}
		r := newTrial(t, open, uint64(i)).unaligned(i % 4)
		x, start := r.normal(reach(s.In)+2, 1), r.normal(reach(s.Out)+3, 1)
		want := wide(start)
		for a := range s.Size[0] {
			for b := range s.Size[1] {
				for c := range s.Size[2] {
					for d := range s.Size[3] {
						at := func(stride [4]int) int { return a*stride[0] + b*stride[1] + c*stride[2] + d*stride[3] }
						want[at(s.Out)] = float64(x[at(s.In)])
					}
				}
			}
		}
		in := r.input(x, len(x))
		exactly(t, r.from(start, func(k kernel.Kernels, out []float32) { k.Copy(kernel.F32(out, len(out)), in, s) }), want)
		if t.Failed() {
			t.Fatalf("%+v", s)
		}
	}
}

// Fill checks out = v.
func Fill(t *testing.T, open Open) {
	for i, n := range lengths {
		for _, v := range []float32{0, -2.5, float32(math.Inf(-1))} {
			got := newTrial(t, open, uint64(i)).fresh(n, func(k kernel.Kernels, out []float32) { k.Fill(kernel.F32(out, n), v) })
			for j, x := range got {
				if x != v {
					t.Fatalf("length %d: element %d is %g, want %g", n, j, x, v)
				}
			}
		}
	}
}

// Shift checks out = x + c, in place too.
func Shift(t *testing.T, open Open) {
	for i, n := range lengths {
		r := newTrial(t, open, uint64(i)).unaligned(i % 4)
		x := r.normal(n, 3)
		a := r.input(x, n)
		want := wide(x)
		for j := range want {
			want[j] += 0.75
		}
		within(t, r.fresh(n, func(k kernel.Kernels, out []float32) { k.Shift(kernel.F32(out, n), a, 0.75) }), want, rounded(want))
		within(t, r.from(x, func(k kernel.Kernels, out []float32) {
			k.Shift(kernel.F32(out, n), kernel.F32(out, n), 0.75)
		}), want, rounded(want))
		if t.Failed() {
			t.Fatal(label("length", n))
		}
	}
}

// OneHot checks ones at the labels, and rows of zeros for negative ones.
func OneHot(t *testing.T, open Open) {
	for i, shape := range matrices {
		m, n := shape[0], shape[1]
		r := newTrial(t, open, uint64(i))
		labels := r.indices(m, n)
		want := make([]float64, m*n)
		for row := range m {
			if row%3 == 1 {
				labels[row] = -1
			} else {
				want[row*n+int(labels[row])] = 1
			}
		}
		l := r.index(labels, m)
		exactly(t, r.fresh(m*n, func(k kernel.Kernels, out []float32) { k.OneHot(kernel.F32(out, m, n), l) }), want)
		if t.Failed() {
			t.Fatal(label("shape", m, n))
		}
	}
}

// AddRows checks that each row receives its rows of x in their order, bit for bit.
func AddRows(t *testing.T, open Open) {
	for i, c := range gathers {
		r := newTrial(t, open, uint64(i)).unaligned(i % 4)
		v := c.tables[0]
		id, x, y := r.indices(c.rows, v), r.normal(c.rows*c.cols, 1), r.normal(v*c.cols, 1)
		want := append([]float32(nil), y...)
		for j, d := range x {
			want[int(id[j/c.cols])*c.cols+j%c.cols] += d
		}
		idx, in := r.index(id, c.rows), r.input(x, c.rows, c.cols)
		got := r.from(y, func(k kernel.Kernels, out []float32) { k.AddRows(kernel.F32(out, v, c.cols), idx, in) })
		exactly(t, got, wide(want))
		if t.Failed() {
			t.Fatalf("%+v", c)
		}
	}
}
