package graph

import (
	"fmt"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// place is a parameter's copy in the memory of a device. Parameters that are trained there have their newest values
// there, and Data is behind until Fetch.
type place struct {
	memory  kernel.Memory
	x       []float32 // nil where layouts are all that is kept
	block   *block
	version int  // of the values that x holds, plus one; 0 for none
	ahead   bool // x holds newer values than Data
}

// block is memory that several parameters share.
type block struct {
	x     []float32
	users int
}

// spacing is the number of elements that parameters on a device start at a multiple of: 256 bytes.
const spacing = 64

func spaced(n int) int { return (n + spacing - 1) / spacing * spacing }

// Settle puts parameters where k computes, those that are not there yet side by side, and brings their values there up
// to date. A parameter is in one place: what computed elsewhere before settles it anew when it does again.
func Settle(k kernel.Kernels, ps []*Param) error {
	m, _ := k.(kernel.Memory)
	for _, p := range ps {
		if p.place != nil && p.place.memory != m {
			if err := Leave([]*Param{p}); err != nil {
				return err
			}
		}
	}
	if m == nil {
		return nil
	}
	var absent []*Param
	size := 0
	for _, p := range ps {
		if p.place == nil || p.place.x == nil {
			absent, size = append(absent, p), size+spaced(p.Size())
		}
	}
	if size > 0 {
		x, err := m.Alloc(size)
		if err != nil {
			return fmt.Errorf("memory for %d parameters: %w", len(absent), err)
		}
		k.Fill(kernel.F32(x, size), 0)
		b := &block{x, len(absent)}
		for _, p := range absent {
			p.place = &place{memory: m, x: x[:p.Size():p.Size()], block: b}
			p.moves++
			x = x[spaced(p.Size()):]
		}
	}
	for _, p := range ps {
		p.upload()
	}
	return nil
}

// upload brings the values on the device up to date.
func (p *Param) upload() {
	if l := p.place; l != nil && l.x != nil && l.version != p.packs.version+1 && p.Size() > 0 {
		l.memory.Upload(kernel.F32(l.x, p.Size()), kernel.F32(p.Data, p.Size()))
		l.version = p.packs.version + 1
	}
}

// Fetch brings Data of some parameters up to date with what was computed on a device.
func Fetch(ps []*Param) error {
	for _, p := range ps {
		if l := p.place; l != nil && l.ahead {
			if err := l.memory.Download(kernel.F32(p.Data, p.Size()), kernel.F32(l.x, p.Size())); err != nil {
				return fmt.Errorf("the values of %q: %w", p.Name, err)
			}
			l.ahead = false
		}
	}
	return nil
}

// Leave gives back the memory of a device that some parameters have, after bringing their Data up to date.
func Leave(ps []*Param) error {
	err := Fetch(ps)
	for _, p := range ps {
		p.dropPacks()
		if l := p.place; l != nil {
			l.release()
			p.place = nil
			p.moves++
		}
	}
	return err
}

// release gives back the elements.
func (l *place) release() {
	if l.block == nil {
		return
	}
	if l.block.users--; l.block.users == 0 {
		l.memory.Free(l.block.x)
	}
	l.x, l.block = nil, nil
}

// Changed tells that Data was changed, so that copies and layouts of it are made again.
func (p *Param) Changed() {
	p.packs.version++
	if p.place != nil {
		p.place.ahead = false
	}
}

// Moved tells that kernels changed Values, so that layouts are made again and Data is behind where they lie on a device.
func (p *Param) Moved() {
	p.packs.version++
	if p.place != nil {
		p.place.version, p.place.ahead = p.packs.version+1, true
	}
}

// Values are the elements as a vector, where the kernels compute that the parameter was settled for. It allocates
// nothing.
func (p *Param) Values() kernel.Tensor {
	if p.place != nil {
		return p.Vector(p.place.x)
	}
	return p.Vector(p.Data)
}
