package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// CrossEntropy is y = weight · Σ_t −log softmax(logits[t])[labels[t]] over the rows with labels[t] ≥ 0: logits [T,c],
// labels int32 [T], weight [1] and y [1]. A weight of one over the number of labelled rows gives the mean; over those
// of several batches, their common mean.
//
//	dlogits[t] = dy · weight · (softmax(logits[t]) − onehot(labels[t]))
//
// labels and weight have no gradient.
func CrossEntropy(logits, labels, weight *G.Node) (*G.Node, error) {
	o := &Op{name: "CrossEntropy"}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		if err := ranks(in, 2, 1, 1); err != nil {
			return nil, err
		}
		if in[0][0] != in[1][0] || in[2][0] != 1 {
			return nil, fmt.Errorf("want logits [T,c], labels [T], weight [1]")
		}
		return append(dst, 1), nil
	}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) {
		k.CrossEntropy(out, in[0], in[1], in[2])
	}
	o.diff = func(in G.Nodes, _, g *G.Node, need []bool) (G.Nodes, error) {
		if need[2] {
			return nil, fmt.Errorf("the weight of a loss has no gradient")
		}
		d, err := crossEntropyGrad(in[0], in[1], in[2], g)
		return G.Nodes{d, nil, nil}, err
	}
	return apply(o, logits, labels, weight)
}

func crossEntropyGrad(logits, labels, weight, dy *G.Node) (*G.Node, error) {
	o := &Op{name: "CrossEntropyGrad", infer: sameAs(0), inPlace: []int{0}}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) {
		k.CrossEntropyGrad(out, in[0], in[1], in[2], in[3])
	}
	o.diff = func(in G.Nodes, _, g *G.Node, need []bool) (G.Nodes, error) {
		var e parts
		logits, labels := in[0], in[1]
		p := e.of(func() (*G.Node, error) { return Probabilities(logits) })
		labelled := e.of(func() (*G.Node, error) { return Labelled(labels, logits) })
		truth := e.of(func() (*G.Node, error) { return OneHot(labels, logits) })
		s := e.mul(in[2], in[3])
		s = e.of(func() (*G.Node, error) { return Spread(s, logits) })
		d := e.mul(s, e.sub(e.mul(labelled, p), truth))
		if e.err != nil {
			return nil, e.err
		}
		return byParts(G.Nodes{d}, G.Nodes{g}, in, need)
	}
	return apply(o, logits, labels, weight, dy)
}
