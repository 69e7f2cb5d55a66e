//go:build gpu && cgo && linux

package cuda

/*
#include "cuda.h"

#define WITH(c) CUresult r = cuCtxSetCurrent(c); if (r) return r
static CUresult to_device(CUcontext c, CUdeviceptr d, const void *h, size_t n, CUstream s) { WITH(c); return cuMemcpyHtoDAsync(d, h, n, s); }
static CUresult to_host(CUcontext c, void *h, CUdeviceptr d, size_t n, CUstream s) { WITH(c); return cuMemcpyDtoHAsync(h, d, n, s); }
static CUresult within(CUcontext c, CUdeviceptr d, CUdeviceptr f, size_t n, CUstream s) { WITH(c); return cuMemcpyDtoDAsync(d, f, n, s); }
static CUresult fill(CUcontext c, CUdeviceptr d, unsigned v, size_t n, CUstream s) { WITH(c); return cuMemsetD32Async(d, v, n, s); }
static CUresult fill8(CUcontext c, CUdeviceptr d, unsigned char v, size_t n, CUstream s) { WITH(c); return cuMemsetD8Async(d, v, n, s); }
#cgo noescape to_device
#cgo nocallback to_device
*/
import "C"

import (
	"fmt"
	"unsafe"

	"gorgonia.org/cu"
)

// Stream is a sequence of work that a device does in order. Different streams know of each other only by events.
type Stream struct {
	device *Device
	s      cu.Stream
	raw    C.CUstream
}

// NewStream makes a stream.
func (d *Device) NewStream() (*Stream, error) {
	s := &Stream{device: d}
	err := d.do("cuStreamCreate", func() (err error) {
		s.s, err = cu.MakeStream(cu.NonBlocking)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.raw = *(*C.CUstream)(unsafe.Pointer(&s.s)) // a struct of the one handle
	return s, nil
}

// Close gives the stream back, once its work is done.
func (s *Stream) Close() error {
	if err := s.Sync(); err != nil {
		return err
	}
	return s.device.do("cuStreamDestroy", s.s.Destroy)
}

// Sync waits until all of the stream's work is done, and returns the first error that came up.
func (s *Stream) Sync() error { return s.device.do("cuStreamSynchronize", s.s.Synchronize) }

// Upload copies host memory to the device. from may change once it returns.
func (s *Stream) Upload(to Ptr, from []byte) error {
	if len(from) == 0 {
		return nil
	}
	return check("cuMemcpyHtoDAsync", C.to_device(s.device.raw, C.CUdeviceptr(to), unsafe.Pointer(&from[0]),
		C.size_t(len(from)), s.raw))
}

// UploadPinned copies bytes of pinned memory from an offset on. They may change once the stream has come there.
func (s *Stream) UploadPinned(to Ptr, from *Pinned, offset, n int) error {
	b, err := from.part(offset, n)
	if b == nil || err != nil {
		return err
	}
	return check("cuMemcpyHtoDAsync", C.to_device(s.device.raw, C.CUdeviceptr(to), b, C.size_t(n), s.raw))
}

// Download copies device memory to the host and returns once it is there, which takes all the stream's work before.
func (s *Stream) Download(to []byte, from Ptr) error {
	if len(to) == 0 {
		return nil
	}
	if err := s.Sync(); err != nil {
		return err
	}
	return s.device.Download(to, from)
}

// DownloadPinned copies device memory to pinned memory from an offset on: it is there once the stream has come there.
func (s *Stream) DownloadPinned(to *Pinned, offset, n int, from Ptr) error {
	b, err := to.part(offset, n)
	if b == nil || err != nil {
		return err
	}
	return check("cuMemcpyDtoHAsync", C.to_host(s.device.raw, b, C.CUdeviceptr(from), C.size_t(n), s.raw))
}

func (p *Pinned) part(offset, n int) (unsafe.Pointer, error) {
	if offset < 0 || n < 0 || n > len(p.bytes)-offset {
		return nil, fmt.Errorf("copying %d bytes at %d of %d bytes of pinned memory", n, offset, len(p.bytes))
	}
	if n == 0 {
		return nil, nil
	}
	return unsafe.Pointer(&p.bytes[offset]), nil
}

// Copy copies n bytes within the device's memory. The two places do not overlap.
func (s *Stream) Copy(to, from Ptr, n int) error {
	if n == 0 {
		return nil
	}
	return check("cuMemcpyDtoDAsync", C.within(s.device.raw, C.CUdeviceptr(to), C.CUdeviceptr(from), C.size_t(n), s.raw))
}

// Fill sets n words of 4 bytes.
func (s *Stream) Fill(to Ptr, word uint32, n int) error {
	if n == 0 {
		return nil
	}
	return check("cuMemsetD32Async", C.fill(s.device.raw, C.CUdeviceptr(to), C.uint(word), C.size_t(n), s.raw))
}

// Zero clears n bytes.
func (s *Stream) Zero(to Ptr, n int) error {
	if n == 0 {
		return nil
	}
	return check("cuMemsetD8Async", C.fill8(s.device.raw, C.CUdeviceptr(to), 0, C.size_t(n), s.raw))
}

// Event is a place in a stream.
type Event struct {
	device *Device
	e      cu.Event
}

// NewEvent makes an event that keeps time.
func (d *Device) NewEvent() (*Event, error) {
	e := &Event{device: d}
	err := d.do("cuEventCreate", func() (err error) {
		e.e, err = cu.MakeEvent(cu.DefaultEvent)
		return err
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}

// Close gives the event back.
func (e *Event) Close() error {
	return e.device.do("cuEventDestroy", func() error { return cu.DestroyEvent(&e.e) })
}

// Record puts the event behind all that the stream was asked for so far.
func (s *Stream) Record(e *Event) error {
	return s.device.do("cuEventRecord", func() error { return e.e.Record(s.s) })
}

// Wait has the stream go on only when the event's last record is reached.
func (s *Stream) Wait(e *Event) error {
	return s.device.do("cuStreamWaitEvent", func() error { return s.s.Wait(e.e, 0) })
}

// Sync waits until the event's last record is reached.
func (e *Event) Sync() error { return e.device.do("cuEventSynchronize", e.e.Synchronize) }

// Since is the time from the earlier event to this one in seconds; both were reached.
func (e *Event) Since(earlier *Event) (seconds float64, err error) {
	err = e.device.do("cuEventElapsedTime", func() error {
		ms, err := earlier.e.Elapsed(e.e)
		seconds = ms / 1e3
		return err
	})
	return seconds, err
}
