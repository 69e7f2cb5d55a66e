package importer

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// summands are the terms that the scores are the sum of: those of an attention, with what is done to their sum.
type summands struct {
	soft    *onnx.Node
	content *term
	keys    *term // of queries and position keys
	queries *term // of keys and position queries
	masks   []mask
	nodes   []*onnx.Node
}

// term is one product of a sum of scores: left·right, [.., rows, d]·[.., d, columns].
type term struct {
	left, right string
	scale       float64
	index       string // of a term of relative positions: the column that each score is gathered from
	node        *onnx.Node
}

// disentangled recognises attention whose scores are sums of products: of queries and keys, and of either with what
// stands for their relative position, gathered by distance. See Attention.
func (r *recogniser) disentangled(name string, _ *onnx.Node) (Value, error) {
	out, chain := r.path(name)
	mix := r.s.g.producer(out)
	probs, vName, ok := r.operands(mix, "MatMul")
	if !ok || !r.active(probs) || !r.active(vName) {
		return None, nil
	}
	t, err := r.summands(probs)
	if t == nil || err != nil || t.content == nil {
		return None, err
	}
	h, d, ok := r.headShape(probs, out)
	if !ok {
		return None, nil
	}
	back, err := r.trace(out, chain)
	if err != nil || !r.joins(back, h, d) {
		return None, err
	}
	q, k, v := r.operand(t.content.left), r.operand(t.content.right), r.operand(vName)
	var values [3]func() (Value, error)
	for i, x := range []struct {
		*heads
		name   string
		turned bool
	}{{&q, t.content.left, false}, {&k, t.content.right, true}, {&v, vName, false}} {
		if values[i], err = r.splits(x.heads, h, d, x.turned); err != nil {
			return None, err
		}
		if values[i] == nil {
			return None, r.s.errorf(t.soft, "the operand %q of attention is not split into %d heads of %d in a way that graft "+
				"recognises", x.name, h, d)
		}
	}
	if v.scale != 1 {
		return None, r.s.errorf(t.soft, "the values are scaled by %g, which graft's attention does not", v.scale)
	}
	scale := t.content.scale * q.scale * k.scale
	if math.IsNaN(scale) || math.IsInf(scale, 0) || scale == 0 {
		return None, r.s.errorf(t.soft, "its scores are scaled by %g", scale)
	}
	o := &Attention{Heads: h, Scale: float32(scale)}
	o.Origin = Origin{name, slices.Concat(q.nodes(), k.nodes(), v.nodes(), t.nodes, []*onnx.Node{t.soft, mix}, nodesOf(chain))}
	if o.Window, err = r.window(t.soft, t.masks, h); err != nil {
		return None, err
	}
	if o.Window > 0 && (t.keys != nil || t.queries != nil) {
		return None, r.s.errorf(t.soft, "its scores have terms of relative positions and tokens see %d places to either side, "+
			"which graft's attention does not have together", o.Window)
	}
	for i, at := range []*Value{&o.Q, &o.K, &o.V} {
		if *at, err = values[i](); err != nil {
			return None, err
		}
	}
	if o.Keys, err = r.relative(t, t.keys, content{q.from, o.Q}, h, d, scale, false); err != nil {
		return None, err
	}
	if o.Queries, err = r.relative(t, t.queries, content{k.from, o.K}, h, d, scale, true); err != nil {
		return None, err
	}
	return r.put(o)
}

// content is an operand of the scores' product of queries and keys: the matrix of tokens, and those columns of it.
type content struct {
	from string
	v    Value
}

// relative recognises a term of relative positions, whose left operand is that of the content too and whose right one
// is a matrix of one row for each bucket. byKey tells that its rows are keys.
func (r *recogniser) relative(t *summands, x *term, c content, h, d int, scale float64, byKey bool) (*Relative, error) {
	if x == nil {
		return nil, nil
	}
	left, right := r.operand(x.left), r.operand(x.right)
	if left.from != c.from {
		return nil, r.s.errorf(x.node, "relative positions meet %q, want %q as in the scores' product of queries and keys",
			left.from, c.from)
	}
	// Exporters compute √d for each term, in float32.
	if s := x.scale * left.scale * right.scale; !(math.Abs(s-scale) <= 1e-6*math.Abs(scale)) {
		return nil, r.s.errorf(x.node, "relative positions are scaled by %g, the scores of queries and keys by %g", s, scale)
	}
	columns, err := r.splits(&left, h, d, false)
	if err != nil {
		return nil, err
	}
	rows, width, fixed := r.rowsOfWeights(right.from)
	if columns == nil || !fixed || width != h*d {
		return nil, r.s.errorf(x.node, "its operands %v and %v are not %d heads of %d of tokens and of relative positions",
			r.s.value(x.left).Array, r.s.value(x.right).Array, h, d)
	}
	if v, err := columns(); err != nil || v != c.v {
		if err == nil {
			err = r.s.errorf(x.node, "relative positions meet other columns of %q than the scores' product of queries and keys", left.from)
		}
		return nil, err
	}
	if ok, err := r.splitsRows(right, rows, h, d); err != nil || !ok {
		if err == nil {
			err = r.s.errorf(x.node, "the relative positions %q are not split into %d heads of %d in a way that graft recognises",
				x.right, h, d)
		}
		return nil, err
	}
	o := &Relative{}
	if o.Distance, err = r.distance(x.index, rows, byKey); err != nil {
		return nil, r.s.errorf(t.soft, "%w", err)
	}
	o.X, err = r.value(right.from)
	return o, err
}

// splitsRows tells whether an operand is a matrix [rows, h·d] split into heads and turned, for each sequence of a batch:
// element (b, head, j, row) is element (row, head·d + j) of the matrix.
func (r *recogniser) splitsRows(x heads, rows, h, d int) (bool, error) {
	at, err := r.trace(x.from, x.moves())
	if err != nil || len(at) != r.s.batch*h*d*rows {
		return false, err
	}
	i := 0
	for range r.s.batch {
		for column := range h * d {
			for row := range rows {
				if at[i] != int64(row*h*d+column) {
					return false, nil
				}
				i++
			}
		}
	}
	return true, nil
}

// summands walks from the probabilities down to the products that their scores are the sum of. It returns nil where it
// meets anything else.
func (r *recogniser) summands(probs string) (*summands, error) {
	t := &summands{}
	for name := probs; t.soft == nil; {
		from, turned, nodes, err := r.order(name)
		if err != nil || turned {
			return nil, err
		}
		t.nodes = append(nodes, t.nodes...)
		n := r.s.g.producer(from)
		if x := r.zeroed(n); x != "" { // what is hidden is set to zero once more
			t.masks = append(t.masks, mask{r.s.g.resolve(n.Inputs[0]), hideWhere, 1})
			t.nodes = append([]*onnx.Node{n}, t.nodes...)
			name = x
			continue
		}
		soft, more := r.softmax(from)
		if soft == nil || len(t.nodes) > maxChain {
			return nil, nil
		}
		t.soft, t.nodes = soft, append(more, t.nodes...)
	}
	ok, err := r.addends(t, t.soft.Inputs[0], 1, false, true)
	if !ok || err != nil {
		return nil, err
	}
	return t, nil
}

// zeroed is what a node gives but for where it puts zeros by a mask.
func (r *recogniser) zeroed(n *onnx.Node) string {
	if n == nil || n.OpType != "Where" || len(n.Inputs) != 3 || r.s.value(n.Inputs[0]).kind > index || !r.active(n.Inputs[2]) ||
		!r.scoreShaped(n.Outputs[0]) {
		return ""
	}
	if zero, ok := r.scalar(n.Inputs[1]); !ok || zero != 0 {
		return ""
	}
	return r.s.g.resolve(n.Inputs[2])
}

// scoreShaped tells whether a value is [batch, heads, sequence, sequence], as masks are held against.
func (r *recogniser) scoreShaped(name string) bool {
	s := r.s.value(name).Shape
	return len(s) == 4 && s[0] == r.s.batch && s[2] == r.s.seq && s[3] == r.s.seq
}

// order follows moves that keep the order of scores, or turn queries and keys.
func (r *recogniser) order(name string) (from string, turned bool, chain []*onnx.Node, err error) {
	from, moved := r.path(name)
	if len(moved) == 0 {
		return from, false, nil, nil
	}
	at, err := r.trace(from, moved)
	if err != nil {
		return "", false, nil, err
	}
	n, same := r.s.seq, len(at) == r.s.value(from).Size()
	turned = same
	for i, k := range at {
		same = same && k == int64(i)
		turned = turned && k == int64(i/(n*n)*n*n+i%n*n+i/n%n)
	}
	if !same && !turned {
		return name, false, nil, nil
	}
	return from, !same, nodesOf(moved), nil
}

// addends adds the products that a value is the sum of, times a scale, to the terms; turned tells that its rows are keys
// and its columns queries, whole that it is all of the scores, which may be masked.
func (r *recogniser) addends(t *summands, name string, scale float64, turned, whole bool) (ok bool, err error) {
	for {
		from, turn, chain, err := r.order(name)
		if err != nil || len(t.nodes) > maxChain {
			return false, err
		}
		name, turned = from, turned != turn
		n := r.s.g.producer(name)
		if n == nil || !r.active(name) {
			return false, nil
		}
		t.nodes = append(append([]*onnx.Node{n}, chain...), t.nodes...)
		if f, x, ok := r.factor(n); ok {
			scale *= f
			name = x
			continue
		}
		switch {
		case n.OpType == "MatMul" || n.OpType == "GatherElements":
			return r.addend(t, n, scale, turned)
		case n.OpType == "Add":
			a, b, ok := r.operands(n, "Add")
			if !ok {
				return false, nil
			}
			if r.active(a) && r.active(b) {
				if ok, err := r.addends(t, a, scale, turned, false); !ok || err != nil {
					return false, err
				}
				name, whole = b, false
				continue
			}
			if !r.active(a) {
				a, b = b, a
			}
			if zero, ok := r.scalar(b); !ok || zero != 0 {
				if r.s.value(b).kind == parameter || !whole || turned || !r.scoreShaped(name) {
					return false, nil
				}
				t.masks = append(t.masks, mask{b, added, scale})
			}
			name = a
		case n.OpType == "Where" && len(n.Inputs) == 3 && whole && !turned && r.scoreShaped(name):
			m := mask{r.s.g.resolve(n.Inputs[0]), keepWhere, scale}
			x, y := n.Inputs[1], n.Inputs[2]
			if !r.active(x) {
				x, y, m.kind = y, x, hideWhere
			}
			if !r.active(x) || !r.hides(y, scale) {
				return false, nil
			}
			t.masks = append(t.masks, m)
			name = r.s.g.resolve(x)
		default:
			return false, nil
		}
	}
}

// factor takes a node apart that scales an activation.
func (r *recogniser) factor(n *onnx.Node) (f float64, x string, ok bool) {
	a, b, ok := r.operands(n, "Mul", "Div")
	if !ok {
		return 0, "", false
	}
	if n.OpType == "Mul" && !r.active(a) {
		a, b = b, a
	}
	f, ok = r.scalar(b)
	if n.OpType == "Div" {
		f = 1 / f
	}
	return f, a, ok && r.active(a)
}

// addend adds one product, gathered by distance or as it is.
func (r *recogniser) addend(t *summands, n *onnx.Node, scale float64, turned bool) (bool, error) {
	x := &term{scale: scale, node: n}
	slot := &t.content
	if n.OpType == "GatherElements" {
		data, index, ok := r.operands(n, "GatherElements")
		axis, rank := int64(0), int64(len(r.s.value(n.Inputs[0]).Shape))
		if a := n.Attribute("axis"); a != nil {
			axis = a.I
		}
		if !ok || axis != -1 && axis != rank-1 || !r.active(data) {
			return false, nil
		}
		if r.s.value(index).kind != constant {
			return false, r.s.errorf(n, "the relative positions %q depend on what the model's inputs hold", index)
		}
		slot = &t.keys
		if turned {
			slot = &t.queries
		}
		x.index = index
		for {
			from, chain := r.path(data)
			if len(chain) > 0 {
				return false, nil
			}
			p := r.s.g.producer(from)
			f, in, ok := r.factor(p)
			if !ok {
				n = p
				break
			}
			x.scale *= f
			data = in
		}
	} else if turned {
		return false, nil
	}
	left, right, ok := r.operands(n, "MatMul")
	if !ok || !r.active(left) || !r.active(right) {
		return false, nil
	}
	if *slot != nil && x.index == "" {
		return false, nil
	}
	if *slot != nil {
		return false, fmt.Errorf("%v: the scores have two terms of one kind", x.node)
	}
	x.left, x.right = left, right
	*slot = x
	return true, nil
}
