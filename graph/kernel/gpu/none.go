// Package gpu computes kernel.Kernels on an NVIDIA GPU.
package gpu

import (
	"errors"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Open fails: this program was built without GPU support.
func Open(int) (kernel.Kernels, error) {
	return nil, errors.New("this program was built without GPU support (build tag gpu)")
}
