package op

import (
	"math"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Probabilities is the softmax of each row, y[t,j] = exp(x[t,j]) / Σ_i exp(x[t,i]): x [T,n]. An element of −∞ gives 0,
// a row of nothing else a row of zeros.
//
//	dx = y ⊙ (dy − Σ_j y ⊙ dy)
func Probabilities(x *G.Node) (*G.Node, error) { return rowwise("Probabilities", 0, x) }

// Softmax is Probabilities as ONNX has it: a row of −∞ alone gives NaN.
func Softmax(x *G.Node) (*G.Node, error) { return rowwise("Softmax", float32(math.NaN()), x) }

// rowwise is the softmax of each row; one of −∞ alone gives empty.
func rowwise(name string, empty float32, x *G.Node) (*G.Node, error) {
	o := &Op{name: name, inPlace: []int{0}, usesOutput: true}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		return append(dst, in[0]...), rank(in, 0, 2)
	}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { k.Softmax(out, in[0], empty) }
	o.diff = func(_ G.Nodes, y, g *G.Node, _ []bool) (G.Nodes, error) {
		var e parts
		dx := e.softmaxGrad(y, g)
		return G.Nodes{dx}, e.err
	}
	return apply(o, x)
}
