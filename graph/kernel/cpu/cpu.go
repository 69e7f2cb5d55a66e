//go:build cgo

package cpu

/*
#cgo CFLAGS: -O3 -Wall -fno-strict-aliasing
#cgo LDFLAGS: -lm
#include "kernels.h"

#cgo noescape graft_level
#cgo nocallback graft_level
*/
import "C"

import (
	"unsafe"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/portable"
)

var _ kernel.Kernels = (*kernels)(nil)

// kernels calls the C kernels of one level. scratch grows to what the largest call needs and is kept.
type kernels struct {
	portable.Nodewise

	level   Level
	table   *C.struct_graft_kernels
	scratch []float32
}

// table returns the C kernels of a level, nil where the processor lacks it.
func table(l Level) *C.struct_graft_kernels {
	switch l {
	case Base:
		return C.graft_level(C.GRAFT_BASE)
	case AVX2:
		return C.graft_level(C.GRAFT_AVX2)
	case AVX512:
		return C.graft_level(C.GRAFT_AVX512)
	case AVX512BF16:
		return C.graft_level(C.GRAFT_AVX512_BF16)
	}
	return nil
}

func available(l Level) bool { return table(l) != nil }

func newKernels(l Level) kernel.Kernels { return &kernels{level: l, table: table(l)} }

// Name implements kernel.Kernels.
func (k *kernels) Name() string { return "cpu " + k.level.String() }

// Native implements kernel.Kernels.
func (k *kernels) Native(p kernel.Precision) bool {
	return p == kernel.Float32 || p == kernel.BFloat16 && k.level == AVX512BF16
}

// alignment is that of a cache line and of the widest vector, in bytes.
const alignment = 64

// aligned returns n floats that start at a multiple of alignment.
func aligned(n int) []float32 {
	x := make([]float32, n+alignment/4)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(x))) % alignment / 4
	return x[skip : skip+uintptr(n) : skip+uintptr(n)]
}

// workspace returns scratch memory of n floats, whose contents are arbitrary.
func (k *kernels) workspace(n C.long) *C.float {
	if len(k.scratch) < int(n) {
		k.scratch = aligned(int(n))
	}
	return floats(k.scratch)
}

// floats and ints are C's view of a slice: nil where it has no memory.
func floats(x []float32) *C.float { return (*C.float)(unsafe.Pointer(unsafe.SliceData(x))) }

func ints(x []int32) *C.int32_t { return (*C.int32_t)(unsafe.Pointer(unsafe.SliceData(x))) }

func flag(b bool) C.int {
	if b {
		return 1
	}
	return 0
}
