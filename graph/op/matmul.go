package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// MatMul is y = alpha·op(a)·op(b), op transposing where asked: op(a) [m,k], op(b) [k,n].
func MatMul(a, b *G.Node, transA, transB bool, alpha float32) (*G.Node, error) {
	o := &Op{name: "MatMul", attrs: fmt.Sprintf("ta=%t,tb=%t,alpha=%g", transA, transB, alpha)}
	if !transA {
		o.packs = []PackUse{{1, transB}}
	}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		return product(dst, in, transA, transB)
	}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) {
		k.MatMul(out, in[0], in[1], kernel.MatMul{TransA: transA, TransB: transB, Alpha: alpha})
	}
	o.flops = func(out kernel.Tensor, in []kernel.Tensor) float64 { return productFlops(out, in[0], transA) }
	o.diff = func(in G.Nodes, _, g *G.Node, need []bool) (G.Nodes, error) {
		return productGrad(in, g, need, transA, transB, alpha)
	}
	return apply(o, a, b)
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

// productGrad adds the gradients of the first two inputs of alpha·op(a)·op(b).
func productGrad(in G.Nodes, g *G.Node, need []bool, transA, transB bool, alpha float32) (G.Nodes, error) {
	return grads(in, g, need, transA, transB, func(a, b *G.Node, transA, transB bool) (*G.Node, error) {
		return MatMul(a, b, transA, transB, alpha)
	})
}

// grads adds the gradients of the first two inputs of a product, which are products too.
func grads(in G.Nodes, g *G.Node, need []bool, transA, transB bool,
	multiply func(a, b *G.Node, transA, transB bool) (*G.Node, error)) (G.Nodes, error) {
	r := make(G.Nodes, 2)
	var err error
	a, b := in[0], in[1]
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
