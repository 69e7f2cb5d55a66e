package kerneltest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// u is the unit roundoff of float32: one operation's relative error is at most u.
const u = 0x1p-24

// guard is the number of elements before and after every output that a kernel must leave alone.
const guard = 48

// canary fills the guard zones; no kernel computes it.
var canary = math.Float32frombits(0x7fa5a5a5)

// A trial is one case: it makes operands, runs the kernel on them and keeps copies of the inputs.
type trial struct {
	t      testing.TB
	open   Open
	rng    *rand.Rand
	floats []kept[float32]
	ints   []kept[int32]
	offset int
}

type kept[T any] struct{ live, copy []T }

// newTrial returns a trial whose random numbers depend on seed alone.
func newTrial(t testing.TB, open Open, seed uint64) *trial {
	return &trial{t: t, open: open, rng: rand.New(rand.NewPCG(seed, 0x6b65726e656c))}
}

// unaligned makes the trial's inputs views that start at the given byte offset from a multiple of four, as views of a
// mapped file do.
func (r *trial) unaligned(offset int) *trial {
	r.offset = offset
	return r
}

// input hands x to a kernel: as a copy at the trial's alignment, which must not change.
func (r *trial) input(x []float32, shape ...int) kernel.Tensor {
	live := unalignedCopy(x, r.offset)
	r.floats = append(r.floats, kept[float32]{live, slices.Clone(x)})
	return kernel.F32(live, shape...)
}

// index hands x to a kernel, which must not change it.
func (r *trial) index(x []int32, shape ...int) kernel.Tensor {
	r.ints = append(r.ints, kept[int32]{x, slices.Clone(x)})
	return kernel.I32(x, shape...)
}

// normal returns n numbers drawn from the normal distribution with mean 0 and the given deviation.
func (r *trial) normal(n int, deviation float64) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(deviation * r.rng.NormFloat64())
	}
	return x
}

// integers returns n whole numbers from -limit to limit.
func (r *trial) integers(n, limit int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.rng.IntN(2*limit+1) - limit)
	}
	return x
}

// indices returns n numbers from 0 to limit-1.
func (r *trial) indices(n, limit int) []int32 {
	x := make([]int32, n)
	for i := range x {
		x[i] = int32(r.rng.IntN(limit))
	}
	return x
}

// fresh runs f twice on each of two values, on an output of n elements that holds NaN, and returns what f wrote.
func (r *trial) fresh(n int, f func(k kernel.Kernels, out []float32)) []float32 {
	r.t.Helper()
	start := make([]float32, n)
	for i := range start {
		start[i] = float32(math.NaN())
	}
	return r.from(start, f)
}

// from is like fresh for an output that holds start, which may be an input as well.
func (r *trial) from(start []float32, f func(k kernel.Kernels, out []float32)) []float32 {
	r.t.Helper()
	var first []float32
	for value := range 2 {
		k := r.open()
		for call := range 2 {
			buffer := make([]float32, len(start)+2*guard)
			for i := range buffer {
				buffer[i] = canary
			}
			out := buffer[guard : guard+len(start) : guard+len(start)]
			copy(out, start)
			f(k, out)
			r.checkSurroundings(buffer, len(start))
			if first == nil {
				first = out
			} else if i := differingBits(first, out); i >= 0 {
				r.t.Fatalf("value %d, call %d: element %d is %g, at first it was %g", value, call, i, out[i], first[i])
			}
		}
	}
	return first
}

// checkSurroundings fails the test if the guard zones around n elements or an input have changed.
func (r *trial) checkSurroundings(buffer []float32, n int) {
	r.t.Helper()
	for i, x := range buffer {
		if (i < guard || i >= guard+n) && math.Float32bits(x) != math.Float32bits(canary) {
			r.t.Fatalf("wrote %g at %d of an output of %d elements", x, i-guard, n)
		}
	}
	for i, x := range r.floats {
		if j := differingBits(x.live, x.copy); j >= 0 {
			r.t.Fatalf("element %d of float32 input %d became %g, was %g", j, i, x.live[j], x.copy[j])
		}
	}
	for i, x := range r.ints {
		if !slices.Equal(x.live, x.copy) {
			r.t.Fatalf("int32 input %d has changed", i)
		}
	}
}

// differingBits returns the first index at which a and b differ in a bit, or -1. Any NaN equals any other.
func differingBits(a, b []float32) int {
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) && (a[i] == a[i] || b[i] == b[i]) {
			return i
		}
	}
	return -1
}

// unalignedCopy returns a copy of x that starts offset bytes after a multiple of four.
func unalignedCopy(x []float32, offset int) []float32 {
	if len(x) == 0 {
		return []float32{}
	}
	words := make([]float32, len(x)+1)
	start := unsafe.Add(unsafe.Pointer(&words[0]), offset)
	live := unsafe.Slice((*float32)(start), len(x))
	copy(unsafe.Slice((*byte)(start), 4*len(x)), unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), 4*len(x)))
	return live
}

// within fails the test if an element of got is not a number or further than tol from want.
func within(t testing.TB, got []float32, want, tol []float64) {
	t.Helper()
	if len(got) != len(want) || len(got) != len(tol) {
		t.Fatalf("%d results, %d expected, %d tolerances", len(got), len(want), len(tol))
	}
	worst, at := 0.0, -1
	for i := range got {
		diff := math.Abs(float64(got[i]) - want[i])
		if !(diff <= tol[i]) && (at < 0 || !(diff/tol[i] <= worst)) {
			worst, at = diff/tol[i], i
		}
	}
	if at >= 0 {
		t.Errorf("element %d of %d is %.9g, want %.9g within %.3g", at, len(got), got[at], want[at], tol[at])
	}
}

// exactly fails the test if got differs from want, which float32 holds exactly. Zeros of either sign are equal.
func exactly(t testing.TB, got []float32, want []float64) {
	t.Helper()
	within(t, got, want, make([]float64, len(want)))
}

// allNaN fails the test if an element whose index suspect accepts is a number, or one that it refuses is not.
func allNaN(t testing.TB, got []float32, suspect func(i int) bool) {
	t.Helper()
	for i, x := range got {
		if math.IsNaN(float64(x)) != suspect(i) {
			t.Fatalf("element %d is %g: NaN expected is %t", i, x, suspect(i))
		}
	}
}

// wide converts x to float64.
func wide(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

// central returns the gradient of f at x by central differences. With steps of 1e-5 in float64 and values around one,
// the truncation (h²f‴/6) and the rounding (2⁻⁵³/h) are both near 1e-10, far below float32's roundoff.
func central(f func(x []float64) float64, x []float64) []float64 {
	const h = 1e-5
	grad := make([]float64, len(x))
	for i, v := range x {
		x[i] = v + h
		above := f(x)
		x[i] = v - h
		below := f(x)
		x[i] = v
		grad[i] = (above - below) / (2 * h)
	}
	return grad
}

// dot returns Σ a·b.
func dot(a []float32, b []float64) float64 {
	var sum float64
	for i, v := range a {
		sum += float64(v) * b[i]
	}
	return sum
}

// label names a case by its dimensions.
func label(names string, dims ...int) string {
	return names + " " + fmt.Sprint(dims)
}
