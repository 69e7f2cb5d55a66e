//go:build cgo

package cpu

/*
#include "kernels.h"

#cgo noescape graft_map
#cgo nocallback graft_map
#cgo noescape graft_combine
#cgo nocallback graft_combine
#cgo noescape graft_where
#cgo nocallback graft_where
#cgo noescape graft_reduce
#cgo nocallback graft_reduce
#cgo noescape graft_softmax
#cgo nocallback graft_softmax
*/
import "C"

import "github.com/seed-aefebe89/graft/graph/kernel"

// Map implements kernel.Kernels. Functions that encoders hardly use are those of plain Go.
func (k *kernels) Map(out, x kernel.Tensor, f kernel.Function) {
	if C.graft_map(k.table, C.int(f), C.long(len(out.F32)), floats(x.F32), floats(out.F32)) == 0 {
		k.Nodewise.Map(out, x, f)
	}
}

// Combine implements kernel.Kernels. Powers are those of plain Go.
func (k *kernels) Combine(out, a, b kernel.Tensor, f kernel.Pair) {
	if C.graft_combine(k.table, C.int(f), C.long(len(out.F32)), floats(a.F32), floats(b.F32), floats(out.F32)) == 0 {
		k.Nodewise.Combine(out, a, b, f)
	}
}

// Select implements kernel.Kernels.
func (k *kernels) Select(out, c, a, b kernel.Tensor) {
	C.graft_where(k.table, C.long(len(out.F32)), floats(c.F32), floats(a.F32), floats(b.F32), floats(out.F32))
}

// Reduce implements kernel.Kernels.
func (k *kernels) Reduce(out, x kernel.Tensor, f kernel.Reduction) {
	if m := len(out.F32); m > 0 {
		C.graft_reduce(k.table, C.int(f), C.long(m), C.long(len(x.F32)/m), floats(x.F32), floats(out.F32))
	}
}

// Softmax implements kernel.Kernels.
func (k *kernels) Softmax(out, x kernel.Tensor, empty float32) {
	C.graft_softmax(k.table, C.long(out.Rows()), C.long(out.Cols()), floats(x.F32), C.float(empty), floats(out.F32))
}
