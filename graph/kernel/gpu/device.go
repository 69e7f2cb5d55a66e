//go:build gpu && cgo && linux

package gpu

import (
	"errors"
	"fmt"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/gpu/cu"
	"github.com/seed-aefebe89/graft/internal/cuda"
)

// device is an open GPU with all that kernels are launched by.
type device struct {
	*cuda.Device
	stream  *cuda.Stream
	blas    *cuda.BLAS
	library *cuda.Library
	rounded rounded
}

// openDevice opens the GPU of an index, counted from 0. Its driver compiles the kernels for it as they are first launched.
func openDevice(index int) (d *device, err error) {
	d = &device{}
	if d.Device, err = cuda.Open(index); err != nil {
		return nil, err
	}
	if err := d.prepare(); err != nil {
		return nil, fmt.Errorf("preparing GPU %d, %s: %w", index, d.Properties, errors.Join(err, d.close()))
	}
	return d, nil
}

func (d *device) prepare() (err error) {
	if d.stream, err = d.NewStream(); err != nil {
		return err
	}
	if d.blas, err = d.stream.NewBLAS(); err != nil {
		return err
	}
	if d.library, err = d.NewLibrary(cu.Files); err != nil {
		return err
	}
	d.library.Loaded = allowShared
	return nil
}

// close gives back all that the device holds; memory that was given out has been freed.
func (d *device) close() error {
	var errs []error
	if d.library != nil {
		errs = append(errs, d.library.Close())
	}
	if d.blas != nil {
		errs = append(errs, d.blas.Close())
	}
	if d.stream != nil {
		errs = append(errs, d.stream.Close())
	}
	return errors.Join(append(errs, d.Close())...)
}

var _ interface {
	kernel.Kernels
	kernel.Recorder
	Close() error
} = (*kernels)(nil)

// kernels are the Kernels of a device. The first error of a launch or a copy stays in err: nothing is launched after it.
type kernels struct {
	*device
	owned     bool // the device is closed with them
	err       error
	workspace workspace
	up        ring
	down      []*stage
	held      map[cuda.Ptr]bool // what Alloc gave out
	recording bool
	missing   []string // while recording: kernels that are not loaded
	graphs    int      // recordings that are not released
	maxTerms  int      // bytes: attention takes its heads in turns where they would need more
}

// Open opens the GPU of an index, counted from 0. What it returns is a kernel.Recorder and an io.Closer; it serves one
// goroutine at a time, which may move between threads. Its error says what is missing: a driver, cuBLAS, a device of
// compute capability 8.0 or later.
func Open(index int) (kernel.Kernels, error) {
	d, err := openDevice(index)
	if err != nil {
		return nil, err
	}
	k := newKernels(d)
	k.owned = true
	return k, nil
}

func newKernels(d *device) *kernels {
	return &kernels{device: d, held: map[cuda.Ptr]bool{}, maxTerms: maxTerms}
}

// Name implements kernel.Kernels.
func (k *kernels) Name() string {
	return fmt.Sprintf("gpu %s (sm_%d%d)", k.Device.Name, k.Major, k.Minor)
}

// Close gives back the memory that Alloc gave out and what the kernels hold, and the device if Open opened it.
func (k *kernels) Close() error {
	errs := []error{k.stream.Sync(), k.up.close(), k.workspace.close(k)}
	for _, s := range k.down {
		errs = append(errs, s.close())
	}
	for p := range k.held {
		errs = append(errs, k.device.Free(p))
	}
	k.down, k.held = nil, map[cuda.Ptr]bool{}
	if k.owned {
		errs = append(errs, k.device.close())
	}
	return errors.Join(errs...)
}

// fail keeps the first error.
func (k *kernels) fail(err error) {
	if k.err == nil {
		k.err = err
	}
}

// check keeps an error that is one.
func (k *kernels) check(err error) {
	if err != nil {
		k.fail(err)
	}
}
