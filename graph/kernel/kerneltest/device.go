package kerneltest

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"unsafe"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Device is a kernel.Recorder without hardware: other Kernels in memory that only they can touch. The host's reading or
// writing it ends the program with a fault, where the system is a Unix. As on real devices nothing is done before someone waits for it, options are
// frozen when they are asked for, and fresh memory holds nothing of use: NaN.
type Device struct {
	through
	Uploads, Downloads, Launches, Replays, Recordings int
	Peak                                              int // the most bytes that were taken at a time
	// FailAt is the number of the launch, from 1, that fails; 0 for none.
	FailAt int

	inner     kernel.Kernels
	memory    []byte
	used      map[int]int // bytes by offset
	held      int         // bytes of layouts
	queue     []func()
	recording *[]func()
	err       error
}

var _ kernel.Recorder = (*Device)(nil)

// unit is that of memory: a page.
const unit = 4096

// NewDevice returns a device of so many bytes that computes on inner. It is taken apart when the test ends.
func NewDevice(t testing.TB, inner kernel.Kernels, bytes int) *Device {
	t.Helper()
	d := &Device{inner: inner, memory: reserve(t, (bytes+unit-1)/unit*unit), used: map[int]int{}}
	d.through = through{name: "guarded " + inner.Name(), do: d.launch}
	return d
}

// open lets f touch the memory.
func (d *Device) open(f func()) {
	if err := protect(d.memory, false); err != nil {
		d.fail(err)
		return
	}
	f()
	if err := protect(d.memory, true); err != nil {
		d.fail(err)
	}
}

func (d *Device) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

// flush does what was asked for.
func (d *Device) flush() {
	if len(d.queue) == 0 {
		return
	}
	q := d.queue
	d.queue = nil
	d.open(func() {
		for _, f := range q {
			f()
		}
	})
}

// ask takes note of something to do, in the recording in progress if there is one.
func (d *Device) ask(f func()) {
	if d.recording != nil {
		*d.recording = append(*d.recording, f)
		return
	}
	if d.queue = append(d.queue, f); len(d.queue) > 1000 {
		d.flush()
	}
}

// launch asks for a kernel on operands that must lie in the memory.
func (d *Device) launch(_ int, ts []kernel.Tensor, f func(k kernel.Kernels, t []kernel.Tensor)) {
	ts = slices.Clone(ts)
	for i := range ts {
		ts[i].Shape = slices.Clone(ts[i].Shape) // the caller may reuse it
		if err := d.check(ts[i]); err != nil {
			d.fail(err)
			return
		}
	}
	d.ask(func() {
		if d.Launches++; d.Launches == d.FailAt {
			d.fail(fmt.Errorf("launch %d failed", d.Launches))
		}
		if d.err == nil {
			now := make([]kernel.Tensor, len(ts))
			for i, t := range ts {
				now[i] = unpacked(t)
			}
			f(d.inner, now)
		}
	})
}

// check returns an error for an operand that does not lie in memory that was given out.
func (d *Device) check(t kernel.Tensor) error {
	size := 4 * max(len(t.F32), len(t.I32))
	if size == 0 {
		return nil
	}
	at := uintptr(unsafe.Pointer(unsafe.SliceData(t.F32)))
	if t.F32 == nil {
		at = uintptr(unsafe.Pointer(unsafe.SliceData(t.I32)))
	}
	offset := int(at - uintptr(unsafe.Pointer(&d.memory[0])))
	for o, n := range d.used {
		if offset >= o && offset+size <= o+n {
			return nil
		}
	}
	return fmt.Errorf("an operand %v of %d bytes does not lie in the device's memory", t.Shape, size)
}

// Native implements kernel.Kernels: products in TensorFloat32 are float32's here.
func (d *Device) Native(p kernel.Precision) bool {
	return p == kernel.TensorFloat32 || d.inner.Native(p)
}

// layout is a matrix laid out, which serves both ways.
type layout struct {
	device    *Device
	precision kernel.Precision
	bytes     int
	x         []float32
	kernel.Packed
}

var _ kernel.Releaser = (*layout)(nil)

// Bytes implements kernel.Layout.
func (l *layout) Bytes() int { return l.bytes }

// Both implements kernel.Layout.
func (l *layout) Both() bool { return true }

// Release implements kernel.Releaser.
func (l *layout) Release() {
	l.device.flush()
	l.device.held -= l.bytes
	*l = layout{device: l.device}
}

// Pack implements kernel.Kernels: in Float32 nothing is gained.
func (d *Device) Pack(b kernel.Tensor, _ bool, p kernel.Precision, old kernel.Layout) kernel.Layout {
	if p == kernel.Float32 {
		return nil
	}
	if err := d.check(b); err != nil {
		d.fail(err)
		return nil
	}
	bytes := 4 * len(b.F32)
	if p == kernel.BFloat16 {
		bytes /= 2
	}
	l, _ := old.(*layout)
	if l == nil || l.bytes != bytes || l.precision != p {
		l = &layout{device: d, precision: p, bytes: bytes}
		d.held += bytes
		d.note()
	}
	b.Shape = slices.Clone(b.Shape)
	d.ask(func() {
		if p == kernel.TensorFloat32 {
			l.x = append(l.x[:0], b.F32...)
			return
		}
		l.Plain, l.Trans = d.inner.Pack(b, false, p, l.Plain), d.inner.Pack(b, true, p, l.Trans)
	})
	return l
}

// unpacked is an operand with the layouts of the Kernels below.
func unpacked(t kernel.Tensor) kernel.Tensor {
	if t.Packed == nil {
		return t
	}
	for _, l := range []kernel.Layout{t.Packed.Plain, t.Packed.Trans} {
		if l, ok := l.(*layout); ok {
			t.Packed = &l.Packed
			if l.x != nil {
				t.F32 = l.x
			}
		}
	}
	return t
}

// Alloc implements kernel.Memory.
func (d *Device) Alloc(n int) ([]float32, error) {
	if d.recording != nil {
		return nil, fmt.Errorf("memory was asked for while recording")
	}
	size := max(1, (4*n+unit-1)/unit) * unit
	starts := make([]int, 0, len(d.used))
	for o := range d.used {
		starts = append(starts, o)
	}
	slices.Sort(starts)
	at := 0
	for _, o := range starts {
		if at+size <= o {
			break
		}
		at = o + d.used[o]
	}
	if at+size > len(d.memory)-d.held {
		free, total, _ := d.Room()
		return nil, fmt.Errorf("%d bytes of memory were asked for, %d of %d are free", 4*n, free, total)
	}
	d.used[at] = size
	d.note()
	x := unsafe.Slice((*float32)(unsafe.Pointer(&d.memory[at])), size/4)
	d.flush()
	d.open(func() {
		for i := range x {
			x[i] = float32(math.NaN())
		}
	})
	return x[:n:n], nil
}

// note keeps the most that was taken.
func (d *Device) note() {
	n := d.held
	for _, size := range d.used {
		n += size
	}
	d.Peak = max(d.Peak, n)
}

// Free implements kernel.Memory.
func (d *Device) Free(x []float32) {
	d.flush()
	at := int(uintptr(unsafe.Pointer(unsafe.SliceData(x))) - uintptr(unsafe.Pointer(&d.memory[0])))
	if _, ok := d.used[at]; !ok {
		d.fail(fmt.Errorf("memory was given back that was not given out"))
	}
	delete(d.used, at)
}

// Upload implements kernel.Memory.
func (d *Device) Upload(to, from kernel.Tensor) {
	d.Uploads++
	if err := d.check(to); err != nil || len(to.F32) != len(from.F32) || len(to.I32) != len(from.I32) {
		d.fail(fmt.Errorf("uploading %d elements to %d: %w", len(from.F32)+len(from.I32), len(to.F32)+len(to.I32), err))
		return
	}
	if d.recording != nil {
		d.fail(fmt.Errorf("an upload was asked for while recording"))
	}
	f, i := slices.Clone(from.F32), slices.Clone(from.I32)
	d.ask(func() {
		copy(to.F32, f)
		copy(to.I32, i)
	})
}

// Download implements kernel.Memory.
func (d *Device) Download(to, from kernel.Tensor) error { return d.Fetch(to, from)() }

// Fetch implements kernel.Memory.
func (d *Device) Fetch(to, from kernel.Tensor) (wait func() error) {
	d.Downloads++
	if err := d.check(from); err != nil || len(to.F32) != len(from.F32) || len(to.I32) != len(from.I32) {
		d.fail(fmt.Errorf("downloading %d elements to %d: %w", len(from.F32)+len(from.I32), len(to.F32)+len(to.I32), err))
	}
	if d.recording != nil {
		d.fail(fmt.Errorf("a download was asked for while recording"))
	}
	done := false
	d.ask(func() {
		copy(to.F32, from.F32)
		copy(to.I32, from.I32)
		done = true
	})
	return func() error {
		if !done {
			d.flush()
		}
		return d.err
	}
}

// Sync implements kernel.Memory.
func (d *Device) Sync() error {
	d.flush()
	return d.err
}

// Room implements kernel.Memory.
func (d *Device) Room() (free, total int, err error) {
	free = len(d.memory) - d.held
	for _, n := range d.used {
		free -= n
	}
	return free, len(d.memory), nil
}

// Record implements kernel.Recorder.
func (d *Device) Record(f func()) (kernel.Recording, error) {
	r := &recording{device: d}
	d.recording = &r.steps
	f()
	d.recording = nil
	d.Recordings++
	return r, d.err
}

type recording struct {
	device *Device
	steps  []func()
}

// Replay implements kernel.Recording.
func (r *recording) Replay() {
	r.device.Replays++
	for _, f := range r.steps {
		r.device.ask(f)
	}
}

// Release implements kernel.Recording.
func (r *recording) Release() { r.steps = nil }
