//go:build cgo

package cpu

/*
#include "kernels.h"

#cgo noescape graft_pack_size
#cgo nocallback graft_pack_size
#cgo noescape graft_pack
#cgo nocallback graft_pack
#cgo noescape graft_pack_bf16_size
#cgo nocallback graft_pack_bf16_size
#cgo noescape graft_pack_bf16_scratch
#cgo nocallback graft_pack_bf16_scratch
#cgo noescape graft_pack_bf16
#cgo nocallback graft_pack_bf16
#cgo noescape graft_matmul_scratch
#cgo nocallback graft_matmul_scratch
#cgo noescape graft_matmul
#cgo nocallback graft_matmul
#cgo noescape graft_matmul_bf16_scratch
#cgo nocallback graft_matmul_bf16_scratch
#cgo noescape graft_matmul_bf16
#cgo nocallback graft_matmul_bf16
*/
import "C"

import (
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/portable"
)

// layout is op(b), [k,n], in the strips and blocks that one level's tiles read. In BFloat16 an element of x holds a pair.
type layout struct {
	level     Level
	precision kernel.Precision
	k, n      int
	x         []float32
}

// Bytes implements kernel.Layout.
func (l *layout) Bytes() int { return 4 * len(l.x) }

// Both implements kernel.Layout.
func (l *layout) Both() bool { return false }

// Pack implements kernel.Kernels.
func (k *kernels) Pack(b kernel.Tensor, trans bool, p kernel.Precision, old kernel.Layout) kernel.Layout {
	rows, cols := b.Rows(), b.Cols()
	if trans {
		rows, cols = cols, rows
	}
	l, ok := old.(*layout)
	if !ok || l.level != k.level || l.precision != p || l.k != rows || l.n != cols {
		l = &layout{level: k.level, precision: p, k: rows, n: cols}
		size := C.graft_pack_size(k.table, C.long(rows), C.long(cols))
		if p == kernel.BFloat16 {
			size = C.graft_pack_bf16_size(k.table, C.long(rows), C.long(cols))
		}
		l.x = aligned(int(size))
	}
	if p == kernel.BFloat16 {
		scratch := k.workspace(C.graft_pack_bf16_scratch(k.table, C.long(rows)))
		C.graft_pack_bf16(k.table, C.long(rows), C.long(cols), floats(b.F32), flag(trans), floats(l.x), scratch)
	} else {
		C.graft_pack(k.table, C.long(rows), C.long(cols), floats(b.F32), flag(trans), floats(l.x))
	}
	return l
}

// packed returns the layout of op(b) if b has one that this level packed, and nil otherwise.
func (k *kernels) packed(b kernel.Tensor, trans bool) *layout {
	if b.Packed == nil {
		return nil
	}
	held := b.Packed.Plain
	if trans {
		held = b.Packed.Trans
	}
	if l, ok := held.(*layout); ok && l.level == k.level {
		return l
	}
	return nil
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
	l := k.packed(b, o.TransB)
	transA, transB := flag(o.TransA), flag(o.TransB)
	if l != nil && l.precision == kernel.BFloat16 {
		scratch := k.workspace(C.graft_matmul_bf16_scratch(k.table, m, depth))
		C.graft_matmul_bf16(k.table, m, n, depth, floats(a.F32), transA, floats(l.x), floats(out.F32),
			C.float(alpha), floats(o.Bias.F32), flag(o.Accumulate), scratch)
		return
	}
	var packed *C.float
	if l != nil {
		packed = floats(l.x)
	}
	need := C.graft_matmul_scratch(k.table, m, n, depth, transA, transB, flag(l != nil))
	C.graft_matmul(k.table, m, n, depth, floats(a.F32), transA, floats(b.F32), transB, packed, floats(out.F32),
		C.float(alpha), floats(o.Bias.F32), flag(o.Accumulate), k.workspace(need))
}

// BatchMatMul implements kernel.Kernels.
func (k *kernels) BatchMatMul(out, a, b kernel.Tensor, o kernel.MatMul) {
	portable.EachMatrix(out, a, b, func(out, a, b kernel.Tensor) { k.MatMul(out, a, b, o) })
}
