//go:build gpu && cgo && linux

// Package shim defines the functions of the CUDA driver and cuBLAS that a program links to, and finds the libraries
// when they are first asked for. A program that imports gorgonia.org/cu imports it too: it then needs no CUDA to be
// built or to start.
//
// lib/libcuda.a is an empty archive: what gorgonia.org/cu's -lcuda finds.
package shim

/*
#cgo LDFLAGS: -L${SRCDIR}/lib -Wl,--as-needed -ldl
#include "shim.h"
static const char *detail(void) { return graft_cuda_emulated ? graft_cuda_emulated->detail() : ""; }
*/
import "C"

//go:generate go run generate.go

// Driver loads the CUDA driver, libcuda.so.1 or the library that GRAFT_LIBCUDA names, and initialises it. The text says
// what was loaded or why nothing could be.
func Driver() (ok bool, status string) {
	ok = C.graft_cuda_load() != 0
	return ok, C.GoString(C.graft_cuda_status())
}

// BLAS loads cuBLAS: libcublas.so.13, .12 or .11, or the library that GRAFT_LIBCUBLAS names.
func BLAS() (ok bool, status string) {
	ok = C.graft_cublas_load() != 0
	return ok, C.GoString(C.graft_cublas_status())
}

// Emulated tells whether this program carries the emulation of internal/cuda/emu.
func Emulated() bool { return C.graft_cuda_emulated != nil }

// Detail is what the emulation says of its last error; "" without an emulation.
func Detail() string { return C.GoString(C.detail()) }
