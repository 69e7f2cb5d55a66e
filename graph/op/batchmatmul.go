package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// BatchMatMul is y[i] = Alpha·op(a[i])·op(b[i]), op transposing where m asks for it: op(a[i]) [m,k], op(b[i]) [k,n], for
// a, b and y of three dimensions.
func BatchMatMul(a, b *G.Node, m kernel.MatMul) (*G.Node, error) {
	o := &Op{name: "BatchMatMul", attrs: productAttrs(m)}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		if err := ranks(in, 3, 3); err != nil {
			return nil, err
		}
		if in[0][0] != in[1][0] {
			return nil, fmt.Errorf("the batches have %d and %d matrices", in[0][0], in[1][0])
		}
		return product(append(dst, in[0][0]), []tensor.Shape{in[0][1:], in[1][1:]}, m.TransA, m.TransB)
	}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) {
		k.BatchMatMul(out, in[0], in[1], m)
	}
	o.flops = func(out kernel.Tensor, in []kernel.Tensor) float64 {
		depth := in[0].Shape[2]
		if m.TransA {
			depth = in[0].Shape[1]
		}
		return 2 * float64(len(out.F32)) * float64(depth)
	}
	o.diff = func(in G.Nodes, _, g *G.Node, need []bool) (G.Nodes, error) {
		return grads(in, g, need, m, BatchMatMul)
	}
	return apply(o, a, b)
}
