package cpu

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/portable"
)

// normal returns n numbers of the normal distribution.
func normal(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// sameBits fails the test where a result differs from the beginning of another.
func sameBits(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range got {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: element %d is %g, in the whole %g", what, i, got[i], want[i])
		}
	}
}

// A row of a product has the same bits whatever rows stand beside it, and whether the right operand is packed or not,
// so that batches may be cut anywhere.
func TestRowsOfAProductDoNotDependOnTheBatch(t *testing.T) {
	each(t, func(t *testing.T, l Level) {
		const m, n, k = 131, 77, 800
		r := rand.New(rand.NewPCG(1, 2))
		a, bias, kernels := normal(r, m*k), kernel.F32(normal(r, n), n), open(t, l)()
		for _, trans := range []bool{false, true} {
			b := kernel.F32(normal(r, n*k), k, n)
			if trans {
				b.Shape = []int{n, k}
			}
			product := func(rows int, packed bool) []float32 {
				out, right := make([]float32, rows*n), b
				if packed {
					layout := kernels.Pack(b, trans, kernel.Float32, nil)
					right.Packed = &kernel.Packed{Plain: layout, Trans: layout}
				}
				kernels.MatMul(kernel.F32(out, rows, n), kernel.F32(a[:rows*k], rows, k), right,
					kernel.MatMul{TransB: trans, Bias: bias, Alpha: 0.7})
				return out
			}
			whole := product(m, true)
			for _, rows := range []int{1, 2, 5, 12, 13, 24, 50, 96, 97, m} {
				sameBits(t, "packed", product(rows, true), whole)
				sameBits(t, "not packed", product(rows, false), whole)
			}
		}
	})
}

// A sequence's attention and its gradients have the same bits alone and in a batch.
func TestAttentionDoesNotDependOnTheBatch(t *testing.T) {
	each(t, func(t *testing.T, l Level) {
		const heads, d = 3, 20
		const width = heads * d
		lengths := []int{7, 40, 1, 150, 17}
		bounds := []int32{0}
		for _, n := range lengths {
			bounds = append(bounds, bounds[len(bounds)-1]+int32(n))
		}
		rows := int(bounds[len(lengths)])
		r := rand.New(rand.NewPCG(3, 4))
		q, k, v, dy := normal(r, rows*width), normal(r, rows*width), normal(r, rows*width), normal(r, rows*width)
		run := func(lo, hi int, bounds []int32) (out, grads []float32) {
			kernels, n := open(t, l)(), hi-lo
			part := func(x []float32) kernel.Tensor { return kernel.F32(x[lo*width:hi*width], n, width) }
			out, grads = make([]float32, n*width), make([]float32, 3*n*width)
			b, o := kernel.I32(bounds, len(bounds)), kernel.Attention{Heads: heads, Scale: 0.2}
			kernels.Attention(kernel.F32(out, n, width), part(q), part(k), part(v), b, o)
			kernels.AttentionGrad(kernel.F32(grads, 3, n, width), part(q), part(k), part(v), b, part(dy), o)
			return out, grads
		}
		out, grads := run(0, rows, bounds)
		for s := range lengths {
			lo, hi := int(bounds[s]), int(bounds[s+1])
			alone, gradsAlone := run(lo, hi, []int32{0, int32(hi - lo)})
			sameBits(t, "out", alone, out[lo*width:hi*width])
			for i := range 3 {
				sameBits(t, "gradient", gradsAlone[i*(hi-lo)*width:(i+1)*(hi-lo)*width],
					grads[(i*rows+lo)*width:(i*rows+hi)*width])
			}
		}
	})
}

// So have those with terms of relative positions, whatever the length that their rows are for; the gradients of the
// positions are sums over all sequences.
func TestRelativeAttentionDoesNotDependOnTheBatch(t *testing.T) {
	each(t, func(t *testing.T, l Level) {
		const heads, d, buckets = 3, 20, 64
		const width = heads * d
		bounds := []int32{0, 7, 47, 48, 198}
		rows := int(bounds[len(bounds)-1])
		r := rand.New(rand.NewPCG(3, 4))
		q, k, v, dy := normal(r, rows*width), normal(r, rows*width), normal(r, rows*width), normal(r, rows*width)
		x := kernel.F32(normal(r, buckets*width), buckets, width)
		run := func(lo, hi int, bounds []int32, longest int) (out, grads []float32) {
			table := make([]int32, 2*longest-1)
			for i := range table {
				table[i] = int32(min(max(buckets/2+i-(longest-1), 0), buckets-1))
			}
			p := kernel.Positions{X: x, Rows: kernel.I32(table, len(table))}
			terms := kernel.Relative{Keys: p, Queries: p}
			kernels, n := open(t, l)(), hi-lo
			part := func(x []float32) kernel.Tensor { return kernel.F32(x[lo*width:hi*width], n, width) }
			out, grads = make([]float32, n*width), make([]float32, 3*n*width)
			b, o := kernel.I32(bounds, len(bounds)), kernel.Attention{Heads: heads, Scale: 0.2}
			kernels.RelativeAttention(kernel.F32(out, n, width), part(q), part(k), part(v), b, terms, o)
			kernels.RelativeAttentionGrad(kernel.F32(grads, 3, n, width), kernel.Tensor{}, kernel.Tensor{}, part(q), part(k),
				part(v), b, terms, part(dy), o)
			return out, grads
		}
		out, grads := run(0, rows, bounds, 150)
		for s := range len(bounds) - 1 {
			lo, hi := int(bounds[s]), int(bounds[s+1])
			alone, gradsAlone := run(lo, hi, []int32{0, int32(hi - lo)}, hi-lo+s)
			sameBits(t, "out", alone, out[lo*width:hi*width])
			for i := range 3 {
				sameBits(t, "gradient", gradsAlone[i*(hi-lo)*width:(i+1)*(hi-lo)*width],
					grads[(i*rows+lo)*width:(i*rows+hi)*width])
			}
		}
	})
}

// The norm decides whether gradients are clipped: it is the same on every machine.
func TestClipIsTheSameOnEveryLevel(t *testing.T) {
	x := kernel.F32(normal(rand.New(rand.NewPCG(5, 6)), 10007), 10007)
	want, got := []float32{0}, []float32{0}
	portable.New().Clip(kernel.F32(want, 1), x, 1)
	each(t, func(t *testing.T, l Level) {
		if open(t, l)().Clip(kernel.F32(got, 1), x, 1); got[0] != want[0] {
			t.Errorf("%v, portable %v", got, want)
		}
	})
}

// A layout of one level is of no use to another, which falls back on the elements.
func TestLayoutsOfOtherLevelsAreLeftAlone(t *testing.T) {
	const m, n, k = 20, 40, 30
	r := rand.New(rand.NewPCG(7, 8))
	a, b := kernel.F32(normal(r, m*k), m, k), kernel.F32(normal(r, k*n), k, n)
	each(t, func(t *testing.T, l Level) {
		kernels, out, want := open(t, l)(), make([]float32, m*n), make([]float32, m*n)
		kernels.MatMul(kernel.F32(want, m, n), a, b, kernel.MatMul{})
		for _, other := range Levels() {
			right := b
			right.Packed = &kernel.Packed{Plain: open(t, other)().Pack(b, false, kernel.Float32, nil)}
			kernels.MatMul(kernel.F32(out, m, n), a, right, kernel.MatMul{})
			sameBits(t, other.String(), out, want)
		}
	})
}
