//go:build gpu && cgo && linux

package gpu

import (
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/internal/cuda"
)

// Scores implements kernel.Kernels.
func (k *kernels) Scores(out, a, b, bounds kernel.Tensor, o kernel.Attention, outside float32) {
	if rows, d := a.Rows(), a.Cols()/o.Heads; rows > 0 {
		k.launch("head_scores", warps(rows*o.Heads), at(out), at(a), at(b), at(bounds), cuda.I(len(bounds.I32)-1), cuda.I(rows),
			cuda.I(o.Heads), cuda.I(d), cuda.F(o.Scale), cuda.I(o.Window), cuda.F(outside))
	}
}

// Mix implements kernel.Kernels.
func (k *kernels) Mix(out, p, x, bounds kernel.Tensor, o kernel.Attention, trans bool) {
	if rows, d := x.Rows(), x.Cols()/o.Heads; rows > 0 {
		k.launch("head_mix", warps(rows*o.Heads), at(out), at(p), at(x), at(bounds), cuda.I(len(bounds.I32)-1), cuda.I(rows),
			cuda.I(o.Heads), cuda.I(d), cuda.F(o.Scale), cuda.I(truth(trans)))
	}
}
