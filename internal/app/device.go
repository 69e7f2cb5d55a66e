package app

import (
	"fmt"
	"io"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/gpu"
)

// Device says where graft's own engine computes.
type Device struct {
	Name string // cpu (or empty), gpu, or auto: the GPU where there is one
	// Open opens the GPU of an index; nil means gpu.Open.
	Open func(index int) (kernel.Kernels, error)
}

// kernels are those of so many threads of the CPU, 0 for one for each processor, or the one of the GPU. say tells why auto
// takes the CPU; it may be nil.
func (d Device) kernels(threads int, say func(format string, args ...any)) ([]kernel.Kernels, error) {
	if d.Name == "" || d.Name == "cpu" {
		return Threads(threads), nil
	}
	if d.Name != "gpu" && d.Name != "auto" {
		return nil, fmt.Errorf("a device can be cpu, gpu or auto, not %q", d.Name)
	}
	open := d.Open
	if open == nil {
		open = gpu.Open
	}
	k, err := open(0)
	switch {
	case err == nil:
		return []kernel.Kernels{k}, nil
	case d.Name == "gpu":
		return nil, fmt.Errorf("opening the GPU: %w", err)
	}
	if say != nil {
		say("computing on the CPU: %v", err)
	}
	return Threads(threads), nil
}

// engine opens the device and reads the precision of products on it.
func (d Device) engine(threads int, precision string, say func(format string, args ...any)) ([]kernel.Kernels, kernel.Precision, error) {
	ks, err := d.kernels(threads, say)
	if err != nil {
		return nil, kernel.Float32, err
	}
	p, err := kernel.ParsePrecision(precision, ks[0])
	if err != nil {
		closeKernels(ks)
	}
	return ks, p, err
}

// closeKernels gives a device back.
func closeKernels(ks []kernel.Kernels) {
	if len(ks) == 0 {
		return
	}
	if c, ok := ks[0].(io.Closer); ok {
		_ = c.Close() // nothing is asked of it any more
	}
}
