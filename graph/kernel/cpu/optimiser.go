//go:build cgo

package cpu

/*
#include "kernels.h"

#cgo noescape graft_adamw
#cgo nocallback graft_adamw
#cgo noescape graft_add_scaled
#cgo nocallback graft_add_scaled
#cgo noescape graft_sum_squares
#cgo nocallback graft_sum_squares
*/
import "C"

import (
	"math"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// AdamW implements kernel.Kernels. What depends on the step alone is taken in float64 here.
func (k *kernels) AdamW(p, g, m, v kernel.Tensor, o kernel.AdamW) {
	beta1, beta2 := float64(o.Beta1), float64(o.Beta2)
	step := float64(o.LR) / (1 - math.Pow(beta1, float64(o.Step)))
	root := 1 / math.Sqrt(1-math.Pow(beta2, float64(o.Step))) // √(v/(1−β2ᵗ)) = root·√v
	C.graft_adamw(k.table, C.long(len(p.F32)), floats(p.F32), floats(g.F32), floats(m.F32), floats(v.F32),
		C.float(o.Scale()), C.float(o.Beta1), C.float(1-beta1), C.float(o.Beta2), C.float(1-beta2),
		C.float(step), C.float(root), C.float(o.Eps), C.float(float64(o.LR)*float64(o.WeightDecay)))
}

// AddScaled implements kernel.Kernels.
func (k *kernels) AddScaled(y, x kernel.Tensor, s float32) {
	C.graft_add_scaled(k.table, C.long(len(y.F32)), floats(x.F32), C.float(s), floats(y.F32))
}

// Clip implements kernel.Kernels.
func (k *kernels) Clip(out, x kernel.Tensor, limit float32) {
	out.F32[0] = kernel.ClipFactor(float64(C.graft_sum_squares(k.table, C.long(len(x.F32)), floats(x.F32))), limit)
}
