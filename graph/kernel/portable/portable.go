// Package portable computes kernel.Kernels in plain Go: no assembly, no C. It runs wherever Go runs and is the
// reference for the processors' own kernels; graph/kernel/cpu is many times faster where there is a C compiler.
package portable

import "github.com/seed-aefebe89/graft/graph/kernel"

var _ kernel.Kernels = (*kernels)(nil)

// kernels holds scratch memory for packed panels, for attention's scores and for their terms of relative positions.
type kernels struct {
	Nodewise
	panels, scores, terms []float32
}

// New returns Kernels for one goroutine.
func New() kernel.Kernels { return &kernels{} }

// Name implements kernel.Kernels.
func (*kernels) Name() string { return "portable" }

// Native implements kernel.Kernels.
func (*kernels) Native(p kernel.Precision) bool { return p == kernel.Float32 }

// grow returns scratch with n elements, reusing its memory where that suffices.
func grow(scratch *[]float32, n int) []float32 {
	if cap(*scratch) < n {
		*scratch = make([]float32, n)
	}
	return (*scratch)[:n]
}
