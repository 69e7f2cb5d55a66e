package portable

import "github.com/seed-aefebe89/graft/graph/kernel"

// layout is a matrix in bfloat16, as it was stored: element (i, j) of op(b) is x[i*row+j*col].
type layout struct {
	k, n, row, col int
	x              []uint16
}

// Bytes implements kernel.Layout.
func (l *layout) Bytes() int { return 2 * len(l.x) }

// Both implements kernel.Layout.
func (l *layout) Both() bool { return false }

// Pack implements kernel.Kernels: in float32 it returns nil, since MatMul packs what it needs as it goes, and the time
// that takes is small beside the arithmetic's.
func (*kernels) Pack(b kernel.Tensor, trans bool, p kernel.Precision, old kernel.Layout) kernel.Layout {
	if p != kernel.BFloat16 {
		return nil
	}
	v := viewOf(b, trans, b.Cols())
	k, n := b.Rows(), b.Cols()
	if trans {
		k, n = n, k
	}
	l, ok := old.(*layout)
	if !ok || len(l.x) != k*n {
		l = &layout{x: make([]uint16, k*n)}
	}
	l.k, l.n, l.row, l.col = k, n, v.row, v.col
	for i, x := range b.F32[:k*n] {
		l.x[i] = kernel.RoundBF16(x)
	}
	return l
}

// bf16 returns the layout that b has of op(b) in bfloat16, or nil.
func bf16(b kernel.Tensor, trans bool) *layout {
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

// packColumns is pack for the columns of a part of l, kc rows by cols columns from (k0, j0) on.
func (l *layout) packColumns(to []float32, cols, kc, height, k0, j0 int) {
	even := kc + kc%2
	clear(to[:(cols+height-1)/height*height*even])
	for j := range cols {
		panel := to[j/height*height*even+j%height:]
		at := k0*l.row + (j0+j)*l.col
		for q := range kc {
			panel[q*height] = kernel.WidenBF16(l.x[at])
			at += l.row
		}
	}
}

// round rounds every element to bfloat16.
func round(x []float32) {
	for i, v := range x {
		x[i] = kernel.WidenBF16(kernel.RoundBF16(v))
	}
}
