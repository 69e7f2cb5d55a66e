//go:build gpu && cgo && linux

package gpu

import (
	"fmt"
	"unsafe"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/internal/cuda"
)

// idle tells that nothing is to be asked for: after an error, and in a recording that is made again since the workspace is too
// small, where scratch memory is none.
func (k *kernels) idle() bool {
	return k.err != nil || k.recording && k.workspace.wanted > k.workspace.size
}

// launch asks for a kernel of package cu, which may write anywhere. One that is not loaded cannot be while recording, which
// then is made again.
func (k *kernels) launch(name string, g cuda.Grid, args ...cuda.Arg) {
	k.forget()
	k.start(name, g, args...)
}

// start is launch for a kernel that writes nothing that rounded knows of.
func (k *kernels) start(name string, g cuda.Grid, args ...cuda.Arg) {
	if k.err != nil {
		return
	}
	if k.recording && !k.library.Ready(name) {
		k.missing = append(k.missing, name)
		return
	}
	if k.idle() {
		return
	}
	f, err := k.library.Function(name)
	if err == nil {
		err = k.stream.Launch(f, g, args...)
	}
	k.check(err)
}

// fill sets n words of 4 bytes.
func (k *kernels) fill(to cuda.Ptr, word uint32, n int) {
	k.forget()
	if !k.idle() {
		k.check(k.stream.Fill(to, word, n))
	}
}

// null is the argument of a pointer to nothing.
var null = cuda.P(0)

// address is where an operand lies on the device, 0 for an empty one.
func address(t kernel.Tensor) cuda.Ptr {
	if t.I32 != nil {
		return cuda.Ptr(uintptr(unsafe.Pointer(unsafe.SliceData(t.I32))))
	}
	return cuda.Ptr(uintptr(unsafe.Pointer(unsafe.SliceData(t.F32))))
}

// at is an operand as an argument.
func at(t kernel.Tensor) cuda.Arg { return cuda.P(address(t)) }

// floats is device memory as kernel.Tensor holds it: a slice whose elements the host never touches.
func floats(p cuda.Ptr, n int) []float32 {
	return unsafe.Slice(*(**float32)(unsafe.Pointer(&p)), n)
}

// warps is a grid with a warp for each row, four to a block.
func warps(rows int) cuda.Grid { return cuda.Line(ceil(rows, 4), 128) }

func ceil(n, d int) int { return (n + d - 1) / d }

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// workspace is memory for what kernels leave to the next ones. It grows, and does not move while something runs in it.
type workspace struct {
	at      cuda.Ptr
	size    int
	wanted  int        // while recording: the most that was asked for
	retired []cuda.Ptr // what recordings may still use
}

// maxParts is into how many parts scratch memory can be split.
const maxParts = 8

// scratch returns parts of the workspace of so many bytes each, at multiples of 256 bytes; the next call returns the same
// memory again.
func (k *kernels) scratch(bytes ...int) (parts [maxParts]cuda.Ptr) {
	k.forget()
	return k.reserve(bytes...)
}

// reserve is scratch that leaves what stands in bfloat16 where the workspace does not move.
func (k *kernels) reserve(bytes ...int) (parts [maxParts]cuda.Ptr) {
	w, need := &k.workspace, 0
	for _, n := range bytes {
		need += ceil(n, 256) * 256
	}
	w.wanted = max(w.wanted, need)
	if need > w.size && !k.recording {
		k.grow(need)
	}
	p := w.at
	for i, n := range bytes {
		parts[i] = p
		p += cuda.Ptr(ceil(n, 256) * 256)
	}
	return parts
}

// grow makes the workspace hold so many bytes.
func (k *kernels) grow(need int) {
	if k.err != nil {
		return
	}
	w := &k.workspace
	need = max(need, 2*w.size, 1<<16)
	if k.graphs == 0 {
		if err := w.close(k); err != nil {
			k.fail(err)
			return
		}
	} else if w.at != 0 {
		w.retired = append(w.retired, w.at)
	}
	w.at, w.size = 0, 0
	p, err := k.device.Alloc(need)
	if err != nil {
		k.fail(fmt.Errorf("growing the workspace: %w", err))
		return
	}
	w.at, w.size = p, need
}

// close frees the memory; no recording uses it.
func (w *workspace) close(k *kernels) error {
	k.forget()
	all := append(w.retired, w.at)
	w.at, w.size, w.retired = 0, 0, nil
	var first error
	for _, p := range all {
		if err := k.device.Free(p); err != nil && first == nil {
			first = err
		}
	}
	return first
}
