//go:build cgo

package cpu

/*
#include "kernels.h"

#cgo noescape graft_layer_norm_scratch
#cgo nocallback graft_layer_norm_scratch
#cgo noescape graft_layer_norm
#cgo nocallback graft_layer_norm
#cgo noescape graft_layer_norm_grad
#cgo nocallback graft_layer_norm_grad
#cgo noescape graft_layer_norm_param_grad
#cgo nocallback graft_layer_norm_param_grad
*/
import "C"

import "github.com/seed-aefebe89/graft/graph/kernel"

// LayerNorm implements kernel.Kernels.
func (k *kernels) LayerNorm(out, x, residual, gamma, beta kernel.Tensor, eps float32) {
	m, n := C.long(x.Rows()), C.long(x.Cols())
	scratch := k.workspace(C.graft_layer_norm_scratch(k.table, n))
	C.graft_layer_norm(k.table, m, n, floats(x.F32), floats(residual.F32), floats(gamma.F32), floats(beta.F32),
		C.float(eps), floats(out.F32), scratch)
}

// LayerNormGrad implements kernel.Kernels.
func (k *kernels) LayerNormGrad(dz, x, residual, gamma, dy kernel.Tensor, eps float32) {
	m, n := C.long(x.Rows()), C.long(x.Cols())
	scratch := k.workspace(C.graft_layer_norm_scratch(k.table, n))
	C.graft_layer_norm_grad(k.table, m, n, floats(x.F32), floats(residual.F32), floats(gamma.F32), floats(dy.F32),
		C.float(eps), floats(dz.F32), scratch)
}

// LayerNormParamGrad implements kernel.Kernels.
func (k *kernels) LayerNormParamGrad(out, x, residual, dy kernel.Tensor, eps float32) {
	m, n := C.long(x.Rows()), C.long(x.Cols())
	scratch := k.workspace(C.graft_layer_norm_scratch(k.table, n))
	C.graft_layer_norm_param_grad(k.table, m, n, floats(x.F32), floats(residual.F32), floats(dy.F32), C.float(eps),
		floats(out.F32), scratch)
}
