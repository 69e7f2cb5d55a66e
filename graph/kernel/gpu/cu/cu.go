// Package cu holds the GPU's kernels: CUDA C++, and the PTX that NVRTC made of it.
//
// To add a kernel:
//
//  1. Write NAME.cu with #include "device.cuh" (internal/cuda/include: how kernels and shared memory are declared, warps,
//     bfloat16, tensor cores). The names of kernels are unique in this package; what several files share is a .cuh here.
//  2. Write NAME.cpp, which includes it for the emulation, after the model of elementwise.cpp.
//  3. Run scripts/gpu-ptx.sh, which writes NAME.ptx. A test fails until it is made from the source as it is.
//  4. Call it by cuda.Library.Function and Stream.Launch, whose arguments are checked against the PTX, and test it with
//     cudatest.Run: make gpu runs the tests on the emulation, in both orders of a block's threads; the same tests run on
//     a GPU with go test -tags gpu.
package cu

import "embed"

// Files are the sources and their PTX.
//
//go:embed *.cu *.cuh *.ptx
var Files embed.FS
