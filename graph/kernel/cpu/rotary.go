//go:build cgo

package cpu

/*
#include "kernels.h"

#cgo noescape graft_rotary
#cgo nocallback graft_rotary
*/
import "C"

import "github.com/seed-aefebe89/graft/graph/kernel"

// Rotary implements kernel.Kernels.
func (k *kernels) Rotary(out, x, cos, sin kernel.Tensor, o kernel.Rotary) {
	C.graft_rotary(k.table, C.long(x.Rows()), C.long(o.Heads), C.long(cos.Cols()), flag(o.Interleaved), flag(o.Inverse),
		floats(x.F32), floats(cos.F32), floats(sin.F32), floats(out.F32))
}
