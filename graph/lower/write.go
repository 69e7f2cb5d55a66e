package lower

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/op"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/fold"
)

// written lowers an operator that importer/fold writes in others, step by step.
func written(b *builder, s importer.Step, in []*value) ([]*G.Node, error) {
	arrays := make([]*fold.Array, len(in))
	for i, v := range in {
		if v != nil {
			arrays[i] = v.Array
		}
	}
	w, ok, err := fold.Write(s.Node, s.Opset, arrays)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, fmt.Errorf("this operator runs only on the host, on integers and shapes")
	}
	values := map[*fold.Array]*value{}
	for i, a := range w.In {
		if a != nil {
			values[a] = in[i]
		}
	}
	find := func(a *fold.Array) *value {
		if a == nil {
			return nil
		}
		if values[a] == nil {
			values[a] = &value{Array: a, source: importer.Constant, name: s.Node.OpType}
		}
		return values[a]
	}
	for _, step := range w.Steps {
		args := make([]*value, len(step.In))
		for i, a := range step.In {
			args[i] = find(a)
		}
		t := importer.Step{Node: step.Node, Opset: step.Opset}
		for _, a := range step.Out {
			t.Out = append(t.Out, importer.Operand{Source: importer.Computed, Array: a})
		}
		out, err := b.apply(t, args)
		if err != nil {
			return nil, fmt.Errorf("its %s: %w", step.Node.OpType, err)
		}
		for i, v := range out {
			values[step.Out[i]] = v
		}
	}
	out := make([]*G.Node, len(w.Out))
	for i, a := range w.Out {
		if i >= len(s.Out) || s.Out[i].Source == importer.Absent {
			continue
		}
		if out[i], err = b.elements(find(a)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// apply adds the nodes of an operator, by its rule or as it is written in others, and returns its outputs; those that
// are left out are nil.
func (b *builder) apply(s importer.Step, in []*value) ([]*value, error) {
	r, ok := rules[key{s.Node.Domain, s.Node.OpType}]
	if !ok {
		r = written
	}
	out := make([]*value, len(s.Out))
	wanted := false
	s.Out = slices.Clone(s.Out)
	for i, o := range s.Out {
		switch {
		case o.Source == importer.Absent:
		case o.Array.Size() == 0: // there is nothing to compute
			out[i] = &value{Array: none(o.Array), source: importer.Constant, name: o.Name}
			s.Out[i] = importer.Operand{}
		default:
			if err := checkShape(o.Array); err != nil {
				return nil, err
			}
			wanted = true
		}
	}
	if !wanted {
		return out, nil
	}
	nodes, err := r(b, s, in)
	if err != nil {
		return nil, err
	}
	for i, o := range s.Out {
		if o.Source == importer.Absent {
			continue
		}
		if i >= len(nodes) || nodes[i] == nil {
			return nil, fmt.Errorf("its output %d is not computed", i)
		}
		n, err := op.Reshape(nodes[i], o.Array.Size())
		if err != nil {
			return nil, err
		}
		out[i] = &value{Array: o.Array, node: n, source: importer.Computed, name: o.Name}
	}
	return out, nil
}

// none is an array without elements, which are known therefore.
func none(a *fold.Array) *fold.Array {
	b := fold.Unknown(a.Type, a.Shape...)
	if isFloat(a.Type) {
		b.Floats = []float64{}
	} else {
		b.Ints = []int64{}
	}
	return b
}
