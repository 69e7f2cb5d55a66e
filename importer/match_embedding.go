package importer

import (
	"slices"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// lookup is one table of an embedding and the value that holds its row numbers.
type lookup struct {
	table *view
	index string
	node  *onnx.Node
}

// embedding recognises a sum of table look-ups.
func (r *recogniser) embedding(name string, n *onnx.Node) (Value, error) {
	ls := r.embeds(name)
	if len(ls) == 0 {
		return None, nil
	}
	if _, ok := r.tokens(name); !ok && !r.sameForAll(name) {
		return None, nil
	}
	o := &Embedding{Origin: Origin{Output: name}}
	for _, l := range ls {
		i, err := r.index(l.index)
		if err != nil {
			return None, err
		}
		o.Tables = append(o.Tables, r.weight(l.table, parameterName(l.table.tensor.Name, l.node, "weight")))
		o.Index = append(o.Index, i)
		o.Nodes = append(o.Nodes, l.node)
	}
	return r.put(o)
}

// maxTables bounds the tables of an embedding: a few nodes could ask for any number.
const maxTables = 16

// embeds lists the look-ups that a value is the sum of; nil where it is something else.
func (r *recogniser) embeds(name string) []lookup {
	name = r.s.g.resolve(name)
	if ls, ok := r.sums[name]; ok {
		return ls
	}
	ls := r.lookups(name)
	r.sums[name] = ls
	return ls
}

func (r *recogniser) lookups(name string) []lookup {
	n := r.s.g.producer(name)
	if a, b, ok := r.operands(n, "Add"); ok {
		x, y := r.embeds(a), r.embeds(b)
		if x == nil || y == nil || len(x)+len(y) > maxTables {
			return nil
		}
		return slices.Concat(x, y)
	}
	if n != nil && n.OpType == "Expand" && r.moves(n) && r.repeats(n.Inputs[0], name) {
		return r.embeds(n.Inputs[0])
	}
	table, rows, ok := r.operands(n, "Gather")
	if !ok {
		return nil
	}
	t, i := r.s.value(table), r.s.value(rows)
	if a := n.Attribute("axis"); a != nil && a.I != 0 || t.kind != parameter || t.param.trans || len(t.Shape) != 2 || i.kind > index {
		return nil
	}
	if s := i.Shape; len(s) == 0 || s[len(s)-1] != r.s.seq || len(s) > 2 {
		return nil
	}
	return []lookup{{t.param, rows, n}}
}

// repeats tells whether a value [.., sequence, width] is that of one name, for each sequence of the batch.
func (r *recogniser) repeats(from, name string) bool {
	a, b := r.s.value(from).Shape, r.s.value(name).Shape
	return len(a) >= 2 && len(b) >= 2 && slices.Equal(a[len(a)-2:], b[len(b)-2:]) && a[len(a)-2] == r.s.seq
}

// sameForAll tells whether a value holds rows of tables for the tokens of one sequence, which are those of all: it goes
// by positions.
func (r *recogniser) sameForAll(name string) bool {
	v := r.s.value(name)
	return len(v.Shape) >= 2 && v.Shape[len(v.Shape)-2] == r.s.seq && v.Size() == r.s.seq*r.width(name) && len(r.embeds(name)) > 0
}

// index numbers the values that hold row numbers.
func (r *recogniser) index(name string) (int, error) {
	if i, ok := r.indexes[name]; ok {
		return i, nil
	}
	x := newIndex(r.s.g, name)
	if err := x.check(r.s); err != nil {
		return 0, err
	}
	i := len(r.e.Indexes)
	r.indexes[name] = i
	r.e.Indexes = append(r.e.Indexes, x)
	return i, nil
}

// add recognises the sum of two activations of one shape.
func (r *recogniser) add(name string, n *onnx.Node) (Value, error) {
	a, b, ok := r.operands(n, "Add")
	if !ok || !r.active(a) || !r.active(b) {
		return None, nil
	}
	if p, q := r.s.value(a).Shape, r.s.value(b).Shape; !slices.Equal(p, q) &&
		!(slices.Equal(r.s.value(name).Shape, p) && r.sameForAll(b)) && !(slices.Equal(r.s.value(name).Shape, q) && r.sameForAll(a)) {
		return None, nil
	}
	x, y, err := r.both(a, b)
	if err != nil {
		return None, err
	}
	return r.put(&Add{Origin: Origin{name, []*onnx.Node{n}}, A: x, B: y})
}

// mul recognises the product of two activations of one shape, element by element: a gate.
func (r *recogniser) mul(name string, n *onnx.Node) (Value, error) {
	a, b, ok := r.operands(n, "Mul")
	if !ok || !r.active(a) || !r.active(b) || !slices.Equal(r.s.value(a).Shape, r.s.value(b).Shape) {
		return None, nil
	}
	x, y, err := r.both(a, b)
	if err != nil {
		return None, err
	}
	return r.put(&Mul{Origin: Origin{name, []*onnx.Node{n}}, A: x, B: y})
}

// both are the operations that compute two activations.
func (r *recogniser) both(a, b string) (x, y Value, err error) {
	if x, err = r.value(a); err != nil {
		return None, None, err
	}
	y, err = r.value(b)
	return x, y, err
}
