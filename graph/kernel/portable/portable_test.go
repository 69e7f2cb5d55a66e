package portable

import (
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel/kerneltest"
)

func TestKernels(t *testing.T) { kerneltest.Run(t, New) }

func BenchmarkKernels(b *testing.B) { kerneltest.Bench(b, New) }
