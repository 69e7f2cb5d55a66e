package importer

import (
	"fmt"
	"slices"

	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// moves are the operators that only move or repeat elements of their first input, given constants for the others.
var moves = []string{"Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Slice", "Gather", "Split", "Expand", "Tile"}

// move is a node that only moves elements, with which of its outputs is meant.
type move struct {
	node   *onnx.Node
	output int
}

// nodesOf are the nodes of a chain of moves.
func nodesOf(chain []move) []*onnx.Node {
	var out []*onnx.Node
	for _, m := range chain {
		out = append(out, m.node)
	}
	return out
}

// path walks back from a value through nodes that only move elements, to the value they start from.
func (r *recogniser) path(name string) (from string, chain []move) {
	from = r.s.g.resolve(name)
	for {
		n := r.s.g.producer(from)
		if len(chain) == maxChain || !r.moves(n) {
			return from, chain
		}
		chain = append([]move{{n, slices.Index(n.Outputs, from)}}, chain...)
		from = r.s.g.resolve(n.Inputs[0])
	}
}

// moves tells whether a node only moves elements of an activation.
func (r *recogniser) moves(n *onnx.Node) bool {
	if n == nil || n.Domain != "" || !slices.Contains(moves, n.OpType) || !r.active(n.Inputs[0]) {
		return false
	}
	for _, in := range n.Inputs[1:] {
		if in != "" && r.s.value(in).kind != constant {
			return false
		}
	}
	return true
}

// trace tells where a chain of moves takes each element from: element i of the result is element trace[i] of the value
// that the chain starts from.
func (r *recogniser) trace(from string, chain []move) ([]int64, error) {
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

// layout recognises moves that leave packed rows as they are, take some columns of them, or the first token of each
// sequence.
func (r *recogniser) layout(name string, n *onnx.Node) (Value, error) {
	from, chain := r.path(name)
	if len(chain) == 0 {
		return None, nil
	}
	width, ok := r.tokens(from)
	if !ok {
		return r.pooledLayout(name, from, chain)
	}
	at, err := r.trace(from, chain)
	if err != nil {
		return None, err
	}
	rows := r.s.batch * r.s.seq
	first := len(at) == r.s.batch*width
	for i, k := range at {
		first = first && k == int64(i/width*r.s.seq*width+i%width)
	}
	if first {
		x, err := r.value(from)
		if err != nil {
			return None, err
		}
		return r.put(&First{Origin: Origin{name, nodesOf(chain)}, X: x})
	}
	n2 := len(at) / rows
	if len(at) == 0 || len(at)%rows != 0 || n2 > width {
		return None, nil
	}
	for i, k := range at {
		if k != at[0]+int64(i/n2*width+i%n2) {
			return None, nil
		}
	}
	if w, ok := r.tokens(name); n2 != width && (!ok || w != n2) && !(n2 == 1 && r.numbers(name)) {
		return None, nil
	}
	return r.columns(from, int(at[0]), n2, nodesOf(chain))
}

// pooledLayout recognises moves that leave a matrix of one row for each sequence as it is.
func (r *recogniser) pooledLayout(name, from string, chain []move) (Value, error) {
	if s := r.s.value(from).Shape; len(s) == 0 || s[0] != r.s.batch || r.s.value(name).Size() != r.s.value(from).Size() {
		return None, nil
	}
	at, err := r.trace(from, chain)
	if err != nil {
		return None, err
	}
	for i, k := range at {
		if k != int64(i) {
			return None, nil
		}
	}
	v, err := r.value(from)
	if err == nil && !r.pooled(v) {
		v = None
	}
	return v, err
}

// numbers tells whether a value has the shape [batch, sequence]: one number for each token.
func (r *recogniser) numbers(name string) bool {
	return slices.Equal(r.s.value(name).Shape, []int{r.s.batch, r.s.seq})
}

// headColumns are n columns of a matrix of tokens from each of some starts on, side by side.
func (r *recogniser) headColumns(from string, starts []int, n int, nodes []*onnx.Node) (Value, error) {
	together := true
	for i, at := range starts {
		together = together && at == starts[0]+i*n
	}
	if together {
		return r.columns(from, starts[0], len(starts)*n, nodes)
	}
	key := fmt.Sprintf("%s\x00columns %v %d", from, starts, n)
	if v, ok := r.memo[key]; ok {
		return v, nil
	}
	x, err := r.value(from)
	if err != nil {
		return None, err
	}
	o := &Concat{Origin: Origin{from, nodes}}
	if len(nodes) > 0 {
		o.Output = nodes[len(nodes)-1].Outputs[0]
	}
	for _, at := range starts {
		o.Parts = append(o.Parts, Part{x, at, n})
	}
	v, err := r.put(o)
	r.memo[key] = v
	return v, err
}

// columns are n columns of a matrix of tokens, by nodes that only move elements.
func (r *recogniser) columns(from string, at, n int, nodes []*onnx.Node) (Value, error) {
	x, err := r.value(from)
	if width, ok := r.tokens(from); err != nil || ok && n == width {
		return x, err
	}
	key := fmt.Sprintf("%s\x00columns %d %d", from, at, n)
	if v, ok := r.memo[key]; ok {
		return v, nil
	}
	output := from
	if len(nodes) > 0 {
		output = nodes[len(nodes)-1].Outputs[0]
	}
	v, err := r.put(&Columns{Origin: Origin{output, nodes}, X: x, From: at, N: n})
	r.memo[key] = v
	return v, err
}
