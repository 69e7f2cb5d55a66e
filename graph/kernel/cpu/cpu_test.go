package cpu

import (
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/kerneltest"
)

// open returns a constructor of one level's Kernels.
func open(tb testing.TB, l Level) kerneltest.Open {
	return func() kernel.Kernels {
		k, err := NewLevel(l)
		if err != nil {
			tb.Fatal(err)
		}
		return k
	}
}

func TestKernels(t *testing.T) {
	for _, l := range Levels() {
		if l != Portable { // tested where it is
			t.Run(l.String(), func(t *testing.T) { kerneltest.Run(t, open(t, l)) })
		}
	}
}

func BenchmarkKernels(b *testing.B) {
	for _, l := range Levels() {
		if l != Portable {
			b.Run(l.String(), func(b *testing.B) { kerneltest.Bench(b, open(b, l)) })
		}
	}
}
