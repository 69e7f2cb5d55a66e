package op

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// attentionGrad is [3,T,heads·d]: the gradients of q, k and v. in is q, k, v, bounds and perhaps the bias.
func attentionGrad(in G.Nodes, dy *G.Node, a kernel.Attention) (*G.Node, error) {
	o := &Op{name: "AttentionGrad", attrs: attentionAttrs(a)}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		return append(append(dst, 3), in[1]...), nil
	}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) {
		k.AttentionGrad(out, in[1], in[2], in[3], in[4], in[0], biased(a, in[5:]))
	}
	// The probabilities again, and the gradients of them, q, k and v: five products.
	o.flops = func(_ kernel.Tensor, in []kernel.Tensor) float64 { return 10 * pairs(in[4]) * float64(in[0].Cols()) }
	o.diff = func(in G.Nodes, _, g *G.Node, need []bool) (G.Nodes, error) {
		if len(in) > 5 {
			return noSecondDerivative("a bias")(in, nil, g, need)
		}
		var e parts
		ys := e.attentionGrad(in, a)
		seeds := G.Nodes{e.part(g, 0), e.part(g, 1), e.part(g, 2)}
		if e.err != nil {
			return nil, e.err
		}
		return byParts(ys, seeds, in, need)
	}
	return apply(o, append(G.Nodes{dy}, in...)...)
}

// noSecondDerivative refuses to differentiate what is made of the gradients of attention with something more.
func noSecondDerivative(with string) func(in G.Nodes, out, grad *G.Node, need []bool) (G.Nodes, error) {
	return func(G.Nodes, *G.Node, *G.Node, []bool) (G.Nodes, error) {
		return nil, fmt.Errorf("attention with %s has no second derivative here", with)
	}
}

// attentionGrad writes the three gradients in operators that can be differentiated further. in is dy, q, k, v, bounds.
// The probabilities stand in a [T·heads,T] matrix: it is what a second derivative costs.
func (e *parts) attentionGrad(in G.Nodes, a kernel.Attention) G.Nodes {
	dy, q, k, v, bounds := in[0], in[1], in[2], in[3], in[4]
	scores := func(x, y *G.Node, scale, outside float32) *G.Node {
		return e.of(func() (*G.Node, error) { return Scores(x, y, bounds, a.Heads, a.Window, scale, outside) })
	}
	mix := func(p, x *G.Node, trans bool, scale float32) *G.Node {
		return e.of(func() (*G.Node, error) { return Mix(p, x, bounds, a.Heads, trans, scale) })
	}
	s := scores(q, k, a.Scale, float32(math.Inf(-1)))
	p := e.of(func() (*G.Node, error) { return Probabilities(s) })
	ds := e.softmaxGrad(p, scores(dy, v, 1, 0))
	return G.Nodes{mix(ds, k, false, a.Scale), mix(ds, q, true, a.Scale), mix(p, dy, true, 1)}
}
