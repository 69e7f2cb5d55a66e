package kerneltest

import (
	"unsafe"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Staged makes Kernels that are a kernel.Memory take operands of the host, so that the suites of this package run on
// them: each call copies its operands to the device, and the results back. Operands that are the same on the host are
// the same on the device. An error of the device goes to fail.
func Staged(k kernel.Kernels, fail func(error)) kernel.Kernels {
	s := &staged{device: k, memory: k.(kernel.Memory), fail: fail}
	s.through = through{name: k.Name(), do: s.run}
	return s
}

type staged struct {
	through
	device kernel.Kernels
	memory kernel.Memory
	fail   func(error)
}

// Native implements kernel.Kernels.
func (s *staged) Native(p kernel.Precision) bool { return s.device.Native(p) }

// Pack implements kernel.Kernels.
func (s *staged) Pack(b kernel.Tensor, trans bool, p kernel.Precision, old kernel.Layout) (l kernel.Layout) {
	s.run(0, []kernel.Tensor{b}, func(k kernel.Kernels, t []kernel.Tensor) { l = k.Pack(t[0], trans, p, old) })
	return l
}

// operand is the memory of an operand of the host.
type operand struct {
	at   unsafe.Pointer
	size int
}

func (s *staged) run(outs int, ts []kernel.Tensor, f func(k kernel.Kernels, t []kernel.Tensor)) {
	there := map[operand]kernel.Tensor{}
	at := make([]kernel.Tensor, len(ts))
	for i, t := range ts {
		at[i] = t
		size := max(len(t.F32), len(t.I32))
		if t.Empty() || size == 0 {
			continue
		}
		key := operand{unsafe.Pointer(unsafe.SliceData(t.F32)), size}
		if t.F32 == nil {
			key.at = unsafe.Pointer(unsafe.SliceData(t.I32))
		}
		d, ok := there[key]
		if !ok {
			x, err := s.memory.Alloc(size)
			if err != nil {
				s.fail(err)
				return
			}
			defer s.memory.Free(x)
			if d.F32 = x; t.F32 == nil {
				d.F32, d.I32 = nil, kernel.Int32s(x)
			}
			s.memory.Upload(d, kernel.Tensor{F32: t.F32, I32: t.I32})
			there[key] = d
		}
		at[i].F32, at[i].I32 = d.F32, d.I32
	}
	f(s.device, at)
	for i, t := range ts[:outs] {
		if max(len(t.F32), len(t.I32)) == 0 {
			continue
		}
		if err := s.memory.Download(t, at[i]); err != nil {
			s.fail(err)
		}
	}
	if err := s.memory.Sync(); err != nil {
		s.fail(err)
	}
}
