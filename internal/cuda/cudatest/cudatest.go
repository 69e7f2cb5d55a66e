//go:build gpu && cgo && linux

// Package cudatest runs tests on a GPU, emulated or real.
package cudatest

import (
	"testing"

	"github.com/seed-aefebe89/graft/internal/cuda"
)

// Env is what a test has of a device. What it allocates is freed when the test ends.
type Env struct {
	*testing.T
	Device *cuda.Device
	Stream *cuda.Stream
}

// Run runs f on the first GPU, and skips where there is none. On the emulation it runs twice, with the threads of a
// block first to last and last to first, and fails where device memory is left over.
func Run(t *testing.T, f func(t *Env)) {
	t.Helper()
	Orders(t, func(t *testing.T) {
		if ok, status := cuda.Status(); !ok {
			t.Skip("no GPU: " + status)
		}
		d, err := cuda.Open(0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
		s, err := d.NewStream()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		f(&Env{t, d, s})
	})
}

// Must fails the test on an error.
func (t *Env) Must(err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Alloc returns n bytes of the device, which hold NaN on the emulation.
func (t *Env) Alloc(n int) cuda.Ptr {
	t.Helper()
	p, err := t.Device.Alloc(n)
	t.Must(err)
	t.Cleanup(func() {
		if err := t.Device.Free(p); err != nil {
			t.Error(err)
		}
	})
	return p
}

// Element is a type of a tensor's elements; bfloat16 is uint16.
type Element interface {
	float32 | float64 | int32 | uint32 | uint16 | int64 | uint64
}

// Upload returns device memory that holds x, which is not empty.
func Upload[T Element](t *Env, x []T) cuda.Ptr {
	t.Helper()
	p := t.Alloc(len(cuda.Bytes(x)))
	t.Must(t.Stream.Upload(p, cuda.Bytes(x)))
	return p
}

// Download returns n elements of the device, after all that the stream was asked for.
func Download[T Element](t *Env, p cuda.Ptr, n int) []T {
	t.Helper()
	x := make([]T, n)
	t.Must(t.Stream.Download(cuda.Bytes(x), p))
	return x
}
