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
	} else if err := k.stream.Copy(l.at, address(b), 4*rows*cols); err != nil {
		k.fail(fmt.Errorf("laying out a matrix of %d by %d: %w", rows, cols, err))
	}
	return l
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
		k.launch("fill_rows", spread(rows*cols), cuda.P(out), at(row), cuda.L(rows), cuda.I(cols))
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

// MatMul implements kernel.Kernels, by cuBLAS: the bias is laid down first, and the product added to it.
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
	if o.Accumulate {
		p.Beta = 1
	} else if !o.Bias.Empty() || p.K == 0 {
		k.fillRows(address(out), o.Bias, p.M, p.N)
		p.Beta = 1
	}
	if p.K == 0 {
		return
	}
	left := cuda.Matrix{Ptr: address(a), Type: cuda.Float32, LD: a.Cols(), Trans: o.TransA}
	right := cuda.Matrix{Ptr: address(b), Type: cuda.Float32, LD: b.Cols(), Trans: o.TransB}
	if l := held(b, o.TransB); l != nil {
		right.Ptr, right.LD = l.at, l.ld
		if p.TF32 = l.precision == kernel.TensorFloat32; !p.TF32 {
			right.Type, left.Type, left.LD = cuda.BFloat16, cuda.BFloat16, stride(a.Cols())
			left.Ptr = k.scratch(2 * a.Rows() * left.LD)[0]
			k.cast(left.Ptr, a)
		}
	}
	k.multiply(cuda.Matrix{Ptr: address(out), Type: cuda.Float32, LD: p.N}, left, right, p)
}

// multiply asks cuBLAS for a product.
func (k *kernels) multiply(out, a, b cuda.Matrix, p cuda.Product) {
	if k.idle() {
		return
	}
	if err := k.blas.Multiply(out, a, b, p); err != nil {
		k.fail(err)
	}
}

// BatchMatMul implements kernel.Kernels.
func (k *kernels) BatchMatMul(out, a, b kernel.Tensor, o kernel.MatMul) {
	batch := func(t kernel.Tensor, trans bool) cuda.Matrix {
		return cuda.Matrix{Ptr: address(t), Type: cuda.Float32, LD: t.Shape[2], Stride: t.Shape[1] * t.Shape[2], Trans: trans}
	}
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
		k.multiply(batch(out, false), batch(a, o.TransA), batch(b, o.TransB), p)
	}
}
