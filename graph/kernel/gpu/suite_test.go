//go:build gpu && cgo && linux

package gpu

import (
	"math"
	"testing"
	"unsafe"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/kerneltest"
	"github.com/seed-aefebe89/graft/internal/cuda"
	"github.com/seed-aefebe89/graft/internal/cuda/cudatest"
)

// open opens the first GPU for a test, which it skips where there is none.
func open(t testing.TB) *device {
	t.Helper()
	if ok, status := cuda.Status(); !ok {
		t.Skip("no GPU: " + status)
	}
	d, err := openDevice(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// fresh returns new Kernels of a device, which are closed when the test ends.
func (d *device) fresh(t testing.TB) *kernels {
	k := newKernels(d)
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	return k
}

// unaligned are Kernels whose memory starts at any multiple of four bytes, as a view into an arena does, between guards
// that no kernel may write.
type unaligned struct {
	*kernels
	t       testing.TB
	buffers map[*float32]buffer
}

type buffer struct {
	all      []float32
	start, n int
}

const guard = 32

// canary fills the guards; no kernel computes it.
var canary = math.Float32frombits(0x7fa5a5a5)

// Alloc implements kernel.Memory. The place depends on the length alone, so that two calls of the same arguments find
// the same alignment; of a third of the lengths it is a multiple of 16 bytes.
func (u *unaligned) Alloc(n int) ([]float32, error) {
	start := guard
	if n%3 != 0 {
		start += n % 4
	}
	all, err := u.kernels.Alloc(start + n + guard)
	if err != nil {
		return nil, err
	}
	image := make([]float32, len(all))
	for i := range image {
		image[i] = canary
	}
	u.Upload(kernel.F32(all, len(all)), kernel.F32(image, len(image)))
	x := all[start : start+n : start+n]
	u.buffers[unsafe.SliceData(x)] = buffer{all, start, n}
	return x, nil
}

// Free implements kernel.Memory.
func (u *unaligned) Free(x []float32) {
	b, ok := u.buffers[unsafe.SliceData(x)]
	if !ok {
		u.t.Errorf("%d elements were given back that were not given out", len(x))
		return
	}
	delete(u.buffers, unsafe.SliceData(x))
	image := make([]float32, len(b.all))
	if err := u.Download(kernel.F32(image, len(image)), kernel.F32(b.all, len(b.all))); err != nil {
		u.t.Error(err)
		return
	}
	for i, v := range image {
		if (i < b.start || i >= b.start+b.n) && math.Float32bits(v) != math.Float32bits(canary) {
			u.t.Errorf("%g was written at %d of an operand of %d elements", v, i-b.start, b.n)
			break
		}
	}
	u.kernels.Free(b.all)
}

// Every kernel passes the suite of all devices, on operands at any alignment.
func TestSuite(t *testing.T) {
	cudatest.Orders(t, func(t *testing.T) {
		d := open(t)
		// The emulation looks at the guards of all memory that is held, which would be that of thousands of values: no case
		// works with more than a few at a time.
		var opened []*kernels
		keep := func(n int) {
			for ; len(opened) > n; opened = opened[1:] {
				if err := opened[0].Close(); err != nil {
					t.Error(err)
				}
			}
		}
		t.Cleanup(func() { keep(0) })
		kerneltest.Run(t, func() kernel.Kernels {
			keep(7)
			k := newKernels(d)
			opened = append(opened, k)
			return kerneltest.Staged(&unaligned{k, t, map[*float32]buffer{}}, func(err error) { t.Error(err) })
		})
	})
}
