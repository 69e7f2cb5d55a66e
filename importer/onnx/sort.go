package onnx

import (
	"fmt"
	"slices"
	"strings"
)

// Order returns the places of the graph's nodes in an order in which each stands behind those that make what it, or a
// sub-graph of it, reads: their own order where that is one. ONNX wants graphs stored so; onnxruntime takes others too,
// and its quantiser writes them. A cycle is an error that names its nodes. Values that nothing makes, or several nodes
// make, are left to the caller.
func (g *Graph) Order() ([]int, error) { return order(g.Nodes, g.given()) }

// Order is Graph.Order for the function's nodes.
func (f *Function) Order() ([]int, error) {
	given := map[string]bool{}
	for _, in := range f.Inputs {
		given[in] = true
	}
	return order(f.Nodes, given)
}

// order sorts nodes that are given some values.
func order(nodes []*Node, given map[string]bool) ([]int, error) {
	maker := map[string]int{}
	for i, n := range nodes {
		if n == nil {
			continue
		}
		for _, out := range n.Outputs {
			if _, twice := maker[out]; out != "" && !twice && !given[out] {
				maker[out] = i
			}
		}
	}
	needs := make([][]int, len(nodes))
	ordered := true
	for i, n := range nodes {
		reads(n, 0, func(name string) {
			if m, ok := maker[name]; ok && (len(needs[i]) == 0 || needs[i][len(needs[i])-1] != m) {
				needs[i] = append(needs[i], m)
				ordered = ordered && m < i
			}
		})
	}
	out := make([]int, len(nodes))
	if ordered {
		for i := range out {
			out[i] = i
		}
		return out, nil
	}
	out = out[:0]
	// Depth first, with a stack of its own: a graph may be as deep as it is long.
	const (
		unseen = iota
		open
		done
	)
	state := make([]int, len(nodes))
	var stack []int
	for i := range nodes {
		if state[i] == unseen {
			state[i], stack = open, append(stack, i)
		}
		for len(stack) > 0 {
			top := stack[len(stack)-1]
			if len(needs[top]) == 0 {
				state[top], out, stack = done, append(out, top), stack[:len(stack)-1]
				continue
			}
			next := needs[top][0]
			needs[top] = needs[top][1:]
			switch state[next] {
			case unseen:
				state[next], stack = open, append(stack, next)
			case open:
				return nil, cycle(nodes, stack[slices.Index(stack, next):])
			}
		}
	}
	return out, nil
}

// shownNodes is how many nodes of a cycle an error names.
const shownNodes = 6

// cycle is the error of nodes each of which reads what the next one makes, and the last what the first one makes.
func cycle(nodes []*Node, at []int) error {
	var names []string
	for _, i := range at[:min(len(at), shownNodes)] {
		names = append(names, nodes[i].String())
	}
	if more := len(at) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("… (%d more)", more))
	}
	return fmt.Errorf("the graph has a cycle: %s", strings.Join(append(names, nodes[at[0]].String()), " reads "))
}

// reads calls f with the name of each value that a node reads, and with those that its sub-graphs read of the graphs
// around them.
func reads(n *Node, depth int, f func(name string)) {
	if n == nil || depth >= maxDepth {
		return
	}
	for _, in := range n.Inputs {
		f(in)
	}
	for _, a := range n.Attributes {
		if a == nil {
			continue
		}
		for _, g := range append([]*Graph{a.G}, a.Graphs...) {
			if g == nil {
				continue
			}
			own := g.own()
			outer := func(name string) {
				if !own[name] {
					f(name)
				}
			}
			for _, n := range g.Nodes {
				reads(n, depth+1, outer)
			}
			for _, o := range g.Outputs {
				if o != nil {
					outer(o.Name)
				}
			}
		}
	}
}

// given are the names of the values that a graph's nodes find there: its inputs and initialisers.
func (g *Graph) given() map[string]bool {
	names := map[string]bool{}
	for _, in := range g.Inputs {
		if in != nil {
			names[in.Name] = true
		}
	}
	for _, t := range g.Initializers {
		if t != nil {
			names[t.Name] = true
		}
	}
	for _, t := range g.SparseInitializers {
		if t != nil && t.Values != nil {
			names[t.Values.Name] = true
		}
	}
	return names
}

// own are the names of the values that a graph has itself.
func (g *Graph) own() map[string]bool {
	names := g.given()
	for _, n := range g.Nodes {
		if n != nil {
			for _, out := range n.Outputs {
				names[out] = true
			}
		}
	}
	return names
}
