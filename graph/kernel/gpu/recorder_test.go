//go:build gpu && cgo && linux

package gpu

import (
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/internal/cuda/cudatest"
)

// A recording does nothing when it is made, freezes options, and works on the elements that are there when it is
// replayed.
func TestRecordingsAreReplayed(t *testing.T) {
	cudatest.Orders(t, func(t *testing.T) {
		k := open(t).fresh(t)
		x, y := vector(t, k, 3, 1, 2, 3), vector(t, k, 3, 0, 0, 0)
		s := float32(10)
		r, err := k.Record(func() {
			k.Scale(y, x, s)
			k.Shift(y, y, 1)
			k.Fill(kernel.F32(y.F32[2:], 1), 7)
		})
		if err != nil {
			t.Fatal(err)
		}
		s = 1000
		if got := read(t, k, y); !slices.Equal(got, []float32{0, 0, 0}) {
			t.Fatalf("recording wrote %v", got)
		}
		for i := range 3 {
			k.Upload(x, kernel.F32([]float32{float32(i), 5, 9}, 3))
			r.Replay()
			if got, want := read(t, k, y), []float32{float32(10*i + 1), 51, 7}; !slices.Equal(got, want) {
				t.Errorf("replay %d gives %v, want %v", i, got, want)
			}
		}
		r.Release()
		r.Release()
		if err := k.Sync(); err != nil {
			t.Fatal(err)
		}
		r.Replay()
		if err := k.Sync(); err == nil || !strings.Contains(err.Error(), "released") {
			t.Errorf("replaying what was released gives %v", err)
		}
	})
}

// A recording finds its scratch memory, though it was made before there was any, and though more was asked for after it.
func TestRecordingsKeepTheirScratchMemory(t *testing.T) {
	cudatest.Orders(t, func(t *testing.T) {
		k := open(t).fresh(t)
		const m, n = 300, 40
		ones := slices.Repeat([]float32{1}, m*n)
		x, sum := vector(t, k, m*n, ones...), vector(t, k, n)
		matrix := kernel.F32(x.F32, m, n)
		r, err := k.Record(func() { k.ColSum(sum, matrix) })
		if err != nil {
			t.Fatal(err)
		}
		first := k.workspace.at
		k.scratch(4 * k.workspace.size)
		if k.workspace.at == first || len(k.workspace.retired) != 1 {
			t.Fatalf("the workspace did not move aside: %+v", k.workspace)
		}
		k.fill(k.workspace.at, 0, k.workspace.size/4)
		r.Replay()
		if got := read(t, k, sum); got[0] != m || got[n-1] != m {
			t.Errorf("sums are %v, want %d", got, m)
		}
		r.Release()
		if k.scratch(4 * k.workspace.size); len(k.workspace.retired) != 0 {
			t.Errorf("nothing is recorded, and %d pieces of memory are kept", len(k.workspace.retired))
		}
		if err := k.Sync(); err != nil {
			t.Error(err)
		}
	})
}

// What must not be recorded is refused, and leaves the kernels as they were.
func TestRecordingRefusesMemory(t *testing.T) {
	for name, f := range map[string]func(k *kernels, x kernel.Tensor){
		"upload": func(k *kernels, x kernel.Tensor) { k.Upload(x, kernel.F32([]float32{1, 2, 3}, 3)) },
		"download": func(k *kernels, x kernel.Tensor) {
			if err := k.Download(kernel.F32(make([]float32, 3), 3), x); err != nil {
				k.fail(err)
			}
		},
		"alloc": func(k *kernels, _ kernel.Tensor) {
			if _, err := k.Alloc(3); err != nil {
				k.fail(err)
			}
		},
		"record": func(k *kernels, _ kernel.Tensor) {
			if _, err := k.Record(func() {}); err != nil {
				k.fail(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := open(t).fresh(t)
			x := vector(t, k, 3, 4, 5, 6)
			if r, err := k.Record(func() { f(k, x) }); err == nil || r != nil || !strings.Contains(err.Error(), "recording") {
				t.Errorf("%v, %v", r, err)
			}
			k.Scale(x, x, 2)
			if got := read(t, k, x); !slices.Equal(got, []float32{8, 10, 12}) {
				t.Errorf("afterwards: %v", got)
			}
		})
	}
}
