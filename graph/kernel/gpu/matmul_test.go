//go:build gpu && cgo && linux

package gpu

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/internal/cuda"
	"github.com/seed-aefebe89/graft/internal/cuda/cudatest"
)

// Operands without a layout are rounded as they are meant to be: to bfloat16 where that pays, to TensorFloat-32 where it does
// not, and not at all in float32 or where nothing is asked for.
func TestProductsRoundTheirOperands(t *testing.T) {
	k := open(t).fresh(t)
	const eleven, eight = 1 + 0x1p-9, 1 // of eleven bits and of eight
	const all = eleven + 0x1p-20
	for _, c := range []struct {
		precision kernel.Precision
		m, n      int
		want      float32
	}{
		{kernel.Float32, 1024, 1024, all}, {kernel.Float32, 9, 8, all},
		{kernel.TensorFloat32, 1024, 1024, eleven}, {kernel.TensorFloat32, 9, 8, eleven},
		{kernel.BFloat16, 1024, 1024, eight}, {kernel.BFloat16, 1023, 1024, eleven}, {kernel.BFloat16, 4096, 8, eleven},
	} {
		a, b := vector(t, k, c.m, slices.Repeat([]float32{all}, c.m)...), vector(t, k, c.n, slices.Repeat([]float32{1}, c.n)...)
		out := vector(t, k, c.m*c.n)
		for _, batched := range []bool{false, true} {
			o := kernel.MatMul{Precision: c.precision}
			if batched {
				k.BatchMatMul(kernel.F32(out.F32, 1, c.m, c.n), kernel.F32(a.F32, 1, c.m, 1), kernel.F32(b.F32, 1, 1, c.n), o)
			} else {
				k.MatMul(kernel.F32(out.F32, c.m, c.n), kernel.F32(a.F32, c.m, 1), kernel.F32(b.F32, 1, c.n), o)
			}
			for i, got := range read(t, k, out) {
				if got != c.want {
					t.Fatalf("%v, %d by %d, batched %t: element %d is %v, want %v", c.precision, c.m, c.n, batched, i, got, c.want)
				}
			}
		}
	}
}

// Products of one matrix round it once: what changes it behind the kernels' back changes nothing.
func TestAMatrixIsRoundedOnceForSeveralProducts(t *testing.T) {
	cudatest.Orders(t, func(t *testing.T) {
		k := open(t).fresh(t)
		const m, n, d = 24, 16, 40
		x, y := matrices(t, k, m, d), matrices(t, k, m, n)
		w := laidOut(t, k, d, n)
		again := matrices(t, k, m, n)
		k.MatMul(y, x, w, kernel.MatMul{Bias: vector(t, k, n, make([]float32, n)...)})
		zeros := cuda.Bytes(make([]float32, m*d))
		if err := k.stream.Upload(address(x), zeros); err != nil {
			t.Fatal(err)
		}
		k.MatMul(again, x, w, kernel.MatMul{})
		if !slices.Equal(read(t, k, again), read(t, k, y)) {
			t.Error("the second product rounded its operand again")
		}
	})
}

// matrices is a matrix of random numbers.
func matrices(t *testing.T, k *kernels, rows, cols int) kernel.Tensor {
	r := rand.New(rand.NewPCG(uint64(rows), uint64(cols)))
	x := make([]float32, rows*cols)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return kernel.F32(vector(t, k, len(x), x...).F32, rows, cols)
}

// laidOut is a matrix of random numbers with a layout in bfloat16, which is released when the test ends.
func laidOut(t *testing.T, k *kernels, rows, cols int) kernel.Tensor {
	w := matrices(t, k, rows, cols)
	l := k.Pack(w, false, kernel.BFloat16, nil).(*layout)
	t.Cleanup(l.Release)
	w.Packed = &kernel.Packed{Plain: l}
	return w
}

// Whatever is done between two products of one matrix, recorded or not, the second has the matrix as it then is: every
// sequence of steps gives the bits that it gives where nothing is kept between them.
func TestRoundedMatricesAreNeverStale(t *testing.T) {
	const n = 24
	type state struct {
		k    *kernels
		x    [3]kernel.Tensor // n by n; the second is a part of the memory of the first
		w    kernel.Tensor
		row  kernel.Tensor
		sum  kernel.Tensor
		host []float32
	}
	apart := func(i, j int) int { // a matrix that shares no memory with another
		if i == 2 {
			return j % 2
		}
		return 2
	}
	// steps, each on some matrices; those below recordable use no method of Memory
	steps := []func(s *state, i, j int){
		func(s *state, i, j int) {
			s.k.MatMul(s.x[i], s.x[apart(i, j)], s.w, kernel.MatMul{Alpha: 0.2, Bias: s.row})
		},
		func(s *state, i, j int) {
			x := s.x[apart(i, j)]
			s.k.MatMul(s.x[i], x, x, kernel.MatMul{Alpha: 0.2, Bias: s.row, Precision: kernel.TensorFloat32})
		},
		func(s *state, i, j int) { s.k.MatMul(s.sum, s.x[i], s.w, kernel.MatMul{Alpha: 0.1, Bias: s.row}) },
		func(s *state, i, j int) { s.k.MatMul(s.sum, s.x[j], s.w, kernel.MatMul{Alpha: 0.1, Accumulate: true}) },
		func(s *state, i, j int) {
			one, other := s.x[i], s.x[apart(i, j)]
			one.Shape, other.Shape = []int{1, n, n}, []int{1, n, n}
			s.k.BatchMatMul(one, other, other, kernel.MatMul{Alpha: 0.2, Precision: kernel.TensorFloat32})
		},
		func(s *state, i, j int) { s.k.round(s.x[i], s.x[j]) },
		func(s *state, i, j int) { s.k.round(s.x[i]) },
		func(s *state, i, j int) { s.k.Scale(s.x[i], s.x[i], -1) },
		func(s *state, i, j int) { s.k.ColSum(s.row, s.x[i]) },
		func(s *state, i, j int) { s.k.Fill(kernel.F32(s.x[i].F32[:n], n), float32(j)) },
		func(s *state, i, j int) { s.k.Copy(s.x[i], s.x[apart(i, j)], kernel.Block(1, n*n, 0, 0)) },
		func(s *state, i, j int) { s.k.fill(address(s.x[i]), 0x3f800000, n) },
		// not in a recording:
		func(s *state, i, j int) { s.k.Upload(s.x[i], kernel.F32(s.host, n*n)) },
		func(s *state, i, j int) { s.k.grow(s.k.workspace.size + 1) },
	}
	recordable := len(steps) - 2
	type step struct{ f, i, j int }
	d := open(t)
	run := func(t *testing.T, program []step, from, to int, keep bool) []float32 {
		k := newKernels(d)
		defer func() {
			if err := k.Close(); err != nil {
				t.Error(err)
			}
		}()
		s := &state{k: k, w: laidOut(t, k, n, n), row: vector(t, k, n, make([]float32, n)...), sum: matrices(t, k, n, n)}
		both := matrices(t, k, 2*n, n)
		s.x = [3]kernel.Tensor{kernel.F32(both.F32[:n*n], n, n), kernel.F32(both.F32[n*n/2:][:n*n], n, n), matrices(t, k, n, n)}
		s.host = read(t, k, s.x[2])
		do := func(program []step) {
			for _, c := range program {
				if !keep {
					k.forget()
				}
				steps[c.f](s, c.i, c.j)
			}
		}
		do(program[:from])
		if from < to {
			r, err := k.Record(func() { do(program[from:to]) })
			if err != nil {
				t.Fatal(err)
			}
			defer r.Release()
			for range 3 {
				r.Replay()
				do(program[to:])
			}
		} else {
			do(program[to:])
		}
		out := append(read(t, k, both), read(t, k, s.sum)...)
		return append(append(out, read(t, k, s.x[2])...), read(t, k, s.row)...)
	}
	rounds := 150
	if testing.Short() {
		rounds = 40
	}
	for seed := range uint64(rounds) {
		r := rand.New(rand.NewPCG(seed, 1))
		from, to := 0, 0
		if seed%2 == 1 {
			from, to = 3, 9
		}
		program := make([]step, 14)
		for i := range program {
			n := len(steps)
			if i >= from && i < to {
				n = recordable
			}
			if r.IntN(2) == 0 {
				n = 5 // products
			}
			program[i] = step{r.IntN(n), r.IntN(3), r.IntN(3)}
		}
		if kept, want := run(t, program, from, to, true), run(t, program, from, to, false); !sameBits(kept, want) {
			t.Fatalf("seed %d: %v, recorded from %d to %d", seed, program, from, to)
		}
	}
}

// sameBits tells whether two results are equal down to their bits.
func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}
