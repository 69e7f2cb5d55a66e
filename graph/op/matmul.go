package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// MatMul is y = Alpha·op(a)·op(b), op transposing where m asks for it: op(a) [m,k], op(b) [k,n]. m.Bias and m.Accumulate
// are left empty, as they are for every product here.
func MatMul(a, b *G.Node, m kernel.MatMul) (*G.Node, error) {
	o := &Op{name: "MatMul", attrs: productAttrs(m)}
	if !m.TransA {
		o.packs = []PackUse{{1, m.TransB}}
	}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		return product(dst, in, m.TransA, m.TransB)
	}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) {
		k.MatMul(out, in[0], in[1], m)
	}
	o.flops = func(out kernel.Tensor, in []kernel.Tensor) float64 { return productFlops(out, in[0], m.TransA) }
	o.diff = func(in G.Nodes, _, g *G.Node, need []bool) (G.Nodes, error) {
		return grads(in, g, need, m, MatMul)
	}
	return apply(o, a, b)
}

func productAttrs(m kernel.MatMul) string {
	return fmt.Sprintf("ta=%t,tb=%t,alpha=%g,%v", m.TransA, m.TransB, m.Alpha, m.Precision)
}

// product is the shape rule of op(in[0])·op(in[1]).
func product(dst tensor.Shape, in []tensor.Shape, transA, transB bool) (tensor.Shape, error) {
	if err := ranks(in, 2, 2); err != nil {
		return nil, err
	}
	m, k := in[0][0], in[0][1]
	if transA {
		m, k = k, m
	}
	k2, n := in[1][0], in[1][1]
	if transB {
		k2, n = n, k2
	}
	if k != k2 {
		return nil, fmt.Errorf("the inner dimensions %d and %d differ", k, k2)
	}
	return append(dst, m, n), nil
}

// grads adds the gradients of the first two inputs of a product, which are products too, with its Alpha and at its
// precision.
func grads(in G.Nodes, g *G.Node, need []bool, m kernel.MatMul,
	product func(a, b *G.Node, m kernel.MatMul) (*G.Node, error)) (G.Nodes, error) {
	r := make(G.Nodes, 2)
	var err error
	a, b, transA, transB := in[0], in[1], m.TransA, m.TransB
	multiply := func(a, b *G.Node, transA, transB bool) (*G.Node, error) {
		m.TransA, m.TransB = transA, transB
		return product(a, b, m)
	}
	if need[0] {
		if transA { // y = aᵀ·B: da = B·gᵀ
			r[0], err = multiply(b, g, transB, true)
		} else { // y = a·B: da = g·Bᵀ
			r[0], err = multiply(g, b, false, !transB)
		}
		if err != nil {
			return nil, err
		}
	}
	if need[1] {
		if transB { // y = A·bᵀ: db = gᵀ·A
			r[1], err = multiply(g, a, true, transA)
		} else { // y = A·b: db = Aᵀ·g
			r[1], err = multiply(a, g, !transA, false)
		}
	}
	return r, err
}
