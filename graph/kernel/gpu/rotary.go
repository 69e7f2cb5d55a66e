//go:build gpu && cgo && linux

package gpu

import (
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/internal/cuda"
)

// Rotary implements kernel.Kernels.
func (k *kernels) Rotary(out, x, cos, sin kernel.Tensor, o kernel.Rotary) {
	pairs := len(x.F32) / 2
	if pairs == 0 {
		return
	}
	direction := float32(1)
	if o.Inverse {
		direction = -1
	}
	k.launch("rotary", spread(pairs), at(out), at(x), at(cos), at(sin), cuda.L(pairs), cuda.I(o.Heads), cuda.I(cos.Cols()),
		cuda.I(truth(o.Interleaved)), cuda.F(direction))
}
