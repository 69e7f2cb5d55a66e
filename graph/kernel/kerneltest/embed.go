package kerneltest

import (
	"math"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// gathers are cases of the kernels that take rows by index: rows taken, columns, rows of each table.
var gathers = []struct {
	rows, cols int
	tables     []int
}{
	{0, 8, []int{3}}, {1, 1, []int{1}}, {5, 7, []int{4, 2}}, {6, 16, []int{100, 20, 2}}, {13, 33, []int{3, 3, 3}},
	{64, 12, []int{2, 50}}, {33, 65, []int{7}}, {17, 384, []int{40, 30, 2}}, {5, 1100, []int{3, 2, 3, 4, 2}},
	{2100, 3, []int{2}}, {1500, 2, []int{70000}}, {5000, 1, []int{600}},
}

// Embed checks the sum of rows of one to five tables at every alignment.
func Embed(t *testing.T, open Open) {
	for i, c := range gathers {
		for offset := range 4 {
			r := newTrial(t, open, uint64(i)).unaligned(offset)
			var tables, ids []kernel.Tensor
			want, tol := make([]float64, c.rows*c.cols), make([]float64, c.rows*c.cols)
			for _, v := range c.tables {
				x, id := r.normal(v*c.cols, 2), r.indices(c.rows, v)
				tables, ids = append(tables, r.input(x, v, c.cols)), append(ids, r.index(id, c.rows))
				for j := range want {
					row := float64(x[int(id[j/c.cols])*c.cols+j%c.cols])
					want[j] += row
					tol[j] += float64(len(c.tables)-1) * u * math.Abs(row) // one addition for each further table
				}
			}
			got := r.fresh(c.rows*c.cols, func(k kernel.Kernels, out []float32) {
				k.Embed(kernel.F32(out, c.rows, c.cols), tables, ids)
			})
			within(t, got, want, tol)
			if t.Failed() {
				t.Fatalf("%+v, offset %d", c, offset)
			}
		}
	}
}

// scatter returns the sum of the rows dy[i] whose index is r, in float32 and in the order of i, for each r below rows.
func scatter(rows, cols int, index []int32, dy []float32) []float32 {
	out := make([]float32, rows*cols)
	for i, r := range index {
		for j := range cols {
			out[int(r)*cols+j] += dy[i*cols+j]
		}
	}
	return out
}

// EmbedGrad checks that each row of the table receives its rows of dy in their order, bit for bit: a sum of floats in a
// given order has one result.
func EmbedGrad(t *testing.T, open Open) {
	for i, c := range gathers {
		r := newTrial(t, open, uint64(i)).unaligned(i % 4)
		v := c.tables[0]
		id, dy := r.indices(c.rows, v), r.normal(c.rows*c.cols, 1)
		ids, up := r.index(id, c.rows), r.input(dy, c.rows, c.cols)
		got := r.fresh(v*c.cols, func(k kernel.Kernels, out []float32) {
			k.EmbedGrad(kernel.F32(out, v, c.cols), ids, up)
		})
		exactly(t, got, wide(scatter(v, c.cols, id, dy)))
		if t.Failed() {
			t.Fatalf("%+v", c)
		}
	}
}

// Rows checks that rows are copied bit for bit.
func Rows(t *testing.T, open Open) {
	for i, c := range gathers {
		r := newTrial(t, open, uint64(i)).unaligned(i % 4)
		v := c.tables[0]
		x, id := r.normal(v*c.cols, 1), r.indices(c.rows, v)
		x[0] = float32(math.NaN())
		want := make([]float32, 0, c.rows*c.cols)
		for _, row := range id {
			want = append(want, x[int(row)*c.cols:int(row+1)*c.cols]...)
		}
		a, idx := r.input(x, v, c.cols), r.index(id, c.rows)
		got := r.fresh(c.rows*c.cols, func(k kernel.Kernels, out []float32) {
			k.Rows(kernel.F32(out, c.rows, c.cols), a, idx)
		})
		if d := differingBits(got, want); d >= 0 {
			t.Fatalf("%+v: element %d is %g, want %g", c, d, got[d], want[d])
		}
	}
}

// RowsGrad checks that each row receives the rows of dy that were taken from it, and that others are zero.
func RowsGrad(t *testing.T, open Open) {
	for i, c := range gathers {
		r := newTrial(t, open, uint64(i)).unaligned(i % 4)
		v := c.tables[0]
		id, dy := r.indices(c.rows, v), r.normal(c.rows*c.cols, 1)
		want, tol := make([]float64, v*c.cols), make([]float64, v*c.cols)
		for j, d := range dy {
			want[int(id[j/c.cols])*c.cols+j%c.cols] += float64(d)
			tol[int(id[j/c.cols])*c.cols+j%c.cols] += float64(c.rows) * u * math.Abs(float64(d))
		}
		idx, up := r.index(id, c.rows), r.input(dy, c.rows, c.cols)
		got := r.fresh(v*c.cols, func(k kernel.Kernels, out []float32) {
			k.RowsGrad(kernel.F32(out, v, c.cols), idx, up)
		})
		within(t, got, want, tol)
		if t.Failed() {
			t.Fatalf("%+v", c)
		}
	}
}
