//go:build gpu && cgo && linux

package cuda_test

import (
	"fmt"
	"testing"

	"github.com/seed-aefebe89/graft/internal/cuda"
	. "github.com/seed-aefebe89/graft/internal/cuda/cudatest"
)

// bf16s are whole numbers of up to eight bits as bfloat16.
func bf16s(x []float32) []uint16 {
	y := make([]uint16, len(x))
	for i, b := range cuda.Bytes(x) {
		if i%4 >= 2 {
			y[i/4] |= uint16(b) << (8 * (i % 2))
		}
	}
	return y
}

// A product with a bias is right for every transposition, type, row length and alignment, and again on other memory with the
// algorithm that it has by then, also captured; whole numbers leave no room for rounding.
func TestProductsWithABias(t *testing.T) {
	Run(t, func(t *Env) {
		b, err := t.Stream.NewBLAS()
		t.Must(err)
		defer func() { t.Must(b.Close()) }()
		const m, n, k, alpha = 5, 9, 7, 2
		whole := func(n, step int) []float32 {
			x := make([]float32, n)
			for i := range x {
				x[i] = float32(i*step%13 - 6)
			}
			return x
		}
		done := 0
		for i := range 32 {
			transA, transB, half, padded, skip := i&1 != 0, i&2 != 0, i&4 != 0, 8*(i>>3&1), i>>4&1
			rows := func(rows, cols int, trans bool) (r, c int) {
				if trans {
					return cols, rows
				}
				return rows, cols
			}
			rowsX, colsX := rows(m, k, transA)
			rowsY, colsY := rows(k, n, transB)
			ldx, ldy, ldc := colsX+padded, colsY+padded, n+padded
			x, y, bias := whole(rowsX*ldx, 5), whole(rowsY*ldy, 7), whole(n, 3)
			want := make([]float32, m*n)
			for r := range m {
				for c := range n {
					for d := range k {
						atX, atY := r*ldx+d, d*ldy+c
						if transA {
							atX = d*ldx + r
						}
						if transB {
							atY = c*ldy + d
						}
						want[r*n+c] += alpha * x[atX] * y[atY]
					}
					want[r*n+c] += bias[c]
				}
			}
			// skip elements ahead of each operand put it at another alignment
			up := func(v []float32, half bool) cuda.Ptr {
				v = append(make([]float32, skip), v...)
				if half {
					return Upload(t, bf16s(v)) + cuda.Ptr(2*skip)
				}
				return Upload(t, v) + cuda.Ptr(4*skip)
			}
			typ := cuda.Float32
			if half {
				typ = cuda.BFloat16
			}
			p := cuda.Product{M: m, N: n, K: k, Alpha: alpha, TF32: i&3 == 0}
			for again := range 3 {
				out := t.Alloc(4*(m*ldc+skip)) + cuda.Ptr(4*skip)
				left := cuda.Matrix{Ptr: up(x, half), Type: typ, LD: ldx, Trans: transA}
				right := cuda.Matrix{Ptr: up(y, half), Type: typ, LD: ldy, Trans: transB}
				var ok bool
				multiply := func() (err error) {
					ok, err = b.MultiplyBias(cuda.Matrix{Ptr: out, LD: ldc}, left, right, up(bias, false), p)
					return err
				}
				if again < 2 {
					t.Must(multiply())
				} else {
					row := up(bias, false)
					g, err := t.Stream.Capture(func() (err error) {
						ok, err = b.MultiplyBias(cuda.Matrix{Ptr: out, LD: ldc}, left, right, row, p)
						return err
					})
					t.Must(err)
					t.Must(t.Stream.Start(g))
					t.Must(t.Stream.Sync())
					t.Must(g.Close())
				}
				if !ok {
					continue // a library may have no algorithm for a product
				}
				done++
				got := Download[float32](t, out, m*ldc-padded)
				for j, w := range want {
					if g := got[j/n*ldc+j%n]; g != w {
						t.Fatalf("%s: element %d is %g, want %g", fmt.Sprint(transA, transB, half, padded, skip, again), j, g, w)
					}
				}
			}
		}
		if done == 0 {
			t.Log("cublasLt took none of them")
		}
	})
}
