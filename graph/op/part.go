package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Part is y = x[i]: x [n,…], y without the first dimension. Operators with several results return them stacked, and
// Part takes them apart: it computes nothing, y shares x's memory.
func Part(x *G.Node, i int) (*G.Node, error) {
	o := &Op{name: "Part", attrs: fmt.Sprint(i)}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		if len(in[0]) < 2 || i < 0 || i >= in[0][0] {
			return nil, fmt.Errorf("there is no part %d", i)
		}
		return append(dst, in[0][1:]...), nil
	}
	o.view = func(in tensor.Shape) int { return i * in[1:].TotalSize() }
	o.diff = func(in G.Nodes, _, g *G.Node, _ []bool) (G.Nodes, error) {
		dx, err := partGrad(in[0], g, i)
		return G.Nodes{dx}, err
	}
	return apply(o, x)
}

// partGrad is zero but for part i, which is dy. It takes x for its shape alone.
func partGrad(x, dy *G.Node, i int) (*G.Node, error) {
	o := &Op{name: "PartGrad", attrs: fmt.Sprint(i), infer: sameAs(0)}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) {
		k.Fill(out, 0)
		n := out.Cols()
		k.Copy(kernel.Tensor{F32: out.F32[i*n : i*n+n]}, in[1], kernel.Block(1, n, 0, 0))
	}
	o.diff = func(_ G.Nodes, _, g *G.Node, need []bool) (r G.Nodes, err error) {
		r = make(G.Nodes, 2)
		if need[1] {
			r[1], err = Part(g, i)
		}
		return r, err
	}
	return apply(o, x, dy)
}
