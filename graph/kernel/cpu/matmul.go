//go:build cgo

package cpu

/*
#include "kernels.h"

#cgo noescape graft_pack_size
#cgo nocallback graft_pack_size
#cgo noescape graft_pack
#cgo nocallback graft_pack
#cgo noescape graft_matmul_scratch
#cgo nocallback graft_matmul_scratch
#cgo noescape graft_matmul
#cgo nocallback graft_matmul
*/
import "C"

import "github.com/seed-aefebe89/graft/graph/kernel"

// layout is op(b), [k,n], in the strips and blocks that one level's tiles read.
type layout struct {
	level Level
	k, n  int
	x     []float32
}

// Bytes implements kernel.Layout.
func (l *layout) Bytes() int { return 4 * len(l.x) }

// Pack implements kernel.Kernels.
func (k *kernels) Pack(b kernel.Tensor, trans bool) kernel.Layout {
	rows, cols := b.Rows(), b.Cols()
	if trans {
		rows, cols = cols, rows
	}
	size := C.graft_pack_size(k.table, C.long(rows), C.long(cols))
	l := &layout{level: k.level, k: rows, n: cols, x: aligned(int(size))}
	C.graft_pack(k.table, C.long(rows), C.long(cols), floats(b.F32), flag(trans), floats(l.x))
	return l
}

// packed returns the layout of op(b) if b has one that this level packed, and nil otherwise.
func (k *kernels) packed(b kernel.Tensor, trans bool) *C.float {
	if b.Packed == nil {
		return nil
	}
	held := b.Packed.Plain
	if trans {
		held = b.Packed.Trans
	}
	l, ok := held.(*layout)
	if !ok || l.level != k.level {
		return nil
	}
	return floats(l.x)
}

// MatMul implements kernel.Kernels.
func (k *kernels) MatMul(out, a, b kernel.Tensor, o kernel.MatMul) {
	m, n, depth := C.long(out.Rows()), C.long(out.Cols()), C.long(a.Cols())
	if o.TransA {
		depth = C.long(a.Rows())
	}
	alpha := o.Alpha
	if alpha == 0 {
		alpha = 1
	}
	packed := k.packed(b, o.TransB)
	transA, transB := flag(o.TransA), flag(o.TransB)
	need := C.graft_matmul_scratch(k.table, m, n, depth, transA, transB, flag(packed != nil))
	C.graft_matmul(k.table, m, n, depth, floats(a.F32), transA, floats(b.F32), transB, packed, floats(out.F32),
		C.float(alpha), floats(o.Bias.F32), flag(o.Accumulate), k.workspace(need))
}
