//go:build gpu && cgo && linux

package cu_test

import (
	"math/rand/v2"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel/gpu/cu"
	"github.com/seed-aefebe89/graft/internal/cuda"
	. "github.com/seed-aefebe89/graft/internal/cuda/cudatest"
)

// function loads the kernels, which are unloaded when the test ends, and finds one.
func function(t *Env, name string) *cuda.Function {
	t.Helper()
	l, err := t.Device.NewLibrary(cu.Files)
	t.Must(err)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	f, err := l.Function(name)
	t.Must(err)
	return f
}

func random(n int, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// TestAddAndScale: sizes around a block's threads and beyond a grid's, in place too. Both are exact.
func TestAddAndScale(t *testing.T) {
	Run(t, func(t *Env) {
		add, scale := function(t, "add"), function(t, "scale")
		for _, n := range []int{1, 127, 128, 129, 1000} {
			a, b := random(n, 1), random(n, 2)
			x, y, out := Upload(t, a), Upload(t, b), t.Alloc(4*n)
			t.Must(t.Stream.Launch(add, cuda.Line(2, 128), cuda.P(out), cuda.P(x), cuda.P(y), cuda.L(n)))
			t.Must(t.Stream.Launch(scale, cuda.Line(3, 96), cuda.P(out), cuda.P(out), cuda.F(-2), cuda.L(n)))
			for i, v := range Download[float32](t, out, n) {
				if want := -2 * (a[i] + b[i]); v != want {
					t.Fatalf("element %d of %d is %v, want %v", i, n, v, want)
				}
			}
		}
	})
}
