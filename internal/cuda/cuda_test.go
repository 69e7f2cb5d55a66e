//go:build gpu && cgo && linux

package cuda_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/internal/cuda"
	. "github.com/seed-aefebe89/graft/internal/cuda/cudatest"
	"github.com/seed-aefebe89/graft/internal/cuda/faults"
)

func library(t *Env) *cuda.Library {
	t.Helper()
	l, err := t.Device.NewLibrary(faults.Files)
	t.Must(err)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func function(t *Env, name string) *cuda.Function {
	t.Helper()
	f, err := library(t).Function(name)
	t.Must(err)
	return f
}

func random(n int, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

func ramp(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(i)
	}
	return x
}

func TestDeviceTellsItsProperties(t *testing.T) {
	Run(t, func(t *Env) {
		p := t.Device.Properties
		if p.Name == "" || p.Major < 8 || p.SMs < 1 || p.Memory < 1<<30 || p.Shared < 96<<10 {
			t.Errorf("%+v", p)
		}
		free, total, err := t.Device.Room()
		if err != nil || free <= 0 || free > total {
			t.Errorf("%d of %d bytes free, %v", free, total, err)
		}
		if _, err := cuda.Open(64); err == nil || !strings.Contains(err.Error(), "opening GPU 64: this machine has") {
			t.Errorf("opening a GPU that is not there: %v", err)
		}
	})
}

func TestCopiesAndFillsFollowTheStream(t *testing.T) {
	Run(t, func(t *Env) {
		x := ramp(1000)
		a, b := Upload(t, x), t.Alloc(4000)
		t.Must(t.Stream.Copy(b, a, 4000))
		t.Must(t.Stream.Fill(a, math.Float32bits(7), 10))
		t.Must(t.Stream.Zero(a+40, 40))
		if got := Download[float32](t, b, 1000); !slices.Equal(got, x) {
			t.Error("the copy is not what was there before the fill")
		}
		got := Download[float32](t, a, 21)
		if got[0] != 7 || got[9] != 7 || got[10] != 0 || got[19] != 0 || got[20] != 20 {
			t.Errorf("after the fills: %v", got)
		}
		pinned, err := t.Device.AllocPinned(4000)
		t.Must(err)
		defer func() { t.Must(pinned.Free()) }()
		t.Must(t.Stream.DownloadPinned(pinned, 0, 4000, b))
		t.Must(t.Stream.Sync())
		if !slices.Equal(pinned.Bytes(), cuda.Bytes(x)) {
			t.Error("pinned memory does not hold what was downloaded")
		}
		t.Must(t.Stream.UploadPinned(a, pinned, 400, 3600))
		if got := Download[float32](t, a, 900); !slices.Equal(got, x[100:]) {
			t.Error("the upload from pinned memory differs")
		}
		if err := t.Stream.UploadPinned(a, pinned, 3999, 2); err == nil {
			t.Error("no error from copying past the end of pinned memory")
		}
	})
}

func TestEventsOrderStreams(t *testing.T) {
	Run(t, func(t *Env) {
		other, err := t.Device.NewStream()
		t.Must(err)
		defer func() { t.Must(other.Close()) }()
		var events [2]*cuda.Event
		for i := range events {
			events[i], err = t.Device.NewEvent()
			t.Must(err)
			defer func() { t.Must(events[i].Close()) }()
		}
		a, b := t.Alloc(400), t.Alloc(400)
		t.Must(t.Stream.Record(events[0]))
		t.Must(t.Stream.Upload(a, cuda.Bytes(ramp(100))))
		t.Must(t.Stream.Record(events[1]))
		t.Must(other.Wait(events[1]))
		t.Must(other.Copy(b, a, 400))
		t.Must(other.Sync())
		got := make([]float32, 100)
		t.Must(t.Device.Download(cuda.Bytes(got), b))
		if !slices.Equal(got, ramp(100)) {
			t.Error("the second stream did not wait for the first")
		}
		t.Must(events[1].Sync())
		if s, err := events[1].Since(events[0]); err != nil || s < 0 {
			t.Errorf("%v seconds, %v", s, err)
		}
	})
}

func TestCaptureReplaysOnWhatMemoryHolds(t *testing.T) {
	Run(t, func(t *Env) {
		sums := function(t, "block_sums")
		x, out := t.Alloc(4*64), t.Alloc(4*2)
		b, err := t.Stream.NewBLAS()
		t.Must(err)
		defer func() { t.Must(b.Close()) }()
		product := t.Alloc(4)
		g, err := t.Stream.Capture(func() error {
			err := t.Stream.Launch(sums, cuda.Grid{Blocks: cuda.Dim{X: 2}, Threads: cuda.Dim{X: 64}, Shared: 4 * 32},
				cuda.P(out), cuda.P(x), cuda.I(32))
			m := cuda.Matrix{Ptr: out, LD: 1}
			return errors.Join(err, b.Multiply(cuda.Matrix{Ptr: product, LD: 1}, cuda.Matrix{Ptr: out, LD: 2}, m,
				cuda.Product{M: 1, N: 1, K: 2, Alpha: 1}))
		})
		t.Must(err)
		defer func() { t.Must(g.Close()) }()
		for _, scale := range []float32{1, 3} {
			h := make([]float32, 64)
			for i := range h {
				h[i] = scale * float32(1+i/32)
			}
			t.Must(t.Stream.Upload(x, cuda.Bytes(h)))
			t.Must(t.Stream.Start(g))
			got := Download[float32](t, out, 2)
			if got[0] != 32*scale || got[1] != 64*scale {
				t.Errorf("sums %v", got)
			}
			if p := Download[float32](t, product, 1)[0]; p != 32*32*5*scale*scale {
				t.Errorf("product %v", p)
			}
		}
	})
}

func TestDynamicSharedMemory(t *testing.T) {
	Run(t, func(t *Env) {
		sums := function(t, "block_sums")
		n := 200 << 10 / 4
		x := make([]float32, n)
		var want float32
		for i := range x {
			x[i] = float32(i % 3)
			want += x[i]
		}
		in, out := Upload(t, x), t.Alloc(4)
		g := cuda.Grid{Threads: cuda.Dim{X: 256}, Shared: 4 * n}
		if err := t.Stream.Launch(sums, g, cuda.P(out), cuda.P(in), cuda.I(n)); err == nil {
			t.Error("no error from asking for 200 KiB of shared memory without leave")
		}
		if n*4 > t.Device.Shared-1024 {
			return
		}
		t.Must(sums.AllowShared(4 * n))
		t.Must(t.Stream.Launch(sums, g, cuda.P(out), cuda.P(in), cuda.I(n)))
		if got := Download[float32](t, out, 1)[0]; got != want {
			t.Errorf("sum %v, want %v", got, want)
		}
		if err := sums.AllowShared(1 << 20); err == nil {
			t.Error("no error from 1 MiB of shared memory")
		}
	})
}

func TestLaunchesAreChecked(t *testing.T) {
	Run(t, func(t *Env) {
		sums := function(t, "block_sums")
		out := t.Alloc(4)
		for _, c := range []struct {
			name string
			grid cuda.Grid
			args []cuda.Arg
			want string
		}{
			{"too few arguments", cuda.Line(1, 32), []cuda.Arg{cuda.P(out), cuda.P(out)}, "2 arguments, and it takes 3"},
			{"an argument of another size", cuda.Line(1, 32), []cuda.Arg{cuda.P(out), cuda.P(out), cuda.L(1)},
				"argument 2 has 8 bytes, and it takes 4"},
			{"more threads than its bounds", cuda.Line(1, 512), []cuda.Arg{cuda.P(out), cuda.P(out), cuda.I(0)}, "CUDA_ERROR_INVALID_VALUE"},
			{"too many blocks in y", cuda.Grid{Blocks: cuda.Dim{Y: 65536}}, []cuda.Arg{cuda.P(out), cuda.P(out), cuda.I(0)}, "CUDA_ERROR_INVALID_VALUE"},
		} {
			if err := t.Stream.Launch(sums, c.grid, c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: got %v, want %q", c.name, err, c.want)
			}
		}
		if _, err := library(t).Function("nonesuch"); err == nil || !strings.Contains(err.Error(), "nonesuch") {
			t.Errorf("a kernel that no PTX holds: %v", err)
		}
		if _, err := t.Device.Alloc(1 << 50); err == nil || !strings.Contains(err.Error(), "CUDA_ERROR_OUT_OF_MEMORY") {
			t.Errorf("allocating more than there is: %v", err)
		}
	})
}
