package op

import G "gorgonia.org/gorgonia"

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
func Sort(roots ...*G.Node) G.Nodes { return sortAbove(nil, roots) }

// sortAbove is Sort that does not look below the nodes of floor.
func sortAbove(floor map[*G.Node]bool, roots G.Nodes) G.Nodes {
	seen := map[*G.Node]bool{}
	var order G.Nodes
	type frame struct {
		n  *G.Node
		in G.Nodes
	}
	open := func(n *G.Node) frame {
		seen[n] = true
		if floor[n] {
			return frame{n: n}
		}
		return frame{n, Inputs(n)}
	}
	for _, r := range roots {
		if seen[r] {
			continue
		}
		stack := []frame{open(r)}
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
				stack = append(stack, open(c))
			}
		}
	}
	return order
}

// Between returns the nodes that depend on from and that to depends on, without the two.
func Between(from, to *G.Node) G.Nodes {
	floor, depends := map[*G.Node]bool{from: true}, map[*G.Node]bool{from: true}
	var out G.Nodes
	for _, n := range sortAbove(floor, G.Nodes{to}) {
		if n == from || n == to {
			continue
		}
		for _, c := range Inputs(n) {
			if depends[c] {
				depends[n] = true
				out = append(out, n)
				break
			}
		}
	}
	return out
}
