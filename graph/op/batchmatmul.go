package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// BatchMatMul is y[i] = op(a[i])·op(b[i]), op transposing where asked: op(a[i]) [m,k], op(b[i]) [k,n], for a, b and y
// of three dimensions.
func BatchMatMul(a, b *G.Node, transA, transB bool) (*G.Node, error) {
	o := &Op{name: "BatchMatMul", attrs: fmt.Sprintf("ta=%t,tb=%t", transA, transB)}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		if err := ranks(in, 3, 3); err != nil {
			return nil, err
		}
		if in[0][0] != in[1][0] {
			return nil, fmt.Errorf("the batches have %d and %d matrices", in[0][0], in[1][0])
		}
		return product(append(dst, in[0][0]), []tensor.Shape{in[0][1:], in[1][1:]}, transA, transB)
	}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) {
		for i := range out.Shape[0] {
			k.MatMul(matrix(out, i), matrix(in[0], i), matrix(in[1], i), kernel.MatMul{TransA: transA, TransB: transB})
		}
	}
	o.flops = func(out kernel.Tensor, in []kernel.Tensor) float64 {
		if out.Shape[0] == 0 {
			return 0
		}
		return float64(out.Shape[0]) * productFlops(matrix(out, 0), matrix(in[0], 0), transA)
	}
	o.diff = func(in G.Nodes, _, g *G.Node, need []bool) (G.Nodes, error) {
		return grads(in, g, need, transA, transB, BatchMatMul)
	}
	return apply(o, a, b)
}

// matrix is x[i] of three dimensions.
func matrix(x kernel.Tensor, i int) kernel.Tensor {
	n := x.Shape[1] * x.Shape[2]
	return kernel.F32(x.F32[i*n:i*n+n], x.Shape[1:]...)
}
