//go:build unix

package kerneltest_test

import (
	"os"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/kerneltest"
	"github.com/seed-aefebe89/graft/graph/kernel/portable"
)

// The guarded device passes the suites that every implementation passes. It takes ten seconds, and what the device adds
// to the kernels below it is under test in graph/op and graph as well.
func TestSuitesOnTheGuardedDevice(t *testing.T) {
	if os.Getenv("GRAFT_DEVICE_SUITES") == "" {
		t.Skip("GRAFT_DEVICE_SUITES is not set")
	}
	kerneltest.Run(t, func() kernel.Kernels {
		d := kerneltest.NewDevice(t, portable.New(), 1<<26)
		return kerneltest.Staged(d, func(err error) { t.Error(err) })
	})
}

// touch reports whether f faults.
func touch(f func()) (faulted bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { faulted = recover() != nil }()
	f()
	return false
}

func TestTheHostCannotTouchTheDevice(t *testing.T) {
	d := kerneltest.NewDevice(t, portable.New(), 1<<20)
	x, err := d.Alloc(8)
	if err != nil {
		t.Fatal(err)
	}
	sum := float32(0)
	if !touch(func() { sum += x[3] }) || !touch(func() { x[3] = 1 }) {
		t.Error("the host read or wrote the device's memory")
	}
	host := kernel.F32([]float32{1, 2, 3, 4, 5, 6, 7, 8}, 8)
	at := kernel.F32(x, 8)
	d.Upload(at, host)
	host.F32[0] = 100 // after the upload was asked for
	d.Scale(at, at, 2)
	got := kernel.F32(make([]float32, 8), 8)
	if err := d.Download(got, at); err != nil || got.F32[0] != 2 || got.F32[7] != 16 {
		t.Errorf("%v, %v", got.F32, err)
	}
	d.Add(at, at, host)
	if err := d.Sync(); err == nil || !strings.Contains(err.Error(), "does not lie in the device's memory") {
		t.Errorf("an operand of the host gives %v", err)
	}
}

func TestFreshMemoryIsNoNumberAndBounded(t *testing.T) {
	d := kerneltest.NewDevice(t, portable.New(), 1<<16)
	x, err := d.Alloc(100)
	if err != nil {
		t.Fatal(err)
	}
	got := kernel.F32(make([]float32, 100), 100)
	if err := d.Download(got, kernel.F32(x, 100)); err != nil || got.F32[99] == got.F32[99] {
		t.Errorf("%v, %v", got.F32, err)
	}
	if _, err := d.Alloc(1 << 14); err == nil || !strings.Contains(err.Error(), "65536 bytes of memory were asked for, 61440 of 65536 are free") {
		t.Errorf("too much gives %v", err)
	}
	d.Free(x)
	if free, total, err := d.Room(); free != total || err != nil {
		t.Errorf("%d of %d are free, %v", free, total, err)
	}
}

func TestRecordingsFreezeOptionsAndReplayOnNewValues(t *testing.T) {
	d := kerneltest.NewDevice(t, portable.New(), 1<<16)
	x, err := d.Alloc(2)
	if err != nil {
		t.Fatal(err)
	}
	at, got, s := kernel.F32(x, 2), kernel.F32(make([]float32, 2), 2), float32(3)
	r, err := d.Record(func() { d.Scale(at, at, s) })
	if err != nil || d.Launches != 0 {
		t.Fatal(err, d.Launches)
	}
	s = 100
	for _, v := range []float32{1, 2} {
		d.Upload(at, kernel.F32([]float32{v, -v}, 2))
		r.Replay()
		if err := d.Download(got, at); err != nil || got.F32[0] != 3*v || got.F32[1] != -3*v {
			t.Errorf("%v, %v", got.F32, err)
		}
	}
	if d.Replays != 2 || d.Launches != 2 || d.Recordings != 1 {
		t.Errorf("%+v", d)
	}
	d.FailAt = 3
	r.Replay()
	if err := d.Download(got, at); err == nil || !strings.Contains(err.Error(), "launch 3 failed") {
		t.Errorf("a launch that fails gives %v", err)
	}
}
