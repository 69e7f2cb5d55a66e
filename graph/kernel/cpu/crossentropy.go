//go:build cgo

package cpu

/*
#include "kernels.h"

#cgo noescape graft_cross_entropy_scratch
#cgo nocallback graft_cross_entropy_scratch
#cgo noescape graft_cross_entropy
#cgo nocallback graft_cross_entropy
#cgo noescape graft_cross_entropy_grad
#cgo nocallback graft_cross_entropy_grad
*/
import "C"

import "github.com/seed-aefebe89/graft/graph/kernel"

// CrossEntropy implements kernel.Kernels.
func (k *kernels) CrossEntropy(out, logits, labels, weight kernel.Tensor) {
	m, n := C.long(logits.Rows()), C.long(logits.Cols())
	scratch := k.workspace(C.graft_cross_entropy_scratch(k.table, n))
	sum := C.graft_cross_entropy(k.table, m, n, floats(logits.F32), ints(labels.I32), scratch)
	out.F32[0] = float32(float64(weight.F32[0]) * float64(sum))
}

// CrossEntropyGrad implements kernel.Kernels.
func (k *kernels) CrossEntropyGrad(out, logits, labels, weight, dout kernel.Tensor) {
	m, n := C.long(logits.Rows()), C.long(logits.Cols())
	scratch := k.workspace(C.graft_cross_entropy_scratch(k.table, n))
	C.graft_cross_entropy_grad(k.table, m, n, floats(logits.F32), ints(labels.I32),
		C.float(dout.F32[0]*weight.F32[0]), floats(out.F32), scratch)
}
