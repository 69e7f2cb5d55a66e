//go:build !cgo

package cpu

import (
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/portable"
)

// available tells that there is no level but Portable without a C compiler.
func available(Level) bool { return false }

func newKernels(Level) kernel.Kernels { return portable.New() }
