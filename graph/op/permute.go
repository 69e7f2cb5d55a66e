package op

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Permute moves axes: x has the elements of an array of the given shape, of at most kernel.Axes dimensions, y those of the
// array whose axis i is axis perm[i] of it. x and y are of one dimension.
//
//	dx is dy with the axes moved back
func Permute(x *G.Node, shape, perm []int) (*G.Node, error) {
	turned, inverse := make([]int, len(perm)), make([]int, len(perm))
	s := kernel.Strides{Size: [kernel.Axes]int{1, 1, 1, 1}}
	if len(perm) != len(shape) || len(perm) > kernel.Axes {
		return nil, fmt.Errorf("Permute: axes %v of an array of shape %v; there may be %d", perm, shape, kernel.Axes)
	}
	step, n := make([]int, len(shape)), 1
	for i := len(shape) - 1; i >= 0; i-- {
		step[i], n = n, n*shape[i]
	}
	out := 1
	for i := len(perm) - 1; i >= 0; i-- {
		p := perm[i]
		if p < 0 || p >= len(shape) || slices.Contains(perm[i+1:], p) {
			return nil, fmt.Errorf("Permute: %v does not name the axes of %v", perm, shape)
		}
		turned[i], inverse[p] = shape[p], i
		k := kernel.Axes - len(perm) + i
		s.Size[k], s.Out[k], s.In[k] = shape[p], out, step[p]
		out *= shape[p]
	}
	o := &Op{name: "Permute", attrs: fmt.Sprint(shape, perm)}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		if err := rank(in, 0, 1); err != nil {
			return nil, err
		}
		if in[0][0] != n || out != n {
			return nil, fmt.Errorf("%v does not have the elements of %v with the axes %v", in[0], shape, perm)
		}
		return append(dst, n), nil
	}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { k.Copy(out, in[0], s) }
	o.diff = func(_ G.Nodes, _, g *G.Node, _ []bool) (G.Nodes, error) {
		dx, err := Permute(g, turned, inverse)
		return G.Nodes{dx}, err
	}
	return apply(o, x)
}
