//go:build gpu && cgo && linux

package gpu

import (
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/internal/cuda"
)

// axis is one of kernel.Strides.
type axis struct{ size, out, in int }

// Copy implements kernel.Kernels. The order in which axes are walked is free: the last one is that along which out's
// elements are the nearest. Where x's are nearest along another one, tiles pass through shared memory.
func (k *kernels) Copy(out, x kernel.Tensor, s kernel.Strides) {
	axes, used := lines(s)
	if used < 0 {
		return
	}
	last := kernel.Axes - 1
	if near := nearest(axes[:]); axes[last].in != 0 && min(axes[last].size, axes[near].size) >= 8 && near != last {
		axes[near], axes[last-1] = axes[last-1], axes[near]
		axes[last-1], axes[last] = axes[last], axes[last-1]
		c, d := axes[last-1].size, axes[last].size
		g := cuda.Grid{Blocks: cuda.Dim{X: min(ceil(c, 32)*ceil(d, 32), 1<<16), Z: outer(axes)}, Threads: cuda.Dim{X: 32, Y: 8}}
		k.copyAxes("copy_tiles", g, out, x, axes)
		return
	}
	n, fours := axes[last].size, quads(address(out)|address(x), axes)
	if fours {
		n /= 4
	}
	threads := 32
	for threads < min(n, 256) {
		threads *= 2
	}
	down := 256 / threads
	g := cuda.Grid{Threads: cuda.Dim{X: threads, Y: down},
		Blocks: cuda.Dim{X: ceil(n, threads), Y: min(ceil(axes[last-1].size, down), 65535), Z: outer(axes)}}
	k.copyAxes("copy_lines", g, out, x, axes, cuda.I(truth(fours)))
}

// outer is the grid's size over the two first axes.
func outer(axes [kernel.Axes]axis) int { return min(axes[0].size*axes[1].size, 65535) }

// quads tells whether four elements at a time can be copied between addresses whose bits are joined.
func quads(addresses cuda.Ptr, axes [kernel.Axes]axis) bool {
	last := axes[kernel.Axes-1]
	bits := int(addresses)/4 | last.size
	for _, a := range axes[:kernel.Axes-1] {
		bits |= a.out | a.in
	}
	return bits&3 == 0 && last.out == 1 && last.in == 1
}

func (k *kernels) copyAxes(name string, g cuda.Grid, out, x kernel.Tensor, axes [kernel.Axes]axis, more ...cuda.Arg) {
	args := [15]cuda.Arg{at(out), at(x)}
	for i, a := range axes {
		args[2+i], args[6+i], args[10+i] = cuda.U(uint32(a.size)), cuda.L(a.out), cuda.L(a.in)
	}
	k.launch(name, g, args[:14+copy(args[14:], more)]...)
}

// lines are a copy's axes in the order of their strides in out, the nearest last, where neighbours that lie as one axis
// in both operands are one. used is how many are left, −1 where there is nothing to copy.
func lines(s kernel.Strides) (axes [kernel.Axes]axis, used int) {
	for i := range axes {
		axes[i] = axis{size: 1}
	}
	for i, size := range s.Size {
		if size == 0 {
			return axes, -1
		}
		if size == 1 {
			continue
		}
		axes[used] = axis{size, s.Out[i], s.In[i]}
		for j := used; j > 0 && axes[j].out > axes[j-1].out; j-- {
			axes[j], axes[j-1] = axes[j-1], axes[j]
		}
		used++
	}
	for i := used - 1; i > 0; i-- {
		a, b := axes[i-1], axes[i]
		if a.out == b.out*b.size && a.in == b.in*b.size {
			axes[i-1] = axis{a.size * b.size, b.out, b.in}
			copy(axes[i:], axes[i+1:])
			axes[kernel.Axes-1] = axis{size: 1}
			used--
		}
	}
	for i := range used { // to the end
		axes[kernel.Axes-1-i], axes[used-1-i] = axes[used-1-i], axes[kernel.Axes-1-i]
	}
	return axes, used
}

// nearest is the axis along which x's elements are the nearest to each other, those that repeat aside: the last one where
// there is none.
func nearest(axes []axis) int {
	best := len(axes) - 1
	for i := best; i >= 0; i-- {
		if a := axes[i]; a.size > 1 && a.in > 0 && (axes[best].in == 0 || a.in < axes[best].in) {
			best = i
		}
	}
	return best
}
