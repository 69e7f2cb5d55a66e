package cpu

import (
	"time"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// peakSize is the dimension of Peak's product: its operands fit the last cache of every processor of interest, and the
// tiles' edges do not count.
const peakSize = 1024

// Peak measures this machine's rate of float32 matrix products on one core, in 10⁹ floating-point operations a second:
// the best of the products of 1024 by 1024 matrices that New's Kernels finish within the given seconds, and at least
// one. It is the rate that other work can be held against.
func Peak(seconds float64) (gflops float64) {
	k := New()
	matrix := func() kernel.Tensor {
		x := make([]float32, peakSize*peakSize)
		for i := range x {
			x[i] = float32(i%7) / 8
		}
		return kernel.F32(x, peakSize, peakSize)
	}
	a, b, out := matrix(), matrix(), matrix()
	b.Packed = &kernel.Packed{Plain: k.Pack(b, false, kernel.Float32, nil)}
	for start := time.Now(); ; {
		begin := time.Now()
		k.MatMul(out, a, b, kernel.MatMul{})
		took := time.Since(begin).Seconds()
		gflops = max(gflops, 2*peakSize*peakSize*peakSize/took/1e9)
		if time.Since(start).Seconds() >= seconds {
			return gflops
		}
	}
}
