package onnx

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestOrderPutsMakersFirst(t *testing.T) {
	node := func(out string, in ...string) *Node { return &Node{OpType: "Op", Inputs: in, Outputs: []string{out}} }
	reading := func(out string, g *Graph) *Node {
		return &Node{OpType: "If", Outputs: []string{out}, Attributes: []*Attribute{nil, {Name: "then_branch", Type: AttrGraph, G: g}}}
	}
	named := func(names ...string) (out []*ValueInfo) {
		for _, name := range names {
			out = append(out, &ValueInfo{Name: name})
		}
		return out
	}
	for _, c := range []struct {
		name string
		g    Graph
		want []int
		err  string
	}{
		{name: "none"},
		{name: "in order already, and another would do", want: []int{0, 1, 2, 3},
			g: Graph{Nodes: []*Node{node("a", "x"), node("b", "x"), node("c", "a"), node("d", "b", "c")}}},
		{name: "backwards", want: []int{2, 1, 0}, g: Graph{Nodes: []*Node{node("c", "b"), node("b", "a"), node("a", "")}}},
		{name: "a node where it is needed first", want: []int{0, 3, 1, 2},
			g: Graph{Nodes: []*Node{node("a"), node("b", "d", "a", "d"), node("c", "d"), node("d", "a")}}},
		{name: "what a branch reads", want: []int{1, 0},
			g: Graph{Nodes: []*Node{reading("a", &Graph{Nodes: []*Node{node("y", "b")}, Outputs: named("y")}), node("b")}}},
		{name: "what a branch gives as it is", want: []int{1, 0}, g: Graph{Nodes: []*Node{reading("a", &Graph{Outputs: named("b")}), node("b")}}},
		{name: "a branch's own value of that name", want: []int{0, 1},
			g: Graph{Nodes: []*Node{reading("a", &Graph{Nodes: []*Node{node("y", "b"), node("b")}, Outputs: named("y")}), node("b")}}},
		{name: "a body's input of that name", want: []int{0, 1},
			g: Graph{Nodes: []*Node{reading("a", &Graph{Inputs: named("b"), Nodes: []*Node{node("y", "b")}}), node("b")}}},
		{name: "a node that makes an input", want: []int{0, 1}, g: Graph{Inputs: named("x"), Nodes: []*Node{node("a", "x"), node("x", "a")}}},
		{name: "a node that makes an initialiser", want: []int{0, 1},
			g: Graph{Initializers: []*Tensor{nil, {Name: "x"}}, Nodes: []*Node{node("a", "x"), node("x", "a")}}},
		{name: "an empty node", want: []int{0, 2, 1}, g: Graph{Nodes: []*Node{nil, node("b", "a"), node("a")}}},
		{name: "a node that reads itself", err: `cycle: Op → "a" reads Op → "a"`, g: Graph{Nodes: []*Node{node("a", "a")}}},
		{name: "a cycle behind others", err: `cycle: Op → "c" reads Op → "b" reads Op → "c"`,
			g: Graph{Nodes: []*Node{node("d", "c"), node("c", "b", "a"), node("b", "c"), node("a")}}},
		{name: "a cycle through a branch", err: `cycle: If → "a" reads Op → "b" reads If → "a"`,
			g: Graph{Nodes: []*Node{reading("a", &Graph{Nodes: []*Node{node("y", "b")}}), node("b", "a")}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.g.Order()
			switch {
			case c.err != "":
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("%v, want an error with %s", err, c.err)
				}
			case err != nil:
				t.Error(err)
			case !slices.Equal(got, c.want):
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

func TestOrderOfAFunctionKnowsItsInputs(t *testing.T) {
	f := &Function{Inputs: []string{"x"}, Nodes: []*Node{{OpType: "B", Inputs: []string{"a"}, Outputs: []string{"b"}},
		{OpType: "A", Inputs: []string{"x"}, Outputs: []string{"a"}}, {OpType: "C", Inputs: []string{"b"}, Outputs: []string{"x"}}}}
	if got, err := f.Order(); err != nil || !slices.Equal(got, []int{1, 0, 2}) {
		t.Errorf("%v, %v", got, err)
	}
}

// A graph as deep as it is long needs no deep stack, and a long cycle no long message.
func TestOrderOfALongChain(t *testing.T) {
	var nodes []*Node
	for i := range 200_000 {
		nodes = append(nodes, &Node{OpType: "Op", Inputs: []string{fmt.Sprint(i + 1)}, Outputs: []string{fmt.Sprint(i)}})
	}
	order, err := (&Graph{Nodes: nodes}).Order()
	if err != nil || order[0] != len(nodes)-1 || !slices.IsSortedFunc(order, func(a, b int) int { return b - a }) {
		t.Error(err)
	}
	nodes[len(nodes)-1].Inputs[0] = "0"
	if _, err := (&Graph{Nodes: nodes}).Order(); err == nil || len(err.Error()) > 400 || !strings.Contains(err.Error(), "(199994 more)") {
		t.Error(err)
	}
}
