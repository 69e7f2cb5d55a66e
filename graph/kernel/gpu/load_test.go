//go:build gpu && cgo && linux

package gpu

import (
	"slices"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/internal/cuda"
	"github.com/seed-aefebe89/graft/internal/cuda/cudatest"
)

// Opening a device compiles nothing. A file of kernels is loaded once, when the first of them is launched, and before a
// recording that needs it, which then is made a second time; never while a stream is captured.
func TestKernelsAreLoadedWhenTheyAreLaunched(t *testing.T) {
	cudatest.Orders(t, func(t *testing.T) {
		d := open(t)
		loaded := map[string]int{} // kernels that were made ready, by name
		allow := d.library.Loaded
		d.library.Loaded = func(f *cuda.Function) error {
			loaded[f.Name]++
			return allow(f)
		}
		k := d.fresh(t)
		expect := func(after string, want ...string) {
			t.Helper()
			if got := d.library.Modules(); !slices.Equal(got, want) {
				t.Errorf("%s: %q are loaded, want %q", after, got, want)
			}
		}
		expect("opening")
		a := newAttending(t, k, 70, 2, 20, 70, kernel.BFloat16, 0, 70)
		expect("copies")
		k.Add(a.out, a.q, a.q)
		expect("Add", "elementwise.ptx")

		calls := 0
		record := func() kernel.Recording {
			calls = 0
			r, err := k.Record(func() {
				calls++
				a.plain(k)
				k.Softmax(a.bias, a.bias, 0)
			})
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		first := record()
		if calls != 2 {
			t.Errorf("what needs two files and scratch memory was recorded %d times, want 2", calls)
		}
		expect("a recording", "attention_bf16_32.ptx", "elementwise.ptx", "reduce.ptx")
		second := record()
		if calls != 1 {
			t.Errorf("what is there was recorded %d times, want once", calls)
		}
		a.clear(k)
		first.Replay()
		got := a.read(t, k)
		a.clear(k)
		a.plain(k)
		if want := a.read(t, k); !slices.Equal(got, want) {
			t.Error("the recording gives other results than calls")
		}
		first.Release()
		second.Release()
		expect("calls", "attention_bf16_32.ptx", "elementwise.ptx", "reduce.ptx")
		for name, n := range loaded {
			if n != 1 {
				t.Errorf("%s was loaded %d times", name, n)
			}
		}
	})
}

// Every kernel of attention that may be launched is in the PTX, with the shared memory that it takes allowed.
func TestAttentionsKernelsAreThere(t *testing.T) {
	d := open(t)
	for name := range sharedBytes {
		if _, err := d.library.Function(name); err != nil {
			t.Error(err)
		}
	}
}
