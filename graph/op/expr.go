package op

import G "gorgonia.org/gorgonia"

// expr writes an operator's expression in smaller ones without a check after each: the first error stays in err, and
// what follows it is nil.
type expr struct{ err error }

// of passes a node on, and keeps the first error.
func (e *expr) of(f func() (*G.Node, error)) *G.Node {
	if e.err != nil {
		return nil
	}
	var n *G.Node
	n, e.err = f()
	return n
}

func (e *expr) add(a, b *G.Node) *G.Node { return e.of(func() (*G.Node, error) { return Add(a, b) }) }
func (e *expr) mul(a, b *G.Node) *G.Node { return e.of(func() (*G.Node, error) { return Mul(a, b) }) }
func (e *expr) sub(a, b *G.Node) *G.Node { return e.add(a, e.scale(b, -1)) }

func (e *expr) scale(x *G.Node, s float32) *G.Node {
	return e.of(func() (*G.Node, error) { return Scale(x, s) })
}

func (e *expr) shift(x *G.Node, c float32) *G.Node {
	return e.of(func() (*G.Node, error) { return Shift(x, c) })
}

func (e *expr) exp(x *G.Node) *G.Node    { return e.of(func() (*G.Node, error) { return Exp(x) }) }
func (e *expr) rowSum(x *G.Node) *G.Node { return e.of(func() (*G.Node, error) { return RowSum(x) }) }

func (e *expr) columns(c, like *G.Node) *G.Node {
	return e.of(func() (*G.Node, error) { return Columns(c, like) })
}

func (e *expr) part(x *G.Node, i int) *G.Node {
	return e.of(func() (*G.Node, error) { return Part(x, i) })
}

// softmaxGrad is p ⊙ (d − Σ_j p ⊙ d), a row each.
func (e *expr) softmaxGrad(p, d *G.Node) *G.Node {
	return e.mul(p, e.sub(d, e.columns(e.rowSum(e.mul(p, d)), d)))
}
