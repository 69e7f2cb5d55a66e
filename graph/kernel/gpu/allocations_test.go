//go:build gpu && cgo && linux && !asan && !msan

package gpu

import (
	"math/rand/v2"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// A step of training calls kernels by the hundred.
func TestCallsDoNotAllocate(t *testing.T) {
	k := open(t).fresh(t)
	x, y := vector(t, k, 64*32), vector(t, k, 64*32)
	k.Fill(x, 1)
	m, n := kernel.F32(x.F32, 64, 32), kernel.F32(y.F32, 64, 32)
	row := kernel.F32(vector(t, k, 32, make([]float32, 32)...).F32, 32)
	ids := kernel.I32(kernel.Int32s(vector(t, k, 64, make([]float32, 64)...).F32), 64)
	call := map[string]func(){
		"Add":       func() { k.Add(n, m, m) },
		"AddRow":    func() { k.AddRow(n, m, row) },
		"LayerNorm": func() { k.LayerNorm(n, m, m, row, row, 1e-5) },
		"ColSum":    func() { k.ColSum(row, m) },
		"Copy":      func() { k.Copy(n, m, kernel.Block(32, 32, 64, 64)) },
		"AddRows":   func() { k.AddRows(n, ids, m) },
		"AdamW":     func() { k.AdamW(n, m, m, m, kernel.AdamW{Step: 1, Beta1: 0.9, Beta2: 0.9}) },
	}
	for name, f := range call {
		if got := testing.AllocsPerRun(5, f); got != 0 {
			t.Errorf("%s: %g allocations a call", name, got)
		}
	}
	if err := k.Sync(); err != nil {
		t.Error(err)
	}
}

func TestAttentionDoesNotAllocate(t *testing.T) {
	k := open(t).fresh(t)
	a := newAttending(t, k, 40, 2, 16, 40, kernel.BFloat16, 0, 40)
	w := random(t, k, rand.New(rand.NewPCG(3, 4)), 32, 32)
	l := k.Pack(w, false, kernel.BFloat16, nil)
	defer release(l)
	w.Packed = &kernel.Packed{Plain: l, Trans: l}
	for name, call := range map[string]func(){
		"MatMul":  func() { k.MatMul(a.out, a.q, w, kernel.MatMul{}) },
		"Pack":    func() { k.Pack(w, false, kernel.BFloat16, l) },
		"plain":   func() { a.plain(k) },
		"biased":  func() { a.biased(k) },
		"related": func() { a.related(k) },
	} {
		if got := testing.AllocsPerRun(5, call); got != 0 {
			t.Errorf("%s: %g allocations a call", name, got)
		}
	}
	if err := k.Sync(); err != nil {
		t.Error(err)
	}
}

func release(l kernel.Layout) { l.(kernel.Releaser).Release() }
