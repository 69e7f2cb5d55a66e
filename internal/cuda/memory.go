//go:build gpu && cgo && linux

package cuda

/*
#include "cuda.h"
static CUresult alloc_pinned(CUcontext c, void **p, size_t n) {
  CUresult r = cuCtxSetCurrent(c);
  return r ? r : cuMemHostAlloc(p, n, 0);
}
*/
import "C"

import (
	"fmt"
	"unsafe"

	"gorgonia.org/cu"
)

// Ptr is an address in a device's memory, in bytes; 0 is none.
type Ptr uint64

// Alloc returns n > 0 bytes of undefined values, at a multiple of 256 bytes.
func (d *Device) Alloc(n int) (Ptr, error) {
	var p cu.DevicePtr
	err := d.do("cuMemAlloc", func() (err error) {
		p, err = cu.MemAlloc(int64(n))
		return err
	})
	if err != nil {
		free, total, _ := d.Room()
		return 0, fmt.Errorf("allocating %d bytes on %s (%d of %d free): %w", n, d.Name, free, total, err)
	}
	return Ptr(p), nil
}

// Free gives back what Alloc returned, once the device has done all its work. Freeing 0 does nothing.
func (d *Device) Free(p Ptr) error {
	if p == 0 {
		return nil
	}
	return d.do("cuMemFree", func() error { return cu.MemFree(cu.DevicePtr(p)) })
}

// Room is the memory that is free and all there is, in bytes.
func (d *Device) Room() (free, total int, err error) {
	err = d.do("cuMemGetInfo", func() error {
		f, t, err := cu.MemInfo()
		free, total = int(f), int(t)
		return err
	})
	return free, total, err
}

// Upload copies host memory to the device and returns once it is there. It waits for no stream of NewStream.
func (d *Device) Upload(to Ptr, from []byte) error {
	if len(from) == 0 {
		return nil
	}
	return d.do("cuMemcpyHtoD", func() error {
		return cu.MemcpyHtoD(cu.DevicePtr(to), unsafe.Pointer(&from[0]), int64(len(from)))
	})
}

// Download copies device memory to the host and returns once it is there. It waits for no stream of NewStream.
func (d *Device) Download(to []byte, from Ptr) error {
	if len(to) == 0 {
		return nil
	}
	return d.do("cuMemcpyDtoH", func() error {
		return cu.MemcpyDtoH(unsafe.Pointer(&to[0]), cu.DevicePtr(from), int64(len(to)))
	})
}

// Pinned is host memory that does not move and that a device copies from and to on its own.
type Pinned struct {
	device *Device
	bytes  []byte
}

// AllocPinned returns n > 0 bytes of undefined values.
func (d *Device) AllocPinned(n int) (*Pinned, error) {
	var p unsafe.Pointer
	if err := check("cuMemHostAlloc", C.alloc_pinned(d.raw, &p, C.size_t(n))); err != nil {
		return nil, fmt.Errorf("allocating %d bytes of pinned memory: %w", n, err)
	}
	return &Pinned{d, unsafe.Slice((*byte)(p), n)}, nil
}

// Bytes are the memory, valid until Free.
func (p *Pinned) Bytes() []byte { return p.bytes }

// Free gives the memory back. No copy of it is under way.
func (p *Pinned) Free() error {
	b := p.bytes
	if p.bytes = nil; b == nil {
		return nil
	}
	return p.device.do("cuMemFreeHost", func() error { return cu.MemFreeHost(unsafe.Pointer(&b[0])) })
}

// Bytes are the bytes of s, which they share.
func Bytes[T float32 | float64 | int32 | uint32 | uint16 | int64 | uint64](s []T) []byte {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), len(s)*int(unsafe.Sizeof(s[0])))
}
