package kerneltest

import (
	"math"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Rotary checks both ways of pairing and both directions, in place too, and that turning back gives what was there.
func Rotary(t *testing.T, open Open) {
	for i, c := range []struct{ rows, heads, half int }{{0, 2, 3}, {1, 1, 1}, {3, 2, 4}, {5, 3, 8}, {7, 2, 13}, {4, 12, 32}, {9, 1, 33}} {
		for _, o := range []kernel.Rotary{{}, {Interleaved: true}, {Inverse: true}, {Interleaved: true, Inverse: true}} {
			o.Heads = c.heads
			r := newTrial(t, open, uint64(i)).unaligned(i % 4)
			n, width := c.rows*c.heads*2*c.half, c.heads*2*c.half
			x := r.normal(n, 2)
			cos, sin := make([]float32, c.rows*c.half), make([]float32, c.rows*c.half)
			for k := range cos {
				s, c := math.Sincos(2 * math.Pi * r.rng.Float64())
				cos[k], sin[k] = float32(c), float32(s)
			}
			want, tol := make([]float64, n), make([]float64, n)
			for row := range c.rows {
				for h := range c.heads {
					for k := range c.half {
						a := row*width + h*2*c.half + k
						b := a + c.half
						if o.Interleaved {
							a, b = a+k, a+k+1
						}
						cosine, sine := float64(cos[row*c.half+k]), float64(sin[row*c.half+k])
						if o.Inverse {
							sine = -sine
						}
						want[a] = float64(x[a])*cosine - float64(x[b])*sine
						want[b] = float64(x[b])*cosine + float64(x[a])*sine
						// two products and a sum
						tol[a] = 2 * u * (math.Abs(float64(x[a])*cosine) + math.Abs(float64(x[b])*sine))
						tol[b] = 2 * u * (math.Abs(float64(x[b])*cosine) + math.Abs(float64(x[a])*sine))
					}
				}
			}
			cosines, sines, in := r.input(cos, c.rows, c.half), r.input(sin, c.rows, c.half), r.input(x, c.rows, width)
			run := func(k kernel.Kernels, out []float32, in kernel.Tensor) {
				k.Rotary(kernel.F32(out, c.rows, width), in, cosines, sines, o)
			}
			within(t, r.fresh(n, func(k kernel.Kernels, out []float32) { run(k, out, in) }), want, tol)
			within(t, r.from(x, func(k kernel.Kernels, out []float32) { run(k, out, kernel.F32(out, c.rows, width)) }), want, tol)
			if t.Failed() {
				t.Fatalf("%+v %+v", c, o)
			}
		}
	}
}
