//go:build gpu && cgo && linux

package cuda

/*
#include "cuda.h"

static CUresult launch(CUcontext c, CUfunction f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                       unsigned shared, CUstream s, uint64_t *values, int n) {
  void *params[32];
  for (int i = 0; i < n; i++) params[i] = values + i;
  CUresult r = cuCtxSetCurrent(c);
  return r ? r : cuLaunchKernel(f, gx, gy, gz, bx, by, bz, shared, s, params, NULL);
}
#cgo noescape launch
#cgo nocallback launch

static CUresult allow_shared(CUcontext c, CUfunction f, int n) {
  CUresult r = cuCtxSetCurrent(c);
  return r ? r : cuFuncSetAttribute(f, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, n);
}

// The image ends in a zero byte; log takes what the compiler says of an error.
static CUresult load(CUcontext c, CUmodule *m, const char *image, char *log, size_t n) {
  CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  void *values[] = {log, (void *)n};
  CUresult r = cuCtxSetCurrent(c);
  return r ? r : cuModuleLoadDataEx(m, image, 2, options, values);
}
static CUresult find(CUcontext c, CUfunction *f, CUmodule m, const char *name) {
  CUresult r = cuCtxSetCurrent(c);
  return r ? r : cuModuleGetFunction(f, m, name);
}
static CUresult unload(CUcontext c, CUmodule m) {
  CUresult r = cuCtxSetCurrent(c);
  return r ? r : cuModuleUnload(m);
}
*/
import "C"

import (
	"fmt"
	"math"
	"strings"
	"unsafe"

	"github.com/seed-aefebe89/graft/internal/cuda/ptx"
)

// Module is a loaded PTX.
type Module struct {
	device  *Device
	m       C.CUmodule
	entries map[string]ptx.Entry
}

// Load compiles a PTX for the device.
func (d *Device) Load(text string) (*Module, error) {
	entries, err := ptx.Entries(text)
	if err != nil {
		return nil, err
	}
	m := &Module{device: d, entries: map[string]ptx.Entry{}}
	for _, e := range entries {
		if len(e.Params) > maxParams {
			return nil, fmt.Errorf("loading PTX: kernel %s has %d parameters, more than %d", e.Name, len(e.Params), maxParams)
		}
		m.entries[e.Name] = e
	}
	image, log := C.CString(text), (*C.char)(C.calloc(1, 8192))
	defer C.free(unsafe.Pointer(image))
	defer C.free(unsafe.Pointer(log))
	if err := check("cuModuleLoadDataEx", C.load(d.raw, &m.m, image, log, 8192)); err != nil {
		if text := strings.TrimSpace(C.GoString(log)); text != "" {
			err = fmt.Errorf("%w: %s", err, text)
		}
		return nil, fmt.Errorf("loading PTX: %w", err)
	}
	return m, nil
}

// Close unloads the module.
func (m *Module) Close() error { return check("cuModuleUnload", C.unload(m.device.raw, m.m)) }

const maxParams = 32

// Function is a kernel, ready to be launched.
type Function struct {
	ptx.Entry
	device *Device
	f      C.CUfunction
}

// Function finds a kernel.
func (m *Module) Function(name string) (*Function, error) {
	e, ok := m.entries[name]
	if !ok {
		return nil, fmt.Errorf("finding kernel %s: it is not in the PTX", name)
	}
	f := &Function{Entry: e, device: m.device}
	s := C.CString(name)
	defer C.free(unsafe.Pointer(s))
	if err := check("cuModuleGetFunction", C.find(m.device.raw, &f.f, m.m, s)); err != nil {
		return nil, fmt.Errorf("finding kernel %s: %w", name, err)
	}
	return f, nil
}

// AllowShared lets launches ask for up to n bytes of dynamic shared memory, where that is more than 48 KiB.
func (f *Function) AllowShared(n int) error {
	if err := check("cuFuncSetAttribute", C.allow_shared(f.device.raw, f.f, C.int(n))); err != nil {
		return fmt.Errorf("kernel %s: %d bytes of shared memory: %w", f.Name, n, err)
	}
	return nil
}

// Dim are the blocks of a grid or the threads of a block; 0 counts as 1.
type Dim struct{ X, Y, Z int }

func (d Dim) one() Dim { return Dim{max(d.X, 1), max(d.Y, 1), max(d.Z, 1)} }

// Grid is the shape of a launch.
type Grid struct {
	Blocks, Threads Dim
	Shared          int // bytes of dynamic shared memory
}

// Line is a grid of blocks of threads in one dimension.
func Line(blocks, threads int) Grid { return Grid{Blocks: Dim{X: blocks}, Threads: Dim{X: threads}} }

// Arg is an argument of a kernel.
type Arg struct {
	bits uint64
	size int
}

// P is a pointer, I an int, L a long long, F a float and U an unsigned.
func P(p Ptr) Arg     { return Arg{uint64(p), 8} }
func I(v int) Arg     { return Arg{uint64(uint32(int32(v))), 4} }
func L(v int) Arg     { return Arg{uint64(int64(v)), 8} }
func F(v float32) Arg { return Arg{uint64(math.Float32bits(v)), 4} }
func U(v uint32) Arg  { return Arg{uint64(v), 4} }

// Launch asks for a kernel. The arguments must be as many and of the sizes that the PTX declares.
func (s *Stream) Launch(f *Function, g Grid, args ...Arg) error {
	if len(args) != len(f.Params) {
		return fmt.Errorf("launching kernel %s: %d arguments, and it takes %d", f.Name, len(args), len(f.Params))
	}
	var values [maxParams]C.uint64_t
	for i, a := range args {
		if a.size != f.Params[i] {
			return fmt.Errorf("launching kernel %s: argument %d has %d bytes, and it takes %d", f.Name, i, a.size, f.Params[i])
		}
		values[i] = C.uint64_t(a.bits)
	}
	b, t := g.Blocks.one(), g.Threads.one()
	r := C.launch(s.device.raw, f.f, C.uint(b.X), C.uint(b.Y), C.uint(b.Z), C.uint(t.X), C.uint(t.Y), C.uint(t.Z),
		C.uint(g.Shared), s.raw, &values[0], C.int(len(args)))
	if r != C.CUDA_SUCCESS {
		return fmt.Errorf("launching kernel %s on %v blocks of %v threads: %w", f.Name, b, t, check("cuLaunchKernel", r))
	}
	return nil
}
