//go:build gpu && emu && cgo && linux

package cuda_test

import (
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"gorgonia.org/cu"

	"github.com/seed-aefebe89/graft/internal/cuda"
	. "github.com/seed-aefebe89/graft/internal/cuda/cudatest"
	"github.com/seed-aefebe89/graft/internal/cuda/emu"
	"github.com/seed-aefebe89/graft/internal/cuda/faults"
)

// faultyProcess is set in a process that a fault is to end.
const faultyProcess = "GRAFT_TEST_FAULTY_PROCESS"

func TestPlantedFaultsAreFound(t *testing.T) {
	for _, c := range []struct {
		kernel string
		grid   cuda.Grid
		args   func(out cuda.Ptr) []cuda.Arg
		want   string
	}{
		{"fault_past_end", cuda.Line(1, 32), func(out cuda.Ptr) []cuda.Arg { return []cuda.Arg{cuda.P(out), cuda.I(64)} },
			"CUDA_ERROR_ILLEGAL_ADDRESS (700): a write past an allocation of 256 bytes"},
		{"fault_divergent_barrier", cuda.Line(1, 64), nil, ", and another thread of its block at "},
		{"fault_stuck_warp", cuda.Line(1, 32), nil, "the others for lanes of their warps"},
		{"fault_past_shared", cuda.Line(1, 64), nil, "a write outside the shared array tile of 256 bytes"},
		{"fault_past_dynamic", cuda.Grid{Threads: cuda.Dim{X: 64}, Shared: 256}, nil, "a write outside its 256 bytes of dynamic shared memory"},
	} {
		t.Run(c.kernel, func(t *testing.T) {
			if sanitized && c.kernel == "fault_past_end" && os.Getenv(faultyProcess) == "" {
				// The address sanitizer finds it first, and ends the process.
				cmd := exec.Command(os.Args[0], "-test.run", "^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$")
				cmd.Env = append(os.Environ(), faultyProcess+"=1")
				if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "AddressSanitizer: use-after-poison") {
					t.Errorf("got %v, %s", err, out)
				}
				return
			}
			Run(t, func(t *Env) {
				f := function(t, c.kernel)
				out := t.Alloc(256)
				args := []cuda.Arg{cuda.P(out)}
				if c.args != nil {
					args = c.args(out)
				}
				t.Must(t.Stream.Launch(f, c.grid, args...))
				err := t.Stream.Sync()
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want %q", err, c.want)
				}
				if err := t.Stream.Sync(); err == nil {
					t.Error("a device that failed goes on as if nothing had been")
				}
				emu.Forgive()
			})
		})
	}
}

// TestOrderShowsAMissingBarrier: without the barrier some thread reads what nothing has written yet.
func TestOrderShowsAMissingBarrier(t *testing.T) {
	Run(t, func(t *Env) {
		x := Upload(t, ramp(64))
		for kernel, sound := range map[string]bool{"neighbour": true, "fault_missing_barrier": false} {
			out := t.Alloc(256)
			t.Must(t.Stream.Launch(function(t, kernel), cuda.Line(1, 64), cuda.P(out), cuda.P(x)))
			got := Download[float32](t, out, 64)
			if right := slices.Equal(got, append(ramp(64)[1:], 0)); right != sound {
				t.Errorf("%s: right %v, want %v", kernel, right, sound)
			}
		}
	})
}

func TestCopyNotWaitedForIsNotThere(t *testing.T) {
	Run(t, func(t *Env) {
		out := t.Alloc(64 * 16)
		t.Must(t.Stream.Launch(function(t, "copies"), cuda.Line(1, 64), cuda.P(out), cuda.P(Upload(t, ramp(256))), cuda.I(0)))
		err := t.Stream.Sync()
		emu.Forgive()
		if err == nil || !strings.Contains(err.Error(), "asynchronous copies that it never waited for") {
			t.Errorf("got %v", err)
		}
	})
}

// TestWorkIsPutOff: what the host reads or reuses too early is not what it hoped for.
func TestWorkIsPutOff(t *testing.T) {
	Run(t, func(t *Env) {
		pinned, err := t.Device.AllocPinned(4)
		t.Must(err)
		defer func() { t.Must(pinned.Free()) }()
		a := t.Alloc(4)
		t.Must(t.Stream.Fill(a, 5, 1))
		t.Must(t.Stream.DownloadPinned(pinned, 0, 4, a))
		if pinned.Bytes()[0] == 5 {
			t.Error("a copy is there before anything waited for it")
		}
		t.Must(t.Stream.Sync())
		if pinned.Bytes()[0] != 5 {
			t.Error("a copy is not there although it was waited for")
		}
		t.Must(t.Stream.UploadPinned(a, pinned, 0, 4))
		pinned.Bytes()[0] = 6 // too early
		if got := Download[uint32](t, a, 1)[0]; got != 6 {
			t.Errorf("got %d: the copy did not see that its source was overwritten", got)
		}
	})
}

func TestWaitingBreaksACapture(t *testing.T) {
	Run(t, func(t *Env) {
		a := t.Alloc(4)
		_, err := t.Stream.Capture(func() error {
			t.Must(t.Stream.Fill(a, 1, 1))
			return t.Stream.Sync()
		})
		if err == nil || !strings.Contains(err.Error(), "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED") {
			t.Errorf("got %v", err)
		}
		t.Must(t.Stream.Sync())
	})
}

func TestMemoryRunsOutInNumbers(t *testing.T) {
	emu.SetMemory(1 << 20)
	defer emu.SetMemory(16 << 30)
	Run(t, func(t *Env) {
		t.Alloc(1 << 19)
		_, err := t.Device.Alloc(1<<19 + 1)
		if err == nil || !strings.Contains(err.Error(), "allocating 524289 bytes on emulated GPU (524288 of 1048576 free)") {
			t.Errorf("got %v", err)
		}
	})
}

const stale = `// source sha256 0
.version 7.8
.target sm_80
.visible .entry fault_past_end(
	.param .u64 a,
	.param .u64 b
)
{
}
.visible .entry not_in_the_program()
{
}
`

func TestStalePTXIsRefused(t *testing.T) {
	Run(t, func(t *Env) {
		m, err := t.Device.Load(stale)
		t.Must(err)
		defer func() { t.Must(m.Close()) }()
		for name, want := range map[string]string{
			"fault_past_end":     "the PTX has other parameters than its source",
			"not_in_the_program": "is not in this program",
			"neighbour":          "it is not in the PTX",
		} {
			if _, err := m.Function(name); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %q", name, err, want)
			}
		}
	})
}

// TestGorgoniasOwnCalls runs a kernel with nothing but gorgonia.org/cu.
func TestGorgoniasOwnCalls(t *testing.T) {
	Run(t, func(t *Env) {
		text, err := faults.Files.ReadFile("faults.ptx")
		t.Must(err)
		t.Must(gorgonia(string(text)))
	})
}

func gorgonia(text string) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	dev, err := cu.GetDevice(0)
	if err != nil {
		return err
	}
	ctx, err := dev.RetainPrimaryCtx()
	if err != nil {
		return err
	}
	defer dev.ReleasePrimaryCtx()
	if err := cu.SetCurrentContext(ctx); err != nil {
		return err
	}
	m, err := cu.LoadData(text)
	if err != nil {
		return err
	}
	defer m.Unload()
	f, err := m.Function("neighbour")
	if err != nil {
		return err
	}
	x := ramp(64)
	a, err := cu.MemAlloc(256)
	if err != nil {
		return err
	}
	defer cu.MemFree(a)
	b, err := cu.MemAlloc(256)
	if err != nil {
		return err
	}
	defer cu.MemFree(b)
	if err := cu.MemcpyHtoD(a, unsafe.Pointer(&x[0]), 256); err != nil {
		return err
	}
	if err := f.Launch(1, 1, 1, 64, 1, 1, 0, cu.Stream{}, []unsafe.Pointer{unsafe.Pointer(&b), unsafe.Pointer(&a)}); err != nil {
		return err
	}
	if err := cu.Synchronize(); err != nil {
		return err
	}
	got := make([]float32, 64)
	if err := cu.MemcpyDtoH(unsafe.Pointer(&got[0]), b, 256); err != nil {
		return err
	}
	if !slices.Equal(got, append(ramp(64)[1:], 0)) {
		return cu.InvalidValue
	}
	return nil
}

// TestBiasesThatLtDoesNotAdd: without cublasLt, and where it has no algorithm, nothing is done; what it cannot read is an
// error.
func TestBiasesThatLtDoesNotAdd(t *testing.T) {
	for _, without := range []bool{false, true} {
		emu.WithoutLt(without)
		Run(t, func(t *Env) {
			b, err := t.Stream.NewBLAS()
			t.Must(err)
			defer func() { t.Must(b.Close()) }()
			x := Upload(t, ramp(8))
			m := cuda.Matrix{Ptr: x, LD: 2}
			ok, err := b.MultiplyBias(cuda.Matrix{Ptr: t.Alloc(16), LD: 2}, cuda.Matrix{Ptr: x, LD: 1}, m, x, cuda.Product{M: 2, N: 2, K: 1, Alpha: 1})
			if ok || err != nil {
				t.Errorf("no algorithm: %t, %v", ok, err)
			}
			ok, err = b.MultiplyBias(cuda.Matrix{Ptr: t.Alloc(16), LD: 2}, m, m, x, cuda.Product{M: 2, N: 2, K: 2, Alpha: 1})
			if ok == without || err != nil {
				t.Errorf("without %t: %t, %v", without, ok, err)
			}
			if without {
				return
			}
			_, err = b.MultiplyBias(cuda.Matrix{Ptr: t.Alloc(16), LD: 2}, m, m, x+4*7, cuda.Product{M: 2, N: 2, K: 2, Alpha: 1})
			if err == nil || !strings.Contains(err.Error(), "adding a bias: cublasLtMatmul: CUBLAS_STATUS_INVALID_VALUE") {
				t.Errorf("a bias that is too short: %v", err)
			}
		})
	}
	emu.WithoutLt(false)
}
