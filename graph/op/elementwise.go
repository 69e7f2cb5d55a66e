package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Add is y = a + b for a and b of one shape. dy is the gradient of both.
func Add(a, b *G.Node) (*G.Node, error) {
	o := &Op{name: "Add", infer: sameAs(0, 1), inPlace: []int{0, 1}}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { k.Add(out, in[0], in[1]) }
	o.diff = func(_ G.Nodes, _, g *G.Node, _ []bool) (G.Nodes, error) { return G.Nodes{g, g}, nil }
	return apply(o, a, b)
}

// Mul is y = a ⊙ b for a and b of one shape.
func Mul(a, b *G.Node) (*G.Node, error) {
	o := &Op{name: "Mul", infer: sameAs(0, 1), inPlace: []int{0, 1}}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { k.Mul(out, in[0], in[1]) }
	o.diff = func(in G.Nodes, _, g *G.Node, need []bool) (r G.Nodes, err error) {
		r = make(G.Nodes, 2)
		for i := range r {
			if need[i] && err == nil {
				r[i], err = Mul(g, in[1-i])
			}
		}
		return r, err
	}
	return apply(o, a, b)
}

// Scale is y = s·x.
func Scale(x *G.Node, s float32) (*G.Node, error) {
	o := &Op{name: "Scale", attrs: fmt.Sprint(s), infer: sameAs(0), inPlace: []int{0}}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { k.Scale(out, in[0], s) }
	o.diff = func(_ G.Nodes, _, g *G.Node, _ []bool) (G.Nodes, error) {
		dx, err := Scale(g, s)
		return G.Nodes{dx}, err
	}
	return apply(o, x)
}

// AddRow is y[t] = x[t] + row: x [T,n], row [n].
//
//	drow = Σ_t dy[t]
func AddRow(x, row *G.Node) (*G.Node, error) {
	o := &Op{name: "AddRow", infer: rowRule, inPlace: []int{0}}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { k.AddRow(out, in[0], in[1]) }
	o.diff = func(_ G.Nodes, _, g *G.Node, need []bool) (r G.Nodes, err error) {
		r = G.Nodes{g, nil}
		if need[1] {
			r[1], err = ColSum(g)
		}
		return r, err
	}
	return apply(o, x, row)
}

// MulRow is y[t] = x[t] ⊙ row: x [T,n], row [n].
//
//	dx = dy ⊙ row,  drow = Σ_t dy[t] ⊙ x[t]
func MulRow(x, row *G.Node) (*G.Node, error) {
	o := &Op{name: "MulRow", infer: rowRule, inPlace: []int{0}}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { k.MulRow(out, in[0], in[1]) }
	o.diff = func(in G.Nodes, _, g *G.Node, need []bool) (r G.Nodes, err error) {
		r = make(G.Nodes, 2)
		if need[0] {
			if r[0], err = MulRow(g, in[1]); err != nil {
				return nil, err
			}
		}
		if need[1] {
			p, err := Mul(g, in[0])
			if err != nil {
				return nil, err
			}
			if r[1], err = ColSum(p); err != nil {
				return nil, err
			}
		}
		return r, err
	}
	return apply(o, x, row)
}

// ColSum is y[j] = Σ_t x[t,j]: x [T,n], y [n].
func ColSum(x *G.Node) (*G.Node, error) {
	o := &Op{name: "ColSum"}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		if err := rank(in, 0, 2); err != nil {
			return nil, err
		}
		return append(dst, in[0][1]), nil
	}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { k.ColSum(out, in[0]) }
	return apply(o, x)
}

// Activate is y = f(x), element by element.
//
//	dx = dy ⊙ f′(x)
func Activate(x *G.Node, f kernel.Activation) (*G.Node, error) {
	o := &Op{name: "Activate", attrs: f.String(), infer: sameAs(0)}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { k.Activate(out, in[0], f) }
	o.diff = func(in G.Nodes, _, g *G.Node, _ []bool) (G.Nodes, error) {
		dx, err := activateGrad(in[0], g, f)
		return G.Nodes{dx}, err
	}
	return apply(o, x)
}

func activateGrad(x, dy *G.Node, f kernel.Activation) (*G.Node, error) {
	o := &Op{name: "ActivateGrad", attrs: f.String(), infer: sameAs(0, 1), inPlace: []int{1}}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { k.ActivateGrad(out, in[0], in[1], f) }
	return apply(o, x, dy)
}

// rowRule is the shape rule of a matrix with a row that goes to each of its rows.
func rowRule(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
	if err := ranks(in, 2, 1); err != nil {
		return nil, err
	}
	if in[0][1] != in[1][0] {
		return nil, fmt.Errorf("a row of %d does not fit %d columns", in[1][0], in[0][1])
	}
	return append(dst, in[0]...), nil
}
