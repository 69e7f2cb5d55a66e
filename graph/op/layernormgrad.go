package op

import (
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// grad is the gradient with respect to x and residual alike. z is x, or x and residual.
func (v layerNorm) grad(z G.Nodes, gamma, dy *G.Node) (*G.Node, error) {
	in := append(append(G.Nodes{}, z...), gamma, dy)
	o := &Op{name: "LayerNormGrad", attrs: v.String(), infer: sameAs(0), inPlace: []int{len(in) - 1}}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) {
		x, residual, rest := v.split(in)
		k.LayerNormGrad(out, x, residual, rest[0], rest[1], v.eps)
	}
	o.diff = func(in G.Nodes, _, g *G.Node, need []bool) (G.Nodes, error) {
		var e parts
		n := len(in) - 2
		zhat, inv := v.normalised(&e, in[:n])
		d := e.of(func() (*G.Node, error) { return MulRow(in[n+1], in[n]) })
		dz := e.sub(e.sub(d, e.means(d)), e.mul(zhat, e.means(e.mul(d, zhat))))
		dz = e.mul(dz, inv)
		if e.err != nil {
			return nil, e.err
		}
		return byParts(G.Nodes{dz}, G.Nodes{g}, in, need)
	}
	return apply(o, in...)
}

// paramGrad is [2,H]: the gradients of gamma and of beta.
func (v layerNorm) paramGrad(z G.Nodes, dy *G.Node) (*G.Node, error) {
	o := &Op{name: "LayerNormParamGrad", attrs: v.String()}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) { return append(dst, 2, in[0][1]), nil }
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) {
		x, residual, rest := v.split(in)
		k.LayerNormParamGrad(out, x, residual, rest[0], v.eps)
	}
	o.diff = func(in G.Nodes, _, g *G.Node, need []bool) (G.Nodes, error) {
		var e parts
		n := len(in) - 1
		zhat, _ := v.normalised(&e, in[:n])
		dgamma := e.mul(in[n], zhat)
		dgamma = e.of(func() (*G.Node, error) { return ColSum(dgamma) })
		dbeta := e.of(func() (*G.Node, error) { return ColSum(in[n]) })
		seeds := G.Nodes{e.part(g, 0), e.part(g, 1)}
		if e.err != nil {
			return nil, e.err
		}
		return byParts(G.Nodes{dgamma, dbeta}, seeds, in, need)
	}
	return apply(o, append(append(G.Nodes{}, z...), dy)...)
}

// normalised writes ẑ and 1/√(var(z) + eps), the latter in every column, as expressions of x and residual.
func (v layerNorm) normalised(e *parts, in G.Nodes) (zhat, inv *G.Node) {
	z := in[0]
	if v.residual {
		z = e.add(in[0], in[1])
	}
	c := e.sub(z, e.means(z))
	inv = e.shift(e.means(e.mul(c, c)), v.eps)
	inv = e.of(func() (*G.Node, error) { return InvSqrt(inv) })
	return e.mul(c, inv), inv
}

// means is each row's mean in every column of the row.
func (e *parts) means(x *G.Node) *G.Node {
	if e.err != nil {
		return nil
	}
	return e.repeatColumn(e.scale(e.rowSum(x), 1/float32(x.Shape()[1])), x)
}
