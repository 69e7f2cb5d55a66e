package cpu

import (
	"errors"
	"fmt"
	"os"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/portable"
)

// ErrLevel is returned for a level that this processor or this build does not have.
var ErrLevel = errors.New("not available on this processor or in this build")

// Levels lists the levels that this processor and this build have, the fastest last.
func Levels() []Level {
	levels := []Level{Portable}
	for l := Base; int(l) < len(levelNames); l++ {
		if available(l) {
			levels = append(levels, l)
		}
	}
	return levels
}

// New returns Kernels of the level that the environment variable GRAFT_CPU names (portable, base, avx2, avx512 or avx512_bf16), and
// of the fastest one where it is not set, names none, or names one that is not available.
func New() kernel.Kernels {
	k, err := NewLevel(choose(Levels(), os.Getenv("GRAFT_CPU")))
	if err != nil { // not for a level that Levels lists
		return portable.New()
	}
	return k
}

// NewLevel returns Kernels of one level, or an error that wraps ErrLevel.
func NewLevel(l Level) (kernel.Kernels, error) {
	if l == Portable {
		return portable.New(), nil
	}
	if !available(l) {
		return nil, fmt.Errorf("level %v: %w", l, ErrLevel)
	}
	return newKernels(l), nil
}
