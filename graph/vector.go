package graph

import (
	"fmt"
	"unsafe"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Vector holds a number for each element of some parameters, in one piece, where they are trained: their gradients,
// moments or former values.
type Vector struct {
	Params []*Param

	kernels kernel.Kernels
	memory  kernel.Memory // nil for the host's
	flat    []float32
	parts   [][]float32
}

// NewVector returns a vector of zeros, in the memory that k computes in, where it settles the parameters too.
func NewVector(k kernel.Kernels, ps []*Param) (*Vector, error) {
	if err := Settle(k, ps); err != nil {
		return nil, err
	}
	v := &Vector{Params: ps, kernels: k}
	v.memory, _ = k.(kernel.Memory)
	size := 0
	for _, p := range ps {
		size += v.spaced(p.Size())
	}
	if v.memory == nil {
		v.flat = make([]float32, size)
	} else {
		var err error
		if v.flat, err = v.memory.Alloc(size); err != nil {
			return nil, fmt.Errorf("memory for a vector of %d parameters: %w", len(ps), err)
		}
		v.Zero()
	}
	at := 0
	for _, p := range ps {
		v.parts = append(v.parts, v.flat[at:at+p.Size():at+p.Size()])
		at += v.spaced(p.Size())
	}
	return v, nil
}

// spaced is the room for n elements.
func (v *Vector) spaced(n int) int {
	if v.memory == nil {
		return n
	}
	return spaced(n)
}

// Flat is the whole vector as an operand; what it holds beside the parameters' elements is zero.
func (v *Vector) Flat() kernel.Tensor { return kernel.F32(v.flat, len(v.flat)) }

// Part is what the vector holds for parameter i, as an operand of one dimension. It allocates nothing.
func (v *Vector) Part(i int) kernel.Tensor { return v.Params[i].Vector(v.parts[i]) }

// Zero sets every element to zero.
func (v *Vector) Zero() {
	if v.memory == nil {
		clear(v.flat)
		return
	}
	v.kernels.Fill(v.Flat(), 0)
}

// Take copies the parameters' values.
func (v *Vector) Take() error {
	if err := Settle(v.kernels, v.Params); err != nil {
		return err
	}
	for i, p := range v.Params {
		v.copy(v.Part(i), p.Values())
	}
	return nil
}

// Put gives the parameters the values that Take copied.
func (v *Vector) Put() {
	for i, p := range v.Params {
		v.copy(p.Values(), v.Part(i))
		p.Moved()
	}
}

func (v *Vector) copy(to, from kernel.Tensor) {
	v.kernels.Copy(to, from, kernel.Block(1, len(to.F32), 0, 0))
}

// Host are the elements of each parameter in the host's memory: the vector's own where it lies there.
func (v *Vector) Host() ([][]float32, error) {
	if v.memory == nil {
		return v.parts, nil
	}
	out := make([][]float32, len(v.parts))
	for i, x := range v.parts {
		out[i] = make([]float32, len(x))
		if len(x) == 0 {
			continue
		}
		if err := v.memory.Download(kernel.F32(out[i], len(x)), kernel.F32(x, len(x))); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Load takes over elements of the host's memory, as Host returned them.
func (v *Vector) Load(parts [][]float32) {
	for i, x := range parts {
		if v.memory == nil {
			copy(v.parts[i], x)
		} else if len(x) > 0 {
			v.memory.Upload(kernel.F32(v.parts[i], len(x)), kernel.F32(x, len(x)))
		}
	}
}

// Release gives back the memory of a device.
func (v *Vector) Release() {
	if v.memory != nil {
		v.memory.Free(v.flat)
	}
}

// Run are elements that lie side by side, in the values of some parameters and in vectors of them alike.
type Run struct {
	Values kernel.Tensor
	Parts  []kernel.Tensor // by vector
}

// Runs are the elements of some parameters and of vectors of them: a run for each parameter in the host's memory, and
// on a device one for as many together as were settled together.
func Runs(ps []*Param, vs ...*Vector) []Run {
	var out []Run
	for i := 0; i < len(ps); {
		end := i + 1
		for end < len(ps) && adjacent(ps, vs, end) {
			end++
		}
		first, last := ps[i].Values().F32, ps[end-1].Values().F32
		n := int(distance(first, last)) + len(last)
		all := func(x []float32) kernel.Tensor { return kernel.F32(unsafe.Slice(unsafe.SliceData(x), n), n) }
		r := Run{Values: all(first)}
		for _, v := range vs {
			r.Parts = append(r.Parts, all(v.parts[i]))
		}
		out = append(out, r)
		i = end
	}
	return out
}

// adjacent tells whether parameter i follows the one before it on a device, and does so in every vector.
func adjacent(ps []*Param, vs []*Vector, i int) bool {
	if ps[i].place == nil || ps[i-1].place == nil || ps[i].place.block != ps[i-1].place.block {
		return false
	}
	step := uintptr(spaced(ps[i-1].Size()))
	if distance(ps[i-1].place.x, ps[i].place.x) != step {
		return false
	}
	for _, v := range vs {
		if distance(v.parts[i-1], v.parts[i]) != step {
			return false
		}
	}
	return true
}

// distance is the number of elements from a to b, which lie in one block.
func distance(a, b []float32) uintptr {
	return (uintptr(unsafe.Pointer(unsafe.SliceData(b))) - uintptr(unsafe.Pointer(unsafe.SliceData(a)))) / 4
}
