package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
)

// Grad adds the nodes of Σ_i ⟨seeds[i], ∂ys[i]/∂w⟩ for each w of wrt, in reverse mode, and returns them. seeds[i] has
// the shape of ys[i].
//
// It is used in place of gorgonia.Grad, which keeps a derivative at each node and is silently wrong when called twice
// on one graph. Grad may be called any number of times, also on its own results: the gradient operators have gradients
// themselves, to any order. It adds only what wrt asks for. A w that ys depend on only by steps, such as the sign in
// ReLU's slope, has a gradient of zeros; one that ys do not depend on at all is an error.
func Grad(ys, seeds, wrt G.Nodes) (G.Nodes, error) {
	return (&walk{}).gradients(ys, seeds, wrt)
}

// GradAgain is Grad that computes those nodes anew for which again returns true, instead of keeping their values from
// the forward pass for the backward pass (Chen et al. 2016, "Training deep nets with sublinear memory cost"). What the
// gradient of a node needs is computed when the walk gets there, from the nearest nodes that are kept. The gradients
// are the same, bit for bit.
func GradAgain(ys, seeds, wrt G.Nodes, again func(*G.Node) bool) (G.Nodes, error) {
	return (&walk{again: again, copies: map[*G.Node]*G.Node{}}).gradients(ys, seeds, wrt)
}

// walk is one reverse walk over a graph.
type walk struct {
	floor map[*G.Node]bool // nodes that count as independent of one another and of what is below them

	again  func(*G.Node) bool
	copies map[*G.Node]*G.Node // of the nodes that are computed anew

	need    map[*G.Node]bool    // a wrt, or depends on one
	acc     map[*G.Node]*G.Node // the gradient so far
	reached map[*G.Node]bool    // the outputs depend on the node
}

// gradients are run's results, with zeros for a wrt that has no gradient although the outputs depend on it.
func (w *walk) gradients(ys, seeds, wrt G.Nodes) (G.Nodes, error) {
	if len(ys) != len(seeds) {
		return nil, fmt.Errorf("grad: %d outputs but %d seeds", len(ys), len(seeds))
	}
	if err := w.run(ys, seeds, wrt); err != nil {
		return nil, err
	}
	out := make(G.Nodes, len(wrt))
	for i, x := range wrt {
		if out[i] = w.acc[x]; out[i] != nil {
			continue
		}
		if !w.reached[x] {
			return nil, fmt.Errorf("grad: the outputs do not depend on %q", x.Name())
		}
		var err error
		if out[i], err = Zeros(x); err != nil {
			return nil, err
		}
		w.acc[x] = out[i]
	}
	return out, nil
}

// run walks from ys to wrt.
func (w *walk) run(ys, seeds, wrt G.Nodes) error {
	order := sortAbove(w.floor, ys)
	w.need, w.acc, w.reached = make(map[*G.Node]bool, len(order)), make(map[*G.Node]*G.Node, len(order)), make(map[*G.Node]bool, len(order))
	for _, x := range wrt {
		w.need[x] = true
	}
	for _, n := range order {
		if _, _, any := w.wants(n); any {
			w.need[n] = true
		}
	}
	for i, y := range ys {
		if err := w.add(y, seeds[i]); err != nil {
			return err
		}
	}
	for i := len(order) - 1; i >= 0; i-- {
		if n := order[i]; w.reached[n] && w.need[n] {
			if err := w.step(n); err != nil {
				return err
			}
		}
	}
	return nil
}

// wants returns the inputs of a node, and which of them have a gradient that is wanted.
func (w *walk) wants(n *G.Node) (in G.Nodes, which []bool, any bool) {
	o, ok := n.Op().(*Op)
	if !ok || w.floor[n] {
		return nil, nil, false
	}
	in = Inputs(n)
	which = o.DiffWRT(len(in))
	if o.diff == nil { // an operator without a gradient is an error only where one is asked for
		for i := range which {
			which[i] = true
		}
	}
	for i, c := range in {
		which[i] = which[i] && w.need[c]
		any = any || which[i]
	}
	return in, which, any
}

// add adds g to the gradient of n.
func (w *walk) add(n, g *G.Node) (err error) {
	w.reached[n] = true
	if g == nil {
		return nil
	}
	if old := w.acc[n]; old != nil {
		g, err = joined(old, g)
	}
	w.acc[n] = g
	return err
}

// step takes the gradient of a node to its inputs.
func (w *walk) step(n *G.Node) error {
	in, which, any := w.wants(n)
	if !any {
		return nil
	}
	gs := make(G.Nodes, len(in))
	if g := w.acc[n]; g != nil {
		kept, out, err := w.kept(in, n)
		if err != nil {
			return err
		}
		if gs, err = n.Op().(*Op).symDiff(kept, out, g, which); err != nil {
			return fmt.Errorf("gradient of %v: %w", n.Op(), err)
		}
	}
	for j, c := range in {
		if which[j] {
			if err := w.add(c, gs[j]); err != nil {
				return err
			}
		}
	}
	return nil
}
