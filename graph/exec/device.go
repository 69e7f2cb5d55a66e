package exec

import (
	"encoding/binary"
	"fmt"
	"slices"
	"unsafe"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// device is what an Exec has on a kernel.Memory beside its arena: one block for all that is fed, so that it is copied in
// one piece, and the recordings of its plan.
type device struct {
	memory   kernel.Memory
	recorder kernel.Recorder // nil where the memory records nothing

	fed    []kernel.Tensor // by slot: what was fed, on the host
	offset []int           // by slot: its place in the block, −1 for none
	stale  []int           // slots that were fed since they were copied
	host   []float32       // the block as it is copied
	block  []float32       // on the device
	grown  bool            // a slot has a place beyond the block

	recordings map[string]*recorded // by live shapes
	key        []byte
	clock      int
}

// recorded is the plan's recording for one set of live shapes.
type recorded struct {
	kernel.Recording
	used int // when, by the device's clock
}

// maxRecordings bounds the recordings of an Exec: the least recently used one goes.
const maxRecordings = 32

func newDevice(m kernel.Memory, slots int) *device {
	d := &device{memory: m, fed: make([]kernel.Tensor, slots), offset: make([]int, slots), recordings: map[string]*recorded{}}
	d.recorder, _ = m.(kernel.Recorder)
	for i := range d.offset {
		d.offset[i] = -1
	}
	return d
}

// feed notes a leaf's value on the host.
func (d *device) feed(e *Exec, i int, t kernel.Tensor) {
	if d.offset[i] < 0 {
		d.offset[i] = len(d.host)
		d.host = append(d.host, make([]float32, round(max(1, e.capacity[i].TotalSize())))...)
		d.grown = true
	}
	d.fed[i] = kernel.Tensor{F32: t.F32, I32: t.I32}
	if !slices.Contains(d.stale, i) {
		d.stale = append(d.stale, i)
	}
}

// place forgets the recordings where a leaf moves.
func (d *device) place(old, t kernel.Tensor) {
	if unsafe.SliceData(old.F32) != unsafe.SliceData(t.F32) || unsafe.SliceData(old.I32) != unsafe.SliceData(t.I32) || old.Packed != t.Packed {
		d.forget()
	}
}

// stage copies what was fed since the last run to the device.
func (d *device) stage(e *Exec) error {
	if len(d.stale) == 0 {
		return nil
	}
	if d.grown {
		if err := d.grow(); err != nil {
			return err
		}
	}
	first, end := len(d.host), 0
	for _, i := range d.stale {
		size := 1
		for _, n := range e.values[i].Shape {
			size *= n
		}
		at, v := d.offset[i], &e.values[i]
		to := d.host[at : at+size]
		if v.F32, v.I32, v.Packed = nil, nil, nil; d.fed[i].I32 != nil {
			copy(kernel.Int32s(to), d.fed[i].I32[:size])
			v.I32 = kernel.Int32s(d.block[at : at+size])
		} else {
			copy(to, d.fed[i].F32[:size])
			v.F32 = d.block[at : at+size : at+size]
		}
		first, end = min(first, at), max(end, at+size)
	}
	d.stale = d.stale[:0]
	if first < end {
		d.memory.Upload(kernel.Tensor{F32: d.block[first:end]}, kernel.Tensor{F32: d.host[first:end]})
	}
	return nil
}

// grow makes the block as large as what has a place in it. All of it is copied again.
func (d *device) grow() (err error) {
	d.forget()
	if d.block != nil {
		d.memory.Free(d.block)
		d.block = nil
	}
	if d.block, err = d.memory.Alloc(len(d.host)); err != nil {
		return fmt.Errorf("exec: memory for what is fed: %w", err)
	}
	d.grown = false
	for i, at := range d.offset {
		if at >= 0 && !slices.Contains(d.stale, i) {
			d.stale = append(d.stale, i)
		}
	}
	return nil
}

// replay starts the recording for the live shapes, which it makes where there is none.
func (d *device) replay(e *Exec) error {
	d.key = d.key[:0]
	for _, n := range e.plan.leaves {
		for _, x := range e.values[e.plan.index[n]].Shape {
			d.key = binary.AppendUvarint(d.key, uint64(x))
		}
	}
	d.clock++
	r := d.recordings[string(d.key)]
	if r == nil {
		recording, err := d.recorder.Record(func() {
			for i := range e.plan.steps {
				e.step(i)
			}
			if e.then != nil {
				e.then()
			}
		})
		if err != nil {
			return fmt.Errorf("exec: recording %d operators: %w", len(e.plan.steps), err)
		}
		d.makeRoom()
		r = &recorded{Recording: recording}
		d.recordings[string(d.key)] = r
	} else {
		e.point()
	}
	r.used = d.clock
	r.Replay()
	return nil
}

// makeRoom releases the recording that was not used for the longest time, where there are as many as there may be.
func (d *device) makeRoom() {
	if len(d.recordings) < maxRecordings {
		return
	}
	oldest, key := d.clock, ""
	for k, r := range d.recordings {
		if r.used < oldest {
			oldest, key = r.used, k
		}
	}
	d.recordings[key].Release()
	delete(d.recordings, key)
}

// forget releases every recording.
func (d *device) forget() {
	for k, r := range d.recordings {
		r.Release()
		delete(d.recordings, k)
	}
}

func (d *device) release() {
	d.forget()
	if d.block != nil {
		d.memory.Free(d.block)
	}
}

// onHost are a step's operands with those on the host that were fed: what it cost is told by them.
func (d *device) onHost(s *step, in []kernel.Tensor) []kernel.Tensor {
	for k, i := range s.in {
		if k < len(in) && d.fed[i].I32 != nil {
			in[k].I32 = d.fed[i].I32[:len(in[k].I32)]
		}
	}
	return in
}

// Host copies elements that lie where the kernels compute to memory of the host.
func Host(k kernel.Kernels, x []float32) ([]float32, error) {
	out := make([]float32, len(x))
	m, ok := k.(kernel.Memory)
	if !ok {
		copy(out, x)
		return out, nil
	}
	if len(x) == 0 {
		return out, m.Sync()
	}
	return out, m.Download(kernel.F32(out, len(out)), kernel.F32(x, len(x)))
}
