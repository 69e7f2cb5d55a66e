package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// OneHot is y[t] = 1 at labels[t] and 0 elsewhere, a row of zeros for a negative label: labels int32 [T], in the shape
// of like [T,c].
func OneHot(labels, like *G.Node) (*G.Node, error) {
	return ofLabels("OneHot", labels, like, func(row []float32, label int32) { row[label] = 1 })
}

// Labelled is y[t] = 1 everywhere in the rows whose label is not negative, and 0 in the others: labels int32 [T], in
// the shape of like [T,c].
func Labelled(labels, like *G.Node) (*G.Node, error) {
	return ofLabels("Labelled", labels, like, func(row []float32, _ int32) { fill(row, 1) })
}

// ofLabels is an operator that sets the rows with a label and has no gradient.
func ofLabels(name string, labels, like *G.Node, set func(row []float32, label int32)) (*G.Node, error) {
	o := &Op{name: name}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		if err := ranks(in, 1, 2); err != nil {
			return nil, err
		}
		if in[0][0] != in[1][0] {
			return nil, fmt.Errorf("%d labels for %d rows", in[0][0], in[1][0])
		}
		return append(dst, in[1]...), nil
	}
	o.run = func(_ kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) {
		clear(out.F32)
		n := out.Cols()
		for t, l := range in[0].I32 {
			if l >= 0 {
				set(out.F32[t*n:t*n+n], l)
			}
		}
	}
	o.diff = func(in G.Nodes, _, _ *G.Node, _ []bool) (G.Nodes, error) { return make(G.Nodes, len(in)), nil }
	return apply(o, labels, like)
}
