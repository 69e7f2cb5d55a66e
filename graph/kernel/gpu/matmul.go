//go:build gpu && cgo && linux

package gpu

import (
	"fmt"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/internal/cuda"
)

// Native implements kernel.Kernels: tensor cores of compute capability 8.0 take them all.
func (k *kernels) Native(p kernel.Precision) bool {
	return p == kernel.Float32 || p == kernel.BFloat16 || p == kernel.TensorFloat32
}

// layout is a matrix on the device at a precision, as it was stored: cuBLAS transposes as it reads.
type layout struct {
	device         *cuda.Device
	at             cuda.Ptr
	rows, cols, ld int
	precision      kernel.Precision
}

// Bytes implements kernel.Layout.
func (l *layout) Bytes() int { return l.rows * l.ld * elementBytes(l.precision) }

// Both implements kernel.Layout.
func (l *layout) Both() bool { return true }

// Release implements kernel.Releaser.
func (l *layout) Release() {
	if l.at != 0 {
		_ = l.device.Free(l.at) // an error of the device comes up again with its next call
		l.at = 0
	}
}

func elementBytes(p kernel.Precision) int {
	if p == kernel.BFloat16 {
		return 2
	}
	return 4
}

// stride is the distance between rows of n elements in bfloat16: cuBLAS is fastest where they start at multiples of 16 bytes.
func stride(n int) int { return ceil(n, 8) * 8 }

// Pack implements kernel.Kernels: a copy in bfloat16, or for TensorFloat32 in float32, which tensor cores round as they read.
// Float32 gains nothing.
func (k *kernels) Pack(b kernel.Tensor, trans bool, p kernel.Precision, old kernel.Layout) kernel.Layout {
	if p == kernel.Float32 || k.err != nil {
		return nil
	}
	rows, cols := b.Rows(), b.Cols()
	l, ok := old.(*layout)
	if !ok || l.at == 0 || l.rows != rows || l.cols != cols || l.precision != p {
		l = &layout{device: k.Device, rows: rows, cols: cols, ld: cols, precision: p}
		if p == kernel.BFloat16 {
			l.ld = stride(cols)
		}
		if k.recording {
			k.fail(fmt.Errorf("laying out a matrix of %d by %d: not while recording", rows, cols))
			return nil
		}
		var err error
		if l.at, err = k.device.Alloc(max(l.Bytes(), 1)); err != nil {
			k.fail(fmt.Errorf("laying out a matrix of %d by %d: %w", rows, cols, err))
			return nil
		}
	}
	if k.idle() {
		return l
	}
	if p == kernel.BFloat16 {
		k.cast(l.at, b)
	} else {
		k.forget()
		if err := k.stream.Copy(l.at, address(b), 4*rows*cols); err != nil {
			k.fail(fmt.Errorf("laying out a matrix of %d by %d: %w", rows, cols, err))
		}
	}
	return l
}

// rounded is a matrix that stands in bfloat16 at the start of a workspace, where a product left it: the next product of the
// same matrix takes it from there (q, k and v are products of one). Whatever may write to the matrix or to the workspace
// forgets it: every launch but casts and biases, copies, new workspaces, replays, and products whose result overlaps it.
// A recording begins and ends without one. Memory of one device is written through its own kernels alone.
type rounded struct {
	from, to   cuda.Ptr
	rows, cols int
}

// forget has no matrix stand in bfloat16.
func (d *device) forget() { d.rounded = rounded{} }

// forgetAt forgets the matrix where some elements of 4 bytes are part of it, which are about to be written.
func (d *device) forgetAt(p cuda.Ptr, elements int) {
	r := d.rounded
	if p < r.from+cuda.Ptr(4*r.rows*r.cols) && r.from < p+cuda.Ptr(4*elements) {
		d.forget()
	}
}

// round gives one or two matrices in bfloat16, in rows that are stride apart, until the workspace is next used.
func (k *kernels) round(xs ...kernel.Tensor) (at [2]cuda.Ptr) {
	var all [2]rounded
	for i, x := range xs {
		all[i] = rounded{from: address(x), rows: x.Rows(), cols: x.Cols()}
	}
	first, second := 0, 1
	if len(xs) > 1 {
		if there := k.rounded; all[1].from == there.from && all[1].rows == there.rows && all[1].cols == there.cols {
			first, second = 1, 0
		}
	}
	bytes := func(i int) int { return 2 * all[i].rows * stride(all[i].cols) }
	parts := k.reserve(bytes(first), bytes(second))
	at[first], at[second] = parts[0], parts[1]
	all[first].to = at[first]
	if k.rounded != all[first] {
		k.cast(at[first], xs[first])
	}
	if len(xs) > 1 {
		k.cast(at[second], xs[second])
	}
	k.rounded = all[first]
	return at
}

// cast rounds a matrix to bfloat16, in rows that are stride apart.
func (k *kernels) cast(to cuda.Ptr, x kernel.Tensor) {
	rows, cols := x.Rows(), x.Cols()
	if n := rows * stride(cols) / 8; n > 0 {
		k.launch("cast_bf16", spread(n), cuda.P(to), at(x), cuda.L(rows), cuda.I(cols), cuda.I(stride(cols)))
	}
}

// spread is a grid for a loop over n > 0 items, with a thread for each as long as that fills the device.
func spread(n int) cuda.Grid {
	threads := min(256, 32*ceil(n, 32))
	return cuda.Line(min(ceil(n, threads), 8192), threads)
}

// fillRows writes a row, or zeros where it is empty, to each row of out.
func (k *kernels) fillRows(out cuda.Ptr, row kernel.Tensor, rows, cols int) {
	if rows > 0 && cols > 0 {
		k.forgetAt(out, rows*cols)
		k.start("fill_rows", spread(rows*cols), cuda.P(out), at(row), cuda.L(rows), cuda.I(cols))
	}
}

// held is the layout of a right operand that serves a product, nil if there is none.
func held(b kernel.Tensor, trans bool) *layout {
	if b.Packed == nil {
		return nil
	}
	held := b.Packed.Plain
	if trans {
		held = b.Packed.Trans
	}
	l, _ := held.(*layout)
	return l
}

// halfPays tells whether both operands of a product [m,k]·[k,n] without a layout are rounded to bfloat16, and not left to
// TensorFloat-32, which reads them as they are and multiplies at half the rate R of bfloat16. Rounding moves 6·(m+n)·k bytes at
// the bandwidth B and saves 2·m·n·k/R seconds: it pays above m·n/(m+n) = 3·R/B, which is 470 for an A100 (312 TFLOP/s, 2 TB/s)
// and 490 for an H200 (780 and 4.8). k does not count.
func halfPays(m, n int) bool { return m*n >= 512*(m+n) }

// MatMul implements kernel.Kernels, by cuBLAS. A bias is added by cublasLt; where that cannot, it is laid down first, and the
// product added to it.
func (k *kernels) MatMul(out, a, b kernel.Tensor, o kernel.MatMul) {
	p := cuda.Product{M: out.Rows(), N: out.Cols(), K: a.Cols(), Alpha: o.Alpha}
	if o.TransA {
		p.K = a.Rows()
	}
	if p.Alpha == 0 {
		p.Alpha = 1
	}
	if p.M == 0 || p.N == 0 {
		return
	}
	if p.K == 0 {
		if !o.Accumulate {
			k.fillRows(address(out), o.Bias, p.M, p.N)
		}
		return
	}
	left := cuda.Matrix{Ptr: address(a), Type: cuda.Float32, LD: a.Cols(), Trans: o.TransA}
	right := cuda.Matrix{Ptr: address(b), Type: cuda.Float32, LD: b.Cols(), Trans: o.TransB}
	switch l := held(b, o.TransB); {
	case l != nil && l.precision == kernel.BFloat16:
		left.Ptr, left.Type, left.LD = k.round(a)[0], cuda.BFloat16, stride(a.Cols())
		right.Ptr, right.Type, right.LD = l.at, cuda.BFloat16, l.ld
	case l != nil:
		right.Ptr, right.LD, p.TF32 = l.at, l.ld, true
	default:
		p.TF32 = k.rounding(&left, &right, a, b, o.Precision, p)
	}
	result := cuda.Matrix{Ptr: address(out), Type: cuda.Float32, LD: p.N}
	if o.Accumulate {
		p.Beta = 1
	} else if !o.Bias.Empty() {
		if k.multiplyBias(result, left, right, o.Bias, p) {
			return
		}
		k.fillRows(result.Ptr, o.Bias, p.M, p.N)
		p.Beta = 1
	}
	k.multiply(result, left, right, p)
}

// rounding has the operands of a product without a layout rounded as its precision asks, and tells whether that is left to
// TensorFloat-32.
func (k *kernels) rounding(left, right *cuda.Matrix, a, b kernel.Tensor, precision kernel.Precision, p cuda.Product) (tf32 bool) {
	if precision != kernel.BFloat16 || !halfPays(p.M, p.N) {
		return precision != kernel.Float32
	}
	at := k.round(a, b)
	for i, m := range []*cuda.Matrix{left, right} {
		rows := m.Stride / m.LD
		m.Ptr, m.Type, m.LD = at[i], cuda.BFloat16, stride(m.LD)
		m.Stride = rows * m.LD
	}
	return false
}

// multiply asks cuBLAS for a product.
func (k *kernels) multiply(out, a, b cuda.Matrix, p cuda.Product) {
	if k.idle() {
		return
	}
	k.forgetAt(out.Ptr, max(p.Batch-1, 0)*out.Stride+(p.M-1)*out.LD+p.N)
	k.check(k.blas.Multiply(out, a, b, p))
}

// multiplyBias asks cublasLt for a product with a bias, and tells whether that was all.
func (k *kernels) multiplyBias(out, a, b cuda.Matrix, bias kernel.Tensor, p cuda.Product) bool {
	if k.idle() {
		return true
	}
	ok, err := k.blas.MultiplyBias(out, a, b, address(bias), p)
	if ok {
		k.forgetAt(out.Ptr, (p.M-1)*out.LD+p.N)
	}
	k.check(err)
	return ok || err != nil
}

// BatchMatMul implements kernel.Kernels.
func (k *kernels) BatchMatMul(out, a, b kernel.Tensor, o kernel.MatMul) {
	batch := func(t kernel.Tensor, trans bool) cuda.Matrix {
		return cuda.Matrix{Ptr: address(t), Type: cuda.Float32, LD: t.Shape[2], Stride: t.Shape[1] * t.Shape[2], Trans: trans}
	}
	// all matrices of a batch below each other
	one := func(t kernel.Tensor) kernel.Tensor { return kernel.F32(t.F32, t.Shape[0]*t.Shape[1], t.Shape[2]) }
	p := cuda.Product{M: out.Shape[1], N: out.Shape[2], K: a.Shape[2], Alpha: o.Alpha, Batch: out.Shape[0]}
	if o.TransA {
		p.K = a.Shape[1]
	}
	if p.Alpha == 0 {
		p.Alpha = 1
	}
	switch {
	case p.Batch == 0 || p.M == 0 || p.N == 0:
	case p.K == 0:
		k.fillRows(address(out), kernel.Tensor{}, p.Batch*p.M, p.N)
	default:
		left, right := batch(a, o.TransA), batch(b, o.TransB)
		p.TF32 = k.rounding(&left, &right, one(a), one(b), o.Precision, p)
		k.multiply(batch(out, false), left, right, p)
	}
}
