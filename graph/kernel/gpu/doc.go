// Package gpu implements kernel.Kernels on NVIDIA GPUs, of compute capability 8.0 or later: kernels written in CUDA C++
// (package cu), and cuBLAS for products. It needs the build tag gpu, cgo and Linux; elsewhere Open says so.
//
// All work is asked for on one stream. Nothing is added up by float atomics, so that the same arguments give the same
// bits. No kernel allocates or waits: all of them can be recorded, and what they leave to each other lies in a workspace
// that grows before.
package gpu
