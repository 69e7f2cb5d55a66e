//go:build gpu && cgo && linux

package gpu

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/internal/cuda"
	"github.com/seed-aefebe89/graft/internal/cuda/cudatest"
)

// vector allocates n elements and uploads x, which may be shorter.
func vector(t testing.TB, k *kernels, n int, x ...float32) kernel.Tensor {
	t.Helper()
	at, err := k.Alloc(n)
	if err != nil {
		t.Fatal(err)
	}
	if len(x) > 0 {
		k.Upload(kernel.F32(at[:len(x)], len(x)), kernel.F32(x, len(x)))
	}
	return kernel.F32(at, n)
}

// read downloads an operand.
func read(t testing.TB, k *kernels, x kernel.Tensor) []float32 {
	t.Helper()
	out := make([]float32, len(x.F32))
	if err := k.Download(kernel.F32(out, len(out)), x); err != nil {
		t.Fatal(err)
	}
	return out
}

// Copies of many pieces arrive whole and in their order, and the host's side may change at once.
func TestUploadsAndDownloads(t *testing.T) {
	cudatest.Orders(t, func(t *testing.T) {
		k := open(t).fresh(t)
		for _, n := range []int{0, 1, 1023, piece / 4, piece/4 + 1, 6*piece/4 + 77} {
			at := vector(t, k, n)
			if p := uintptr(address(at)); p == 0 || p%256 != 0 {
				t.Fatalf("%d elements lie at %#x", n, p)
			}
			x := make([]float32, n)
			for i := range x {
				x[i] = float32(i)
			}
			k.Upload(at, kernel.F32(x, n))
			for i := range x {
				x[i] = -1
			}
			for i, v := range read(t, k, at) {
				if v != float32(i) {
					t.Fatalf("element %d of %d is %g", i, n, v)
				}
			}
			k.Free(at.F32)
		}
		if free, total, err := k.Room(); err != nil || free <= 0 || free > total {
			t.Errorf("%d of %d bytes are free, %v", free, total, err)
		}
	})
}

func TestIntegersAreCopied(t *testing.T) {
	k := open(t).fresh(t)
	at := vector(t, k, 3)
	x, got := kernel.I32([]int32{1, -2, 1 << 30}, 3), kernel.I32(make([]int32, 3), 3)
	on := kernel.I32(kernel.Int32s(at.F32), 3)
	k.Upload(on, x)
	if err := k.Download(got, on); err != nil || [3]int32(got.I32) != [3]int32(x.I32) {
		t.Errorf("%v, %v", got.I32, err)
	}
}

// What Fetch returns gives the elements as they were when it was called, in any order of waiting.
func TestFetchesAreOfTheirMoment(t *testing.T) {
	k := open(t).fresh(t)
	x := vector(t, k, 1, 1)
	var waits []func() error
	var got [5][]float32
	for i := range got {
		got[i] = []float32{-1}
		waits = append(waits, k.Fetch(kernel.F32(got[i], 1), x))
		k.Scale(x, x, 2)
	}
	for _, i := range []int{3, 0, 4, 1, 2} {
		if err := waits[i](); err != nil || got[i][0] != float32(int(1)<<i) {
			t.Errorf("fetch %d gives %g, %v", i, got[i][0], err)
		}
	}
	if err := waits[0](); err != nil || got[0][0] != 1 {
		t.Errorf("waiting again gives %g, %v", got[0][0], err)
	}
	if len(k.down) != len(got) {
		t.Errorf("%d pinned buffers for %d fetches", len(k.down), len(got))
	}
}

// The first error stays, names CUDA's word for it, and stops what comes after it.
func TestErrorsStay(t *testing.T) {
	d := open(t)
	t.Run("too much memory", func(t *testing.T) {
		k := d.fresh(t)
		_, err := k.Alloc(1 << 45)
		if e := new(cuda.Error); !errors.As(err, &e) || e.Name != "CUDA_ERROR_OUT_OF_MEMORY" ||
			!strings.Contains(err.Error(), "140737488355328 bytes") || !strings.Contains(err.Error(), "free") {
			t.Errorf("2⁴⁵ elements give %v", err)
		}
		if err := k.Sync(); err != nil { // nothing was begun
			t.Error(err)
		}
	})
	t.Run("sizes that differ", func(t *testing.T) {
		k := d.fresh(t)
		x := vector(t, k, 4, 1, 2, 3, 4)
		k.Upload(x, kernel.F32(make([]float32, 5), 5))
		k.Scale(x, x, 2)
		for range 2 {
			if err := k.Download(kernel.F32(make([]float32, 4), 4), x); err == nil || !strings.Contains(err.Error(), "uploading 5 float32") {
				t.Errorf("got %v", err)
			}
		}
		if _, err := k.Record(func() {}); err == nil {
			t.Error("a recording began after an error")
		}
	})
	t.Run("memory of others", func(t *testing.T) {
		k := d.fresh(t)
		k.Free(make([]float32, 3))
		if err := k.Sync(); err == nil || !strings.Contains(err.Error(), "was not given out") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("kernel", func(t *testing.T) {
		k := d.fresh(t)
		k.launch("nothing_of_this_name", cuda.Line(1, 1))
		if err := k.Sync(); err == nil || !strings.Contains(err.Error(), "nothing_of_this_name") {
			t.Errorf("got %v", err)
		}
	})
}

// A goroutine may go from thread to thread between two calls, each of which has the device's context.
func TestThreads(t *testing.T) {
	k := open(t).fresh(t)
	x := vector(t, k, 1000, 1)
	var done sync.WaitGroup
	for range 8 {
		done.Add(1)
		go func() {
			defer done.Done()
			runtime.LockOSThread() // dies with the goroutine: the next one has a thread of its own
			k.Scale(x, x, 2)
			if err := k.Sync(); err != nil {
				t.Error(err)
			}
		}()
		done.Wait()
	}
	if got := read(t, k, x); got[0] != 256 {
		t.Errorf("got %g", got[0])
	}
}

func TestName(t *testing.T) {
	d := open(t)
	if got, want := d.fresh(t).Name(), "gpu "+d.Properties.Name+" (sm_"; !strings.HasPrefix(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestOpenOfAGPUThatIsNotThere(t *testing.T) {
	if ok, status := cuda.Status(); !ok {
		t.Skip("no GPU: " + status)
	}
	if k, err := Open(4096); err == nil || k != nil || !strings.Contains(err.Error(), "GPU 4096") {
		t.Errorf("%v, %v", k, err)
	}
}

// Open's value closes with all that it holds.
func TestOpenAndClose(t *testing.T) {
	cudatest.Orders(t, func(t *testing.T) { // which finds what is left over
		if ok, status := cuda.Status(); !ok {
			t.Skip("no GPU: " + status)
		}
		opened, err := Open(0)
		if err != nil {
			t.Fatal(err)
		}
		k := opened.(*kernels)
		x := vector(t, k, 5000, 1, 2, 3)
		k.Clip(kernel.F32(x.F32[4000:4001], 1), kernel.F32(x.F32[:3], 3), 1) // takes scratch memory
		read(t, k, kernel.F32(x.F32[:3], 3))
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestAddresses(t *testing.T) {
	if p := address(kernel.Tensor{}); p != 0 {
		t.Errorf("the empty tensor lies at %#x", uint64(p))
	}
	x := []float32{1, 2, 3}
	if p := address(kernel.F32(x[1:], 2)); uintptr(p) != uintptr(unsafe.Pointer(&x[1])) {
		t.Errorf("a view lies at %#x", uint64(p))
	}
}
