package portable

import "github.com/seed-aefebe89/graft/graph/kernel"

// Scores implements kernel.Kernels.
func (Nodewise) Scores(out, a, b, bounds kernel.Tensor, o kernel.Attention, outside float32) {
	fill(out.F32, outside)
	eachHead(a, bounds, o.Heads, func(h head) {
		for t := range h.length {
			row := out.F32[((h.first+t)*o.Heads+h.col/h.d)*out.Cols():]
			x := h.of(a.F32, t).x[:h.d]
			lo, hi := o.Keys(t, t+1, h.length)
			for j := lo; j < hi; j++ {
				row[j] = o.Scale * dot(x, h.of(b.F32, j).x)
			}
		}
	})
}

// Mix implements kernel.Kernels.
func (Nodewise) Mix(out, p, x, bounds kernel.Tensor, o kernel.Attention, trans bool) {
	clear(out.F32)
	eachHead(x, bounds, o.Heads, func(h head) {
		for t := range h.length {
			row := p.F32[((h.first+t)*o.Heads+h.col/h.d)*p.Cols():]
			for j := range h.length {
				from, to := j, t
				if trans {
					from, to = t, j
				}
				addScaled(h.of(out.F32, to).x[:h.d], h.of(x.F32, from).x, o.Scale*row[j])
			}
		}
	})
}

// dot is ⟨a, b⟩ over a's elements.
func dot(a, b []float32) float32 {
	var s float32
	for i, v := range a {
		s += v * b[i]
	}
	return s
}

// addScaled is y += s·x over y's elements.
func addScaled(y, x []float32, s float32) {
	for i := range y {
		y[i] += s * x[i]
	}
}
