package importer

import (
	"fmt"
	"slices"

	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// moves are the operators that only move or repeat elements of their first input, given constants for the others.
var moves = []string{"Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Slice", "Gather", "Expand", "Tile"}

// path walks back from a value through nodes that only move elements, to the value they start from.
func (r *recogniser) path(name string) (from string, chain []*onnx.Node) {
	from = r.s.g.resolve(name)
	for {
		n := r.s.g.producer(from)
		if n == nil || len(chain) == maxChain || n.Domain != "" || !slices.Contains(moves, n.OpType) || !r.active(n.Inputs[0]) {
			return from, chain
		}
		for _, in := range n.Inputs[1:] {
			if in != "" && r.s.value(in).kind != constant {
				return from, chain
			}
		}
		chain = append([]*onnx.Node{n}, chain...)
		from = r.s.g.resolve(n.Inputs[0])
	}
}

// trace tells where a chain of moves takes each element from: element i of the result is element trace[i] of the value
// that the chain starts from.
func (r *recogniser) trace(from string, chain []*onnx.Node) ([]int64, error) {
	shape, n := r.s.value(from).Shape, r.s.value(from).Size()
	if n > fold.MaxElements {
		return nil, fmt.Errorf("%v is too large to follow its elements", r.s.value(from).Array)
	}
	x := make([]int64, n)
	for i := range x {
		x[i] = int64(i)
	}
	out, err := r.run(chain, fold.Ints(x, shape...))
	if err != nil {
		return nil, err
	}
	return out.Ints, nil
}

// tokens is the shape [batch, sequence, width] of a value that holds one row a token, also where it stands flattened.
func (r *recogniser) tokens(name string) (width int, ok bool) {
	s := r.s.value(name).Shape
	b, n := r.s.batch, r.s.seq
	switch {
	case len(s) == 3 && s[0] == b && s[1] == n:
		return s[2], true
	case len(s) == 2 && s[0] == b*n:
		return s[1], true
	}
	return 0, false
}

// layout recognises moves that leave packed rows as they are, or take the first token of each sequence.
func (r *recogniser) layout(name string, n *onnx.Node) (Value, error) {
	from, chain := r.path(name)
	if len(chain) == 0 {
		return None, nil
	}
	width, ok := r.tokens(from)
	if !ok {
		return None, nil
	}
	at, err := r.trace(from, chain)
	if err != nil {
		return None, err
	}
	same, first := len(at) == r.s.batch*r.s.seq*width, len(at) == r.s.batch*width
	for i, k := range at {
		same = same && k == int64(i)
		first = first && k == int64(i/width*r.s.seq*width+i%width)
	}
	switch {
	case same:
		return r.value(from)
	case first:
		x, err := r.value(from)
		if err != nil {
			return None, err
		}
		return r.put(&First{Origin: Origin{name, chain}, X: x})
	}
	return None, nil
}
