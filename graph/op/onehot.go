package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// OneHot is y[t] = 1 at labels[t] and 0 elsewhere, a row of zeros for a negative label: labels int32 [T], in the shape
// of like [T,c]. It has no gradient.
func OneHot(labels, like *G.Node) (*G.Node, error) {
	o := &Op{name: "OneHot"}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		if err := ranks(in, 1, 2); err != nil {
			return nil, err
		}
		if in[0][0] != in[1][0] {
			return nil, fmt.Errorf("%d labels for %d rows", in[0][0], in[1][0])
		}
		return append(dst, in[1]...), nil
	}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { k.OneHot(out, in[0]) }
	o.diff = func(in G.Nodes, _, _ *G.Node, _ []bool) (G.Nodes, error) { return make(G.Nodes, len(in)), nil }
	return apply(o, labels, like)
}

// Labelled is y[t] = 1 everywhere in the rows whose label is not negative, and 0 in the others: labels int32 [T], in
// the shape of like [T,c].
func Labelled(labels, like *G.Node) (*G.Node, error) {
	var e parts
	truth := e.of(func() (*G.Node, error) { return OneHot(labels, like) })
	return e.repeatColumn(e.rowSum(truth), like), e.err
}
