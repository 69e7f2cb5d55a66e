//go:build gpu && cgo && linux

// Package cuda drives an NVIDIA GPU: a device with its memory, modules of kernels, streams, cuBLAS's products, and
// sequences of launches captured as one. gorgonia.org/cu does contexts, memory, modules and streams; what it lacks is
// called here. No CUDA is needed to build or to start (package shim), and none at all with package emu.
//
// Every method may be called from any goroutine: contexts belong to threads, and each call makes its device's current.
// A call that only hands work to a stream returns before it is done; an error that comes up on the way is returned by a
// later call, most often Stream.Sync, and stays: a device that failed does no more work in this process.
package cuda

/*
#cgo CFLAGS: -I${SRCDIR}/include
#include "cuda.h"
*/
import "C"

import (
	"fmt"
	"reflect"
	"runtime"
	"unsafe"

	"gorgonia.org/cu"

	_ "github.com/seed-aefebe89/graft/internal/cuda/include" // so that the build cache sees its headers
	"github.com/seed-aefebe89/graft/internal/cuda/shim"
)

// Error is a failed call of the driver or of cuBLAS.
type Error struct {
	Call   string // "cuMemAlloc"
	Name   string // "CUDA_ERROR_OUT_OF_MEMORY"
	Code   int
	Detail string // what it was about, where that is known
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s: %s (%d)", e.Call, e.Name, e.Code)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// check makes an error of a driver's result.
func check(call string, r C.CUresult) error {
	if r == C.CUDA_SUCCESS {
		return nil
	}
	e := &Error{Call: call, Name: "unknown error", Code: int(r), Detail: shim.Detail()}
	var name *C.char
	if C.cuGetErrorName(r, &name) == C.CUDA_SUCCESS && name != nil {
		e.Name = C.GoString(name)
	}
	return e
}

// checked does the same with an error of gorgonia.org/cu, whose type is an unexported number.
func checked(call string, err error) error {
	if err == nil {
		return nil
	}
	if v := reflect.ValueOf(err); v.Kind() == reflect.Int {
		return check(call, C.CUresult(v.Int()))
	}
	return fmt.Errorf("%s: %w", call, err)
}

// Device is an open GPU: its primary context, held until Close.
type Device struct {
	dev cu.Device
	ctx cu.CUContext
	raw C.CUcontext
	Properties
}

// Properties tell devices apart.
type Properties struct {
	Name         string
	Major, Minor int // compute capability
	SMs          int // streaming multiprocessors
	Memory       int // bytes
	Shared       int // bytes of shared memory that a block may ask for
	Driver       int // newest CUDA that the driver knows: 12040 for 12.4
}

// String is for reports: "NVIDIA H200 (9.0, 132 SMs, 139.8 GiB)".
func (p Properties) String() string {
	return fmt.Sprintf("%s (%d.%d, %d SMs, %.1f GiB)", p.Name, p.Major, p.Minor, p.SMs, float64(p.Memory)/(1<<30))
}

// Status says what drives GPUs here, or why nothing does.
func Status() (ok bool, text string) { return shim.Driver() }

// Open opens the n-th device, counted from 0.
func Open(n int) (*Device, error) {
	if ok, status := shim.Driver(); !ok {
		return nil, fmt.Errorf("opening GPU %d: no CUDA driver: %s", n, status)
	}
	count, err := cu.NumDevices()
	if err != nil {
		return nil, fmt.Errorf("opening GPU %d: %w", n, checked("cuDeviceGetCount", err))
	}
	if n < 0 || n >= count {
		return nil, fmt.Errorf("opening GPU %d: this machine has %d (see CUDA_VISIBLE_DEVICES)", n, count)
	}
	d := &Device{}
	if d.dev, err = cu.GetDevice(n); err != nil {
		return nil, fmt.Errorf("opening GPU %d: %w", n, checked("cuDeviceGet", err))
	}
	if d.Properties, err = properties(d.dev); err != nil {
		return nil, fmt.Errorf("opening GPU %d: %w", n, err)
	}
	if d.Major < 8 {
		return nil, fmt.Errorf("opening GPU %d: %s: compute capability 8.0 or later is needed", n, d.Properties)
	}
	if d.ctx, err = d.dev.RetainPrimaryCtx(); err != nil {
		return nil, fmt.Errorf("opening GPU %d: %w", n, checked("cuDevicePrimaryCtxRetain", err))
	}
	d.raw = *(*C.CUcontext)(unsafe.Pointer(&d.ctx)) // a struct of the one handle
	return d, nil
}

func properties(dev cu.Device) (p Properties, err error) {
	if p.Name, err = dev.Name(); err != nil {
		return p, checked("cuDeviceGetName", err)
	}
	memory, err := dev.TotalMem()
	if err != nil {
		return p, checked("cuDeviceTotalMem", err)
	}
	p.Memory, p.Driver = int(memory), cu.Version()
	for _, a := range []struct {
		to   *int
		what C.CUdevice_attribute
	}{
		{&p.Major, C.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR},
		{&p.Minor, C.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR},
		{&p.SMs, C.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT},
		{&p.Shared, C.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN},
	} {
		var v C.int
		if err := check("cuDeviceGetAttribute", C.cuDeviceGetAttribute(&v, a.what, C.CUdevice(dev))); err != nil {
			return p, err
		}
		*a.to = int(v)
	}
	return p, nil
}

// Close gives the device back. What was allocated on it has been freed before.
func (d *Device) Close() error {
	return checked("cuDevicePrimaryCtxRelease", d.dev.ReleasePrimaryCtx())
}

// do calls f on a thread whose current context is the device's.
func (d *Device) do(call string, f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cu.SetCurrentContext(d.ctx); err != nil {
		return checked("cuCtxSetCurrent", err)
	}
	return checked(call, f())
}

// Sync waits until the device has done all its work.
func (d *Device) Sync() error { return d.do("cuCtxSynchronize", cu.Synchronize) }
