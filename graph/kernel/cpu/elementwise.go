//go:build cgo

package cpu

/*
#include "kernels.h"

#cgo noescape graft_column_sum
#cgo nocallback graft_column_sum
#cgo noescape graft_add
#cgo nocallback graft_add
#cgo noescape graft_mul
#cgo nocallback graft_mul
#cgo noescape graft_scale
#cgo nocallback graft_scale
#cgo noescape graft_add_row
#cgo nocallback graft_add_row
#cgo noescape graft_mul_row
#cgo nocallback graft_mul_row
*/
import "C"

import "github.com/seed-aefebe89/graft/graph/kernel"

// ColSum implements kernel.Kernels.
func (k *kernels) ColSum(out, x kernel.Tensor) {
	C.graft_column_sum(k.table, C.long(x.Rows()), C.long(x.Cols()), floats(x.F32), floats(out.F32))
}

// Add implements kernel.Kernels.
func (k *kernels) Add(out, a, b kernel.Tensor) {
	C.graft_add(k.table, C.long(len(out.F32)), floats(a.F32), floats(b.F32), floats(out.F32))
}

// Mul implements kernel.Kernels.
func (k *kernels) Mul(out, a, b kernel.Tensor) {
	C.graft_mul(k.table, C.long(len(out.F32)), floats(a.F32), floats(b.F32), floats(out.F32))
}

// Scale implements kernel.Kernels.
func (k *kernels) Scale(out, x kernel.Tensor, s float32) {
	C.graft_scale(k.table, C.long(len(out.F32)), floats(x.F32), C.float(s), floats(out.F32))
}

// AddRow implements kernel.Kernels.
func (k *kernels) AddRow(out, x, row kernel.Tensor) {
	C.graft_add_row(k.table, C.long(out.Rows()), C.long(out.Cols()), floats(x.F32), floats(row.F32), floats(out.F32))
}

// MulRow implements kernel.Kernels.
func (k *kernels) MulRow(out, x, row kernel.Tensor) {
	C.graft_mul_row(k.table, C.long(out.Rows()), C.long(out.Cols()), floats(x.F32), floats(row.F32), floats(out.F32))
}
