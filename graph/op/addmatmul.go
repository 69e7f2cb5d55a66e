package op

import (
	"fmt"
	"unsafe"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// AddMatMul is y = c + Alpha·op(a)·op(b): c [m,n], op(a) [m,k], op(b) [k,n]. It adds a low-rank update to a projection.
func AddMatMul(c, a, b *G.Node, m kernel.MatMul) (*G.Node, error) {
	o := &Op{name: "AddMatMul", attrs: productAttrs(m), inPlace: []int{0}}
	if !m.TransA {
		o.packs = []PackUse{{2, m.TransB}}
	}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		dst, err := product(dst, in[1:], m.TransA, m.TransB)
		if err == nil && !in[0].Eq(dst) {
			return nil, fmt.Errorf("the sum has shape %v, the product %v", in[0], dst)
		}
		return dst, err
	}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) {
		if n := len(out.F32); n > 0 && unsafe.SliceData(out.F32) != unsafe.SliceData(in[0].F32) {
			k.Copy(out, in[0], kernel.Block(1, n, 0, 0))
		}
		sum := m
		sum.Accumulate = true
		k.MatMul(out, in[1], in[2], sum)
	}
	o.flops = func(out kernel.Tensor, in []kernel.Tensor) float64 { return productFlops(out, in[1], m.TransA) }
	o.diff = func(in G.Nodes, _, g *G.Node, need []bool) (G.Nodes, error) {
		r, err := grads(in[1:], g, need[1:], m, MatMul)
		return append(G.Nodes{g}, r...), err
	}
	return apply(o, c, a, b)
}
