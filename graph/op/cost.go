package op

import "github.com/seed-aefebe89/graft/graph/kernel"

// Cost is what a run of the operator takes: the multiplications and additions of its products, 0 where there are none,
// and the bytes that it has to read and write at least once.
func (o *Op) Cost(out kernel.Tensor, in []kernel.Tensor) (flops, bytes float64) {
	if o.flops != nil {
		flops = o.flops(out, in)
	}
	bytes = 4 * float64(len(out.F32))
	for i, x := range in {
		if i < o.lookups {
			bytes += 4 * float64(len(out.F32))
			continue
		}
		bytes += 4 * float64(len(x.F32)+len(x.I32))
	}
	return flops, bytes
}

// productFlops are those of a product with out's shape over a's other dimension.
func productFlops(out, a kernel.Tensor, transA bool) float64 {
	depth := a.Cols()
	if transA {
		depth = a.Rows()
	}
	return 2 * float64(len(out.F32)) * float64(depth)
}

// pairs is Σ n² over the sequences of a batch.
func pairs(bounds kernel.Tensor) float64 {
	sum := 0.0
	for i := 1; i < len(bounds.I32); i++ {
		n := float64(bounds.I32[i] - bounds.I32[i-1])
		sum += n * n
	}
	return sum
}
