package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
)

// Inputs returns the inputs of a node in the operator's order.
func Inputs(n *G.Node) G.Nodes {
	it := n.Graph().From(n.ID())
	var r G.Nodes
	for it != nil && it.Next() {
		r = append(r, it.Node().(*G.Node))
	}
	return r
}

// Sort returns the nodes that roots depend on, inputs before their users, in an order that depends on the graph alone.
func Sort(roots ...*G.Node) G.Nodes {
	seen := map[*G.Node]bool{}
	var order G.Nodes
	type frame struct {
		n  *G.Node
		in G.Nodes
	}
	for _, r := range roots {
		if seen[r] {
			continue
		}
		seen[r] = true
		stack := []frame{{r, Inputs(r)}}
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if len(top.in) == 0 {
				order = append(order, top.n)
				stack = stack[:len(stack)-1]
				continue
			}
			c := top.in[0]
			top.in = top.in[1:]
			if !seen[c] {
				seen[c] = true
				stack = append(stack, frame{c, Inputs(c)})
			}
		}
	}
	return order
}

// Grad adds the nodes of Σ_i ⟨seeds[i], ∂ys[i]/∂w⟩ for each w of wrt, in reverse mode, and returns them. seeds[i] has
// the shape of ys[i].
//
// It is used in place of gorgonia.Grad, which keeps a derivative at each node and is silently wrong when called twice
// on one graph. Grad may be called any number of times, also on its own results as far as the operators' gradients are
// differentiable, and adds only what wrt asks for. A w that ys do not depend on is an error.
func Grad(ys, seeds, wrt G.Nodes) (G.Nodes, error) {
	if len(ys) != len(seeds) {
		return nil, fmt.Errorf("grad: %d outputs but %d seeds", len(ys), len(seeds))
	}
	order := Sort(ys...)
	need := make(map[*G.Node]bool, len(order))
	for _, w := range wrt {
		need[w] = true
	}
	wants := func(n *G.Node) (in G.Nodes, which []bool, any bool) {
		o, ok := n.Op().(*Op)
		if !ok {
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
			which[i] = which[i] && need[c]
			any = any || which[i]
		}
		return in, which, any
	}
	for _, n := range order {
		if _, _, any := wants(n); any {
			need[n] = true
		}
	}
	acc := make(map[*G.Node]*G.Node, len(order))
	add := func(n, g *G.Node) (err error) {
		if old := acc[n]; old != nil {
			g, err = sum(old, g)
		}
		acc[n] = g
		return err
	}
	for i, y := range ys {
		if err := add(y, seeds[i]); err != nil {
			return nil, err
		}
	}
	for i := len(order) - 1; i >= 0; i-- {
		n := order[i]
		g := acc[n]
		if g == nil || !need[n] {
			continue
		}
		in, which, any := wants(n)
		if !any {
			continue
		}
		gs, err := n.Op().(*Op).symDiff(in, n, g, which)
		if err != nil {
			return nil, fmt.Errorf("gradient of %v: %w", n.Op(), err)
		}
		for j, c := range in {
			if which[j] && gs[j] != nil {
				if err := add(c, gs[j]); err != nil {
					return nil, err
				}
			}
		}
	}
	out := make(G.Nodes, len(wrt))
	for i, w := range wrt {
		if out[i] = acc[w]; out[i] == nil {
			return nil, fmt.Errorf("grad: the outputs do not depend on %q", w.Name())
		}
	}
	return out, nil
}
