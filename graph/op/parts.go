package op

import (
	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// parts writes an operator's expression in smaller ones without a check after each: the first error stays in err, and
// what follows it is nil.
type parts struct{ err error }

// of passes a node on, and keeps the first error.
func (e *parts) of(f func() (*G.Node, error)) *G.Node {
	if e.err != nil {
		return nil
	}
	var n *G.Node
	n, e.err = f()
	return n
}

func (e *parts) add(a, b *G.Node) *G.Node { return e.of(func() (*G.Node, error) { return Add(a, b) }) }
func (e *parts) mul(a, b *G.Node) *G.Node { return e.of(func() (*G.Node, error) { return Mul(a, b) }) }
func (e *parts) sub(a, b *G.Node) *G.Node { return e.add(a, e.scale(b, -1)) }

func (e *parts) scale(x *G.Node, s float32) *G.Node {
	return e.of(func() (*G.Node, error) { return Scale(x, s) })
}

func (e *parts) shift(x *G.Node, c float32) *G.Node {
	return e.of(func() (*G.Node, error) { return Shift(x, c) })
}

func (e *parts) exp(x *G.Node) *G.Node    { return e.of(func() (*G.Node, error) { return Exp(x) }) }
func (e *parts) rowSum(x *G.Node) *G.Node { return e.of(func() (*G.Node, error) { return RowSum(x) }) }

func (e *parts) repeatColumn(c, like *G.Node) *G.Node {
	return e.of(func() (*G.Node, error) { return RepeatColumn(c, like) })
}

func (e *parts) mapped(x *G.Node, f kernel.Function) *G.Node {
	return e.of(func() (*G.Node, error) { return Map(x, f) })
}

func (e *parts) combine(a, b *G.Node, f kernel.Pair) *G.Node {
	return e.of(func() (*G.Node, error) { return Combine(a, b, f) })
}

// where keeps the elements of a where c is not 0, and zeros elsewhere; otherwise keeps the others.
func (e *parts) where(c, a *G.Node) *G.Node {
	return e.of(func() (*G.Node, error) { return Select(c, a, nil) })
}

func (e *parts) otherwise(c, a *G.Node) *G.Node {
	return e.of(func() (*G.Node, error) { return Select(c, nil, a) })
}

func (e *parts) part(x *G.Node, i int) *G.Node {
	return e.of(func() (*G.Node, error) { return Part(x, i) })
}

// softmaxGrad is p ⊙ (d − Σ_j p ⊙ d), a row each.
func (e *parts) softmaxGrad(p, d *G.Node) *G.Node {
	return e.mul(p, e.sub(d, e.repeatColumn(e.rowSum(e.mul(p, d)), d)))
}

// byParts differentiates a fused operator through its expression in smaller ones: ys are its results as expressions of
// its inputs in, seeds their gradients. It returns the gradients of those inputs that need names, nil for one that has
// none. The inputs count as independent of each other, also where one is computed from another.
func byParts(ys, seeds, in G.Nodes, need []bool) (G.Nodes, error) {
	w := &walk{floor: map[*G.Node]bool{}}
	var wrt G.Nodes
	for i, x := range in {
		w.floor[x] = true
		if need[i] {
			wrt = append(wrt, x)
		}
	}
	if err := w.run(ys, seeds, wrt); err != nil {
		return nil, err
	}
	r := make(G.Nodes, len(in))
	for i, x := range in {
		if need[i] {
			r[i] = w.acc[x]
			delete(w.acc, x) // an input that comes twice has its whole gradient at its first place
		}
	}
	return r, nil
}
