//go:build gpu && cgo && linux

package cuda_test

import (
	"math"
	"math/bits"
	"slices"
	"testing"

	"github.com/seed-aefebe89/graft/internal/cuda"
	. "github.com/seed-aefebe89/graft/internal/cuda/cudatest"
)

func toBF16(x []float32) []uint16 {
	out := make([]uint16, len(x))
	for i, v := range x {
		u := math.Float32bits(v)
		out[i] = uint16((u + 0x7fff + u>>16&1) >> 16)
	}
	return out
}

func rounded(x []float32) []float32 {
	out := make([]float32, len(x))
	for i, v := range toBF16(x) {
		out[i] = math.Float32frombits(uint32(v) << 16)
	}
	return out
}

// roundTF32 keeps 10 bits of mantissa, ties away from zero.
func roundTF32(x []float32) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = math.Float32frombits((math.Float32bits(v) + 0x1000) &^ 0x1fff)
	}
	return out
}

// product is op(a)[m,k]·op(b)[k,n] in float64.
func product(a, b []float32, m, n, k int, ta, tb bool) []float64 {
	c := make([]float64, m*n)
	for i := range m {
		for j := range n {
			for l := range k {
				x, y := i*k+l, l*n+j
				if ta {
					x = l*m + i
				}
				if tb {
					y = j*k + l
				}
				c[i*n+j] += float64(a[x]) * float64(b[y])
			}
		}
	}
	return c
}

// near holds float32 sums of k products of numbers near 1: k roundings of half a unit, and some room.
func near(t *Env, what string, got []float32, want []float64, k int) {
	t.Helper()
	for i, v := range got {
		if d := math.Abs(float64(v) - want[i]); !(d <= float64(k)*1e-6) {
			t.Fatalf("%s: element %d is %v, want %v", what, i, v, want[i])
		}
	}
}

func TestTensorCores(t *testing.T) {
	Run(t, func(t *Env) {
		l := library(t)
		for _, k := range []int{16, 64} {
			a, b := random(16*k, 3), random(k*8, 4)
			out := t.Alloc(4 * 16 * 8)
			f, err := l.Function("product_bf16")
			t.Must(err)
			t.Must(t.Stream.Launch(f, cuda.Line(1, 32), cuda.P(out), cuda.P(Upload(t, toBF16(a))), cuda.P(Upload(t, toBF16(b))), cuda.I(k)))
			near(t, "bf16", Download[float32](t, out, 128), product(rounded(a), rounded(b), 16, 8, k, false, false), k)
			f, err = l.Function("product_tf32")
			t.Must(err)
			t.Must(t.Stream.Launch(f, cuda.Line(1, 32), cuda.P(out), cuda.P(Upload(t, a)), cuda.P(Upload(t, b)), cuda.I(k)))
			near(t, "tf32", Download[float32](t, out, 128), product(roundTF32(a), roundTF32(b), 16, 8, k, false, false), k)
		}
	})
}

func TestWarpsKnowTheirLanes(t *testing.T) {
	Run(t, func(t *Env) {
		out := t.Alloc(64 * 8 * 4)
		t.Must(t.Stream.Launch(function(t, "warps"), cuda.Line(1, 64), cuda.P(out)))
		got := Download[int32](t, out, 64*8)
		var thirds uint32
		for l := 0; l < 32; l += 3 {
			thirds |= 1 << l
		}
		if bits.OnesCount32(thirds) != 11 {
			t.Fatal("the test's own mask")
		}
		for i := range 64 {
			l := int32(i % 32)
			up, down := l, l
			if l >= 3 {
				up = l - 3
			}
			if l%8+3 < 8 {
				down = l + 3
			}
			want := []int32{int32(thirds), 1, 0, 31 * 16, 0, up, down, 32}
			if !slices.Equal(got[8*i:8*i+8], want) {
				t.Errorf("thread %d: %v, want %v", i, got[8*i:8*i+8], want)
			}
		}
	})
}

func TestAtomicsCount(t *testing.T) {
	Run(t, func(t *Env) {
		x, want := make([]int32, 5000), make([]int32, 7)
		for i := range x {
			x[i] = int32(i * i % 7)
			want[x[i]]++
		}
		counts := t.Alloc(4 * 7)
		t.Must(t.Stream.Zero(counts, 4*7))
		t.Must(t.Stream.Launch(function(t, "histogram"), cuda.Line(3, 128), cuda.P(counts), cuda.P(Upload(t, x)), cuda.I(len(x))))
		if got := Download[int32](t, counts, 7); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

func TestAsynchronousCopiesArriveWhenWaitedFor(t *testing.T) {
	Run(t, func(t *Env) {
		out := t.Alloc(64 * 16)
		t.Must(t.Stream.Launch(function(t, "copies"), cuda.Line(1, 64), cuda.P(out), cuda.P(Upload(t, ramp(256))), cuda.I(1)))
		for i, v := range Download[float32](t, out, 256) {
			want := float32((i/4^1)*4 + i%4)
			if i/4 == 4 { // thread 5's copy, which is zeros
				want = 0
			}
			if v != want {
				t.Fatalf("element %d is %v, want %v", i, v, want)
			}
		}
	})
}

func TestProductsInEveryPrecision(t *testing.T) {
	Run(t, func(t *Env) {
		b, err := t.Stream.NewBLAS()
		t.Must(err)
		defer func() { t.Must(b.Close()) }()
		const m, n, k, batch = 5, 7, 33, 3
		as, bs, cs := random(batch*m*k, 5), random(batch*k*n, 6), random(batch*m*n, 7)
		for _, c := range []struct {
			name  string
			typ   cuda.Type
			tf32  bool
			round func([]float32) []float32
		}{
			{"float32", cuda.Float32, false, func(x []float32) []float32 { return x }},
			{"tf32", cuda.Float32, true, roundTF32},
			{"bfloat16", cuda.BFloat16, false, rounded},
		} {
			for mode := range 4 {
				ta, tb := mode&1 != 0, mode&2 != 0
				upload := func(x []float32) cuda.Ptr {
					if c.typ == cuda.BFloat16 {
						return Upload(t, toBF16(x))
					}
					return Upload(t, x)
				}
				ld := func(trans bool, rows, cols int) int {
					if trans {
						return rows
					}
					return cols
				}
				x := cuda.Matrix{Ptr: upload(as), Type: c.typ, LD: ld(ta, m, k), Stride: m * k, Trans: ta}
				y := cuda.Matrix{Ptr: upload(bs), Type: c.typ, LD: ld(tb, k, n), Stride: k * n, Trans: tb}
				out := cuda.Matrix{Ptr: Upload(t, cs), LD: n, Stride: m * n}
				t.Must(b.Multiply(out, x, y, cuda.Product{M: m, N: n, K: k, Alpha: 0.5, Beta: 2, Batch: batch, TF32: c.tf32}))
				got := Download[float32](t, out.Ptr, batch*m*n)
				for i := range batch {
					want := product(c.round(as[i*m*k:(i+1)*m*k]), c.round(bs[i*k*n:(i+1)*k*n]), m, n, k, ta, tb)
					for j := range want {
						want[j] = 0.5*want[j] + 2*float64(cs[i*m*n+j])
					}
					near(t, c.name, got[i*m*n:(i+1)*m*n], want, k)
				}
			}
		}
	})
}
