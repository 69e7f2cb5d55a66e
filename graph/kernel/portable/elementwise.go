package portable

import "github.com/seed-aefebe89/graft/graph/kernel"

// ColSum implements kernel.Kernels.
func (*kernels) ColSum(out, x kernel.Tensor) {
	sum := out.F32
	clear(sum)
	for i, n := 0, len(sum); i < x.Rows(); i++ {
		add(sum, sum, x.F32[i*n:i*n+n])
	}
}

// Add implements kernel.Kernels.
func (*kernels) Add(out, a, b kernel.Tensor) { add(out.F32, a.F32, b.F32) }

func add(out, a, b []float32) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = a[i] + b[i]
	}
}

// Mul implements kernel.Kernels.
func (*kernels) Mul(out, a, b kernel.Tensor) { mul(out.F32, a.F32, b.F32) }

func mul(out, a, b []float32) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = a[i] * b[i]
	}
}

// Scale implements kernel.Kernels.
func (*kernels) Scale(out, x kernel.Tensor, s float32) {
	for i, v := range x.F32 {
		out.F32[i] = s * v
	}
}

// AddRow implements kernel.Kernels.
func (*kernels) AddRow(out, x, row kernel.Tensor) {
	for i, n := 0, out.Cols(); i < out.Rows(); i++ {
		add(out.F32[i*n:i*n+n], x.F32[i*n:i*n+n], row.F32)
	}
}

// MulRow implements kernel.Kernels.
func (*kernels) MulRow(out, x, row kernel.Tensor) {
	for i, n := 0, out.Cols(); i < out.Rows(); i++ {
		mul(out.F32[i*n:i*n+n], x.F32[i*n:i*n+n], row.F32)
	}
}
