package portable

import "github.com/seed-aefebe89/graft/graph/kernel"

// Fill implements kernel.Kernels.
func (Nodewise) Fill(out kernel.Tensor, v float32) { fill(out.F32, v) }

func fill(x []float32, v float32) {
	for i := range x {
		x[i] = v
	}
}

// Shift implements kernel.Kernels.
func (Nodewise) Shift(out, x kernel.Tensor, c float32) {
	for i, v := range x.F32 {
		out.F32[i] = v + c
	}
}

// Copy implements kernel.Kernels: by the last axis, whole runs at a time where its elements are neighbours.
func (Nodewise) Copy(out, x kernel.Tensor, s kernel.Strides) {
	n, to, from := s.Size[3], s.Out[3], s.In[3]
	if n == 0 {
		return
	}
	for i := range s.Size[0] {
		for j := range s.Size[1] {
			for k := range s.Size[2] {
				y := out.F32[i*s.Out[0]+j*s.Out[1]+k*s.Out[2]:]
				x := x.F32[i*s.In[0]+j*s.In[1]+k*s.In[2]:]
				switch {
				case to == 1 && from == 1:
					copy(y[:n], x[:n])
				case to == 1 && from == 0:
					fill(y[:n], x[0])
				default:
					for l := range n {
						y[l*to] = x[l*from]
					}
				}
			}
		}
	}
}

// OneHot implements kernel.Kernels.
func (Nodewise) OneHot(out, labels kernel.Tensor) {
	clear(out.F32)
	n := out.Cols()
	for t, l := range labels.I32 {
		if l >= 0 {
			out.F32[t*n+int(l)] = 1
		}
	}
}

// AddRows implements kernel.Kernels.
func (Nodewise) AddRows(y, idx, x kernel.Tensor) {
	n := y.Cols()
	for i, r := range idx.I32 {
		row := rowOf(y, int(r), n)
		add(row, row, x.F32[i*n:i*n+n])
	}
}
