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

// CopyColumns checks that some columns are copied and the others stay.
func CopyColumns(t *testing.T, open Open) {
	for i, c := range []struct{ rows, from, width, to, out, n int }{
		{0, 0, 2, 0, 1, 1}, {1, 0, 1, 0, 1, 1}, {3, 2, 7, 0, 5, 5}, {5, 0, 16, 16, 48, 16}, {4, 33, 66, 0, 33, 33}, {2, 1, 4, 3, 9, 0},
	} {
		r := newTrial(t, open, uint64(i)).unaligned(i % 4)
		x, start := r.normal(c.rows*c.width, 1), r.normal(c.rows*c.out, 1)
		want := wide(start)
		for row := range c.rows {
			for k := range c.n {
				want[row*c.out+c.to+k] = float64(x[row*c.width+c.from+k])
			}
		}
		in := r.input(x, c.rows, c.width)
		exactly(t, r.from(start, func(k kernel.Kernels, out []float32) {
			k.CopyColumns(kernel.F32(out, c.rows, c.out), in, c.to, c.from, c.n)
		}), want)
		if t.Failed() {
			t.Fatalf("%+v", c)
		}
	}
}
