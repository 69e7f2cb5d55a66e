//go:build !(gpu && cgo && linux)

package gpu

import (
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/internal/cuda"
)

// Open fails: this program was built without GPU support.
func Open(index int) (kernel.Kernels, error) {
	_, err := cuda.Open(index)
	return nil, err
}
