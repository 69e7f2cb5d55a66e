package importer

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// heads is an operand of attention as found in the graph: a matrix of tokens, split into heads by moving elements, and
// perhaps turned by rotary embeddings.
type heads struct {
	from  string // the value [batch, sequence, …], or what a turn gives
	scale float64
	chain []move // the moves and scalings after it
	turn  *turn  // or nil
}

// moves are those of the chain without the scalings.
func (h heads) moves() []move {
	return slices.DeleteFunc(slices.Clone(h.chain), func(m move) bool { return m.node.OpType == "Mul" || m.node.OpType == "Div" })
}

// nodes are all nodes of the operand.
func (h heads) nodes() []*onnx.Node {
	if h.turn == nil {
		return nodesOf(h.chain)
	}
	return append(slices.Clone(h.turn.nodes), nodesOf(h.chain)...)
}

// attention recognises multi-head self-attention: scores of q and k, scaled, masked for padding alone, their softmax,
// and its product with v, written with whatever moves.
func (r *recogniser) attention(name string, _ *onnx.Node) (Value, error) {
	out, chain := r.path(name)
	mix := r.s.g.producer(out)
	probs, vName, ok := r.operands(mix, "MatMul")
	if !ok || !r.active(probs) || !r.active(vName) {
		return None, nil
	}
	nodes := append([]*onnx.Node{mix}, nodesOf(chain)...)
	soft, more := r.softmax(probs)
	if soft == nil {
		return None, nil
	}
	nodes = append(append(more, soft), nodes...)
	sc, err := r.scores(soft.Inputs[0])
	if err != nil || sc == nil {
		return None, err
	}
	nodes = append(sc.nodes, nodes...)

	h, d, ok := r.headShape(probs, out)
	if !ok {
		return None, nil
	}
	back, err := r.trace(out, chain)
	if err != nil {
		return None, err
	}
	if !r.joins(back, h, d) {
		return None, nil
	}
	q, k, v := r.operand(sc.q), r.operand(sc.k), r.operand(vName)
	var values [3]func() (Value, error)
	for i, x := range []struct {
		*heads
		name   string
		turned bool
	}{{&q, sc.q, false}, {&k, sc.k, !sc.turned}, {&v, vName, false}} {
		if values[i], err = r.splits(x.heads, h, d, x.turned); err != nil {
			return None, err
		}
		if values[i] == nil {
			return None, fmt.Errorf("%v: the operand %q of attention is not split into %d heads of %d in a way that "+
				"graft recognises", soft, x.name, h, d)
		}
	}
	if v.scale != 1 {
		return None, fmt.Errorf("%v: the values are scaled by %g, which graft's attention does not", soft, v.scale)
	}
	scale := sc.scale * q.scale * k.scale
	if math.IsNaN(scale) || math.IsInf(scale, 0) {
		return None, fmt.Errorf("%v: its scores are scaled by %g", soft, scale)
	}
	o := &Attention{Heads: h, Scale: float32(scale)}
	o.Origin = Origin{name, slices.Concat(q.nodes(), k.nodes(), v.nodes(), nodes)}
	if o.Window, err = r.window(soft, sc.masks, h); err != nil {
		return None, err
	}
	if sc.bias != "" {
		if o.Bias, o.Buckets, err = r.bias(sc.bias, h); err == nil && o.Bias == nil {
			o.Slopes, err = r.slopesOf(sc.bias, h)
		}
		if err != nil {
			return None, fmt.Errorf("%v: %w", soft, err)
		}
	}
	for i, at := range []*Value{&o.Q, &o.K, &o.V} {
		if *at, err = values[i](); err != nil {
			return None, err
		}
	}
	return r.put(o)
}

// headShape is the number of heads and their width, by the shapes of the probabilities [.., sequence, sequence] and of
// what they mix [.., sequence, d].
func (r *recogniser) headShape(probs, out string) (h, d int, ok bool) {
	p, o := r.s.value(probs), r.s.value(out)
	n := len(o.Shape)
	if n < 2 || len(p.Shape) != n || !slices.Equal(p.Shape[:n-1], o.Shape[:n-1]) || o.Shape[n-2] != r.s.seq ||
		p.Shape[n-1] != r.s.seq {
		return 0, 0, false
	}
	h, d = p.Size()/(r.s.batch*r.s.seq*r.s.seq), o.Shape[n-1]
	return h, d, h > 0 && d > 0 && p.Size() == r.s.batch*h*r.s.seq*r.s.seq
}

// softmax finds the softmax over the last axis below a value, through the guard that exporters add for rows that are
// masked completely: Where(IsNaN(p), 0, p).
func (r *recogniser) softmax(name string) (*onnx.Node, []*onnx.Node) {
	n := r.s.g.producer(name)
	var more []*onnx.Node
	if n != nil && n.OpType == "Where" && len(n.Inputs) == 3 {
		test := r.s.g.producer(n.Inputs[0])
		zero, isScalar := r.scalar(n.Inputs[1])
		p := r.s.g.resolve(n.Inputs[2])
		if test == nil || test.OpType != "IsNaN" || r.s.g.resolve(test.Inputs[0]) != p || !isScalar || zero != 0 {
			return nil, nil
		}
		more = []*onnx.Node{test, n}
		n = r.s.g.producer(p)
	}
	if n == nil || n.OpType != "Softmax" || n.Domain != "" {
		return nil, nil
	}
	rank := int64(len(r.s.value(n.Inputs[0]).Shape))
	axis := int64(-1)
	if opset := r.s.g.opsets[""]; opset < 13 {
		axis = 1 // and flattens what follows, which is the same for the last axis alone
	}
	if a := n.Attribute("axis"); a != nil {
		axis = a.I
	}
	if axis != -1 && axis != rank-1 {
		return nil, nil
	}
	return n, more
}

// scores are q·kᵀ with what is done to them before the softmax.
type scores struct {
	q, k   string
	turned bool // k is [.., sequence, d], turned by the product itself
	scale  float64
	masks  []mask
	bias   string // what is added to the scaled scores by position, or ""
	nodes  []*onnx.Node
}

// scores walks from the softmax down to the product of q and k.
func (r *recogniser) scores(name string) (*scores, error) {
	sc := &scores{scale: 1}
	for {
		n := r.s.g.producer(name)
		if n == nil || !r.active(name) || len(sc.nodes) == maxChain {
			return nil, nil
		}
		sc.nodes = append([]*onnx.Node{n}, sc.nodes...)
		switch {
		case n.OpType == "MatMul" && n.Domain == "":
			sc.q, sc.k = r.s.g.resolve(n.Inputs[0]), r.s.g.resolve(n.Inputs[1])
			if !r.active(sc.q) || !r.active(sc.k) {
				return nil, nil
			}
			return sc, nil
		case n.OpType == "FusedMatMul" && n.Domain == "com.microsoft":
			sc.q, sc.k = r.s.g.resolve(n.Inputs[0]), r.s.g.resolve(n.Inputs[1])
			if a := n.Attribute("alpha"); a != nil {
				sc.scale *= float64(a.F)
			}
			if a := n.Attribute("transA"); a != nil && a.I != 0 || !r.active(sc.q) || !r.active(sc.k) {
				return nil, nil
			}
			if a := n.Attribute("transB"); a != nil {
				sc.turned = a.I != 0
			}
			return sc, nil
		case n.OpType == "Add":
			a, b, ok := r.operands(n, "Add")
			if !ok {
				return nil, nil
			}
			if !r.active(a) || r.isPositional(a) {
				a, b = b, a
			}
			if !r.active(a) || r.isPositional(a) || !r.terms(sc, b) {
				return nil, nil
			}
			name = a
		case n.OpType == "Where" && len(n.Inputs) == 3:
			c, x, y := n.Inputs[0], n.Inputs[1], n.Inputs[2]
			m := mask{r.s.g.resolve(c), keepWhere, sc.scale}
			if !r.active(x) {
				x, y, m.kind = y, x, hideWhere
			}
			if !r.active(x) || !r.hides(y, sc.scale) {
				return nil, nil
			}
			sc.masks = append(sc.masks, m)
			name = r.s.g.resolve(x)
		case n.OpType == "Mul" || n.OpType == "Div":
			a, b, ok := r.operands(n, "Mul", "Div")
			if !ok {
				return nil, nil
			}
			if n.OpType == "Mul" && !r.active(a) {
				a, b = b, a
			}
			f, ok := r.scalar(b)
			if !ok || !r.active(a) {
				return nil, nil
			}
			if n.OpType == "Div" {
				f = 1 / f
			}
			sc.scale *= f
			name = a
		default:
			return nil, nil
		}
	}
}

// hides tells whether every element of a constant, times a scale, hides a score.
func (r *recogniser) hides(name string, scale float64) bool {
	v := r.s.value(name)
	if v == nil || v.kind != constant || len(v.Floats) == 0 {
		return false
	}
	for _, x := range v.Floats {
		if !(x*scale <= hidden) { // nor is NaN
			return false
		}
	}
	return true
}

// operand follows q, k or v from the product back to its matrix of tokens, through moves, scaling and turns.
func (r *recogniser) operand(name string) heads {
	h := heads{from: name, scale: 1}
	for {
		from, chain := r.path(h.from)
		h.from, h.chain = from, append(chain, h.chain...)
		n := r.s.g.producer(from)
		f, ok := 0.0, false
		a, b, is := r.operands(n, "Mul", "Div")
		if is {
			if n.OpType == "Mul" && !r.active(a) {
				a, b = b, a
			}
			f, ok = r.scalar(b)
		}
		if !ok || !r.active(a) || len(h.chain) > maxChain {
			h.turn = r.turnOf(from)
			return h
		}
		if n.OpType == "Div" {
			f = 1 / f
		}
		h.scale *= f
		h.from, h.chain = a, append([]move{{n, 0}}, h.chain...)
	}
}

// splits tells whether an operand is some of the columns of its matrix of tokens split into h heads of d: element
// (b, head, s, j), or (b, head, j, s) if turned, is element (b, s, starts[head] + j) of the matrix, or turned from there.
// It returns what gives the operation, nil where the operand is something else. What a turn scales goes into x.scale.
func (r *recogniser) splits(x *heads, h, d int, turned bool) (func() (Value, error), error) {
	if x.turn != nil {
		return r.turnedHeads(x, h, d, turned)
	}
	width, ok := r.tokens(x.from)
	if !ok || width < d {
		return nil, nil
	}
	at, err := r.trace(x.from, x.moves())
	if err != nil {
		return nil, err
	}
	seq := r.s.seq
	if len(at) != r.s.batch*h*seq*d {
		return nil, nil
	}
	starts := make([]int, h)
	for i, k := range at {
		s, j := i/d%seq, i%d
		if turned {
			s, j = i%seq, i/seq%d
		}
		head, b := i/(seq*d)%h, i/(seq*d*h)
		if b == 0 && s == 0 && j == 0 {
			starts[head] = int(k)
		}
		if k != int64((b*seq+s)*width+starts[head]+j) || starts[head] > width-d {
			return nil, nil
		}
	}
	return func() (Value, error) { return r.headColumns(x.from, starts, d, nodesOf(x.moves())) }, nil
}

// joins tells whether moves put the heads back side by side: element (b, s, head·d + j) is element (b, head, s, j).
func (r *recogniser) joins(at []int64, h, d int) bool {
	seq := r.s.seq
	if len(at) != r.s.batch*h*seq*d {
		return false
	}
	for i, k := range at {
		j, head, s, b := i%d, i/d%h, i/(d*h)%seq, i/(d*h*seq)
		if k != int64(((b*h+head)*seq+s)*d+j) {
			return false
		}
	}
	return true
}
