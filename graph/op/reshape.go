package op

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Reshape is y = x with another shape of as many elements. It computes nothing, y shares x's memory.
func Reshape(x *G.Node, shape ...int) (*G.Node, error) {
	if slices.Equal(x.Shape(), shape) { // Shape.Eq takes a column for a vector
		return x, nil
	}
	o := &Op{name: "Reshape", attrs: fmt.Sprint(shape)}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		if in[0].TotalSize() != tensor.Shape(shape).TotalSize() {
			return nil, fmt.Errorf("%v has not as many elements as %v", in[0], shape)
		}
		return append(dst, shape...), nil
	}
	o.view = func(tensor.Shape) int { return 0 }
	o.diff = func(in G.Nodes, _, g *G.Node, _ []bool) (G.Nodes, error) {
		dx, err := Reshape(g, in[0].Shape()...)
		return G.Nodes{dx}, err
	}
	return apply(o, x)
}
