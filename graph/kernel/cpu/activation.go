//go:build cgo

package cpu

/*
#include "kernels.h"

#cgo noescape graft_activate
#cgo nocallback graft_activate
#cgo noescape graft_activate_grad
#cgo nocallback graft_activate_grad
*/
import "C"

import "github.com/seed-aefebe89/graft/graph/kernel"

// Activate implements kernel.Kernels.
func (k *kernels) Activate(out, x kernel.Tensor, f kernel.Activation) {
	C.graft_activate(k.table, C.int(f), C.long(len(out.F32)), floats(x.F32), floats(out.F32))
}

// ActivateGrad implements kernel.Kernels.
func (k *kernels) ActivateGrad(dx, x, dy kernel.Tensor, f kernel.Activation) {
	C.graft_activate_grad(k.table, C.int(f), C.long(len(dx.F32)), floats(x.F32), floats(dy.F32), floats(dx.F32))
}
