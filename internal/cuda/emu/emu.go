//go:build gpu && emu && cgo && linux

// Package emu is a CUDA driver and cuBLAS on the processor, for tests: a program that imports it finds an emulated GPU
// where it asks package shim for a driver, and gorgonia.org/cu's own calls work on it.
//
// Kernels are the same CUDA C++, compiled for the processor (../include/emulated.hpp): each thread of a block is a
// fiber. Found are barriers that not all threads reach or that differ, lanes of a warp that do not meet, writes past
// device and shared memory (at synchronisation, at cuMemFree and at a block's end), reads of what was never written
// (NaN), launches beyond a device's limits, PTX that is older than its source, host memory that is read or reused
// before its copy is done, calls that a capture forbids. With the address sanitizer also reads outside, at their line.
// Not found: races between warps that the fibers' order hides (see Reverse), the differences of fast arithmetic, speed.
package emu

/*
#cgo CPPFLAGS: -DGRAFT_EMULATED -I${SRCDIR}/../include
#cgo CXXFLAGS: -O2 -std=c++17 -fno-exceptions -fno-rtti
#cgo LDFLAGS: -lm
#include <stddef.h>
void emu_set_memory(size_t bytes);
void emu_set_reverse(int on);
void emu_forgive(void);
int emu_live(void);
void emu_set_without_lt(int on);
*/
import "C"

import (
	_ "github.com/seed-aefebe89/graft/internal/cuda/include" // so that the build cache sees its headers
	_ "github.com/seed-aefebe89/graft/internal/cuda/shim"
)

// SetMemory sets the device's memory in bytes: 16 GiB unless told.
func SetMemory(bytes int) { C.emu_set_memory(C.size_t(bytes)) }

// Reverse has the threads of a block run from the last to the first. A kernel whose result depends on it lacks a
// barrier.
func Reverse(on bool) {
	C.emu_set_reverse(truth(on))
}

// WithoutLt has devices that are opened from now on find no cublasLt.
func WithoutLt(on bool) { C.emu_set_without_lt(truth(on)) }

func truth(b bool) C.int {
	if b {
		return 1
	}
	return 0
}

// Forgive forgets an error of the device, which otherwise stays, as it does on a GPU until the process ends.
func Forgive() { C.emu_forgive() }

// Live counts what was allocated on the device and pinned, and not freed.
func Live() int { return int(C.emu_live()) }
