//go:build cgo

package cpu

/*
#include "kernels.h"

#cgo noescape graft_shift
#cgo nocallback graft_shift
#cgo noescape graft_fill
#cgo nocallback graft_fill
#cgo noescape graft_copy
#cgo nocallback graft_copy
*/
import "C"

import "github.com/seed-aefebe89/graft/graph/kernel"

// Shift implements kernel.Kernels.
func (k *kernels) Shift(out, x kernel.Tensor, c float32) {
	C.graft_shift(k.table, C.long(len(out.F32)), floats(x.F32), C.float(c), floats(out.F32))
}

// Fill implements kernel.Kernels.
func (k *kernels) Fill(out kernel.Tensor, v float32) {
	C.graft_fill(k.table, C.long(len(out.F32)), C.float(v), floats(out.F32))
}

// Copy implements kernel.Kernels.
func (k *kernels) Copy(out, x kernel.Tensor, s kernel.Strides) {
	var size, to, from [kernel.Axes]C.long
	for i := range size {
		size[i], to[i], from[i] = C.long(s.Size[i]), C.long(s.Out[i]), C.long(s.In[i])
	}
	C.graft_copy(k.table, &size[0], &to[0], &from[0], floats(x.F32), floats(out.F32))
}
