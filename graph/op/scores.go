package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Scores are products of rows within each sequence of a packed batch, head by head:
//
//	y[t·heads+h, j−s] = scale · ⟨a[t,h], b[j,h]⟩ for t and j of the sequence that starts at s
//
// and outside everywhere else, also for j more than window places from t if window is not 0: a and b [T,heads·d], bounds int32 [sequences+1] as in Attention, y [T·heads,T]. Scores
// and Mix are attention taken apart, for derivatives of its gradient.
//
//	da = scale · dy·b,  db = scale · dyᵀ·a within each sequence and head
func Scores(a, b, bounds *G.Node, heads, window int, scale, outside float32) (*G.Node, error) {
	o := &Op{name: "Scores", attrs: fmt.Sprintf("heads=%d,window=%d,scale=%g,outside=%g", heads, window, scale, outside)}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		if err := ranks(in, 2, 2, 1); err != nil {
			return nil, err
		}
		if !in[0].Eq(in[1]) || heads < 1 || in[0][1]%heads != 0 {
			return nil, fmt.Errorf("want two matrices of one shape, with columns for %d heads", heads)
		}
		return append(dst, in[0][0]*heads, in[0][0]), nil
	}
	o.run = func(_ kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) {
		fill(out.F32, outside)
		a, b := in[0], in[1]
		perHead(a, in[2], heads, func(h, start, end int) {
			for t := start; t < end; t++ {
				row, x := out.F32[(t*heads+h)*out.Cols():], head(a, t, h, heads)
				first, last := start, end
				if window > 0 {
					first, last = max(start, t-window), min(end, t+window+1)
				}
				for j := first; j < last; j++ {
					row[j-start] = scale * dot(x, head(b, j, h, heads))
				}
			}
		})
	}
	o.flops = func(_ kernel.Tensor, in []kernel.Tensor) float64 { return 2 * pairs(in[2]) * float64(in[0].Cols()) }
	o.diff = func(in G.Nodes, _, g *G.Node, need []bool) (r G.Nodes, err error) {
		r = make(G.Nodes, 3)
		if need[0] {
			if r[0], err = Mix(g, in[1], in[2], heads, false, scale); err != nil {
				return nil, err
			}
		}
		if need[1] {
			r[1], err = Mix(g, in[0], in[2], heads, true, scale)
		}
		return r, err
	}
	return apply(o, a, b, bounds)
}

// perHead calls f for each head and sequence: rows start to end.
func perHead(x, bounds kernel.Tensor, heads int, f func(h, start, end int)) {
	for s := 1; s < len(bounds.I32); s++ {
		for h := range heads {
			f(h, int(bounds.I32[s-1]), int(bounds.I32[s]))
		}
	}
}

// head is what row t of x has for head h.
func head(x kernel.Tensor, t, h, heads int) []float32 {
	n := x.Cols()
	return x.F32[t*n+h*(n/heads) : t*n+(h+1)*(n/heads)]
}

func dot(a, b []float32) float32 {
	var s float32
	for i, v := range a {
		s += v * b[i]
	}
	return s
}
