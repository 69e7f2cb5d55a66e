package importer

import (
	"fmt"
	"slices"

	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// Sequences of tensors are written out: as long as their lengths are known, they are only names for their elements.
// Exporters make them of chunk, split and unbind.

// names makes a value stand for the elements of a sequence.
func (e *emitter) names(elements []string) error {
	if e.output(0) == "" {
		return fmt.Errorf("it has no first output")
	}
	if err := e.x.spend(len(elements)); err != nil {
		return err
	}
	e.x.sequences[e.output(0)] = elements
	if e.nodes == nil {
		e.nodes = []*onnx.Node{}
	}
	return nil
}

// sequence is what a value stands for.
func (e *emitter) sequence(i int) ([]string, error) {
	s, ok := e.x.sequences[e.input(i)]
	for _, in := range e.x.model.Graph.Inputs {
		if in.Name == e.input(i) {
			return nil, fmt.Errorf("the model has an input %q of the type %v; graft knows sequences that nodes make", in.Name, in.Type)
		}
	}
	if !ok {
		return nil, fmt.Errorf("its input %q is no sequence whose length graft knows", e.input(i))
	}
	return s, nil
}

func sequenceConstruct(e *emitter, n *onnx.Node, _ knowledge) error {
	if slices.Contains(n.Inputs, "") {
		return fmt.Errorf("an element is missing")
	}
	return e.names(slices.Clone(n.Inputs))
}

func sequenceCopy(e *emitter, _ *onnx.Node, _ knowledge) error {
	if s, ok := e.x.sequences[e.input(0)]; ok {
		return e.names(s)
	}
	return nil // of a tensor
}

func sequenceLength(e *emitter, _ *onnx.Node, _ knowledge) error {
	s, err := e.sequence(0)
	if err == nil {
		err = e.need(1)
	}
	if err == nil {
		e.as(e.output(0), "Identity", "", []string{e.int(int64(len(s)))})
	}
	return err
}

func sequenceAt(e *emitter, _ *onnx.Node, know knowledge) error {
	s, err := e.sequence(0)
	if err == nil {
		err = e.need(2)
	}
	if err != nil {
		return err
	}
	i, err := e.place(1, len(s), know)
	if err != nil {
		return err
	}
	e.as(e.output(0), "Identity", "", []string{s[i]})
	return nil
}

// sequenceEdit inserts or takes away an element, the last one if no place is given.
func sequenceEdit(e *emitter, n *onnx.Node, know knowledge) error {
	s, err := e.sequence(0)
	if err != nil {
		return err
	}
	at, room := 1, len(s)
	if n.OpType == "SequenceInsert" {
		if err := e.need(2); err != nil {
			return err
		}
		at, room = 2, len(s)+1
	}
	i := room - 1
	if e.input(at) != "" {
		if i, err = e.place(at, room, know); err != nil {
			return err
		}
	}
	if n.OpType == "SequenceInsert" {
		return e.names(slices.Insert(slices.Clone(s), i, e.input(1)))
	}
	if i < 0 {
		return fmt.Errorf("there is nothing to take from a sequence of no elements")
	}
	return e.names(slices.Delete(slices.Clone(s), i, i+1))
}

// place is input i, a constant that numbers one of n places from either end.
func (e *emitter) place(i, n int, know knowledge) (int, error) {
	a, err := e.constantInput(i, know)
	if err != nil {
		return 0, err
	}
	v, ok := a.Scalar()
	if !ok {
		return 0, fmt.Errorf("its input %q is not the same for all inputs, batch sizes and lengths", e.input(i))
	}
	if v < 0 {
		v += float64(n)
	}
	if v < 0 || v >= float64(n) {
		return 0, fmt.Errorf("its input %q is outside of %d places", e.input(i), n)
	}
	return int(v), nil
}

// constantInput is a constant's array, or what is known of another value.
func (e *emitter) constantInput(i int, know knowledge) (*fold.Array, error) {
	name := e.input(i)
	if t := e.x.inits[name]; t != nil {
		return fold.FromTensor(t)
	}
	if m := e.x.makers[name]; m != nil && m.Domain == "" && m.OpType == "Constant" {
		f, err := fold.Lookup(m, e.opset())
		if err != nil {
			return nil, err
		}
		out, err := f(fold.Call{Node: m})
		if err != nil {
			return nil, err
		}
		return out[0], nil
	}
	if know == nil {
		return nil, errLate
	}
	return know(name)
}

// splitToSequence cuts a tensor along an axis: by sizes, in equal parts, or in slices of one whose axis is dropped unless
// keepdims is set.
func splitToSequence(e *emitter, n *onnx.Node, know knowledge) error {
	if err := e.need(1); err != nil {
		return err
	}
	axis, keep := e.intOr("axis", 0), true
	var sizes []int64
	if e.input(1) != "" {
		a, err := e.constantInput(1, know)
		if err != nil {
			return err
		}
		if a.Ints == nil {
			return fmt.Errorf("its sizes %q are not the same for all inputs, batch sizes and lengths", e.input(1))
		}
		if sizes = a.Ints; len(a.Shape) == 0 {
			d, err := e.dimension(n.Inputs[0], axis)
			if err != nil {
				return err
			}
			each := a.Ints[0]
			if each < 1 || d/each > maxNodes {
				return fmt.Errorf("parts of %d of an axis of %d", each, d)
			}
			sizes = nil
			for ; d > 0; d -= each {
				sizes = append(sizes, min(each, d))
			}
		}
	} else {
		d, err := e.dimension(n.Inputs[0], axis)
		if err != nil {
			return err
		}
		if d > maxNodes {
			return fmt.Errorf("%d parts are too many", d)
		}
		sizes, keep = slices.Repeat([]int64{1}, int(d)), e.intOr("keepdims", 1) != 0
	}
	if len(sizes) == 0 || len(sizes) > maxNodes {
		return fmt.Errorf("it has %d parts", len(sizes))
	}
	var parts []string
	for range sizes {
		parts = append(parts, e.x.fresh(e.scope()+"Split_output"))
	}
	in, attributes := []string{n.Inputs[0]}, []*onnx.Attribute{intAttribute("axis", axis)}
	if e.opset() >= 13 {
		in = append(in, e.ints(sizes...))
	} else {
		attributes = append(attributes, intsAttribute("split", sizes...))
	}
	e.nodes = append(e.nodes, &onnx.Node{OpType: "Split", Name: e.x.freshNode(e.scope() + "Split"), Inputs: in, Outputs: slices.Clone(parts),
		Attributes: attributes})
	if !keep {
		for i, p := range parts {
			if e.opset() >= 13 {
				parts[i] = e.add("Squeeze", []string{p, e.ints(axis)})
			} else {
				parts[i] = e.add("Squeeze", []string{p}, intsAttribute("axes", axis))
			}
		}
	}
	return e.names(parts)
}

// dimension is one of a value's that the file fixes.
func (e *emitter) dimension(name string, axis int64) (int64, error) {
	pick := func(rank int, at func(i int64) (int64, bool)) (int64, error) {
		k := axis
		if k < 0 {
			k += int64(rank)
		}
		if k < 0 || k >= int64(rank) {
			return 0, fmt.Errorf("axis %d is outside of rank %d", axis, rank)
		}
		d, ok := at(k)
		if !ok {
			return 0, fmt.Errorf("axis %d of %q has no fixed size in the file, so that the number of its parts is not known", axis, name)
		}
		return d, nil
	}
	if t := e.x.inits[name]; t != nil {
		return pick(len(t.Dims), func(i int64) (int64, bool) { return t.Dims[i], true })
	}
	g := e.x.model.Graph
	for _, v := range slices.Concat(g.Inputs, g.ValueInfo, g.Outputs) {
		if v != nil && v.Name == name && v.Type != nil && v.Type.Tensor != nil && v.Type.Tensor.Shape != nil {
			dims := v.Type.Tensor.Shape.Dims
			return pick(len(dims), func(i int64) (int64, bool) { return dims[i].Value, dims[i].Known && dims[i].Value >= 0 })
		}
	}
	return 0, fmt.Errorf("the shape of %q is not in the file, so that the number of its parts is not known", name)
}

// concatFromSequence joins the elements along an axis, a new one where new_axis is set.
func concatFromSequence(e *emitter, _ *onnx.Node, _ knowledge) error {
	s, err := e.sequence(0)
	if err == nil {
		err = e.need(1)
	}
	if err != nil {
		return err
	}
	if len(s) == 0 {
		return fmt.Errorf("the sequence %q has no elements", e.input(0))
	}
	axis := e.intOr("axis", 0)
	if e.intOr("new_axis", 0) != 0 {
		s = slices.Clone(s)
		for i, x := range s {
			s[i] = e.unsqueeze(x, axis)
		}
	}
	e.as(e.output(0), "Concat", "", s, intAttribute("axis", axis))
	return nil
}
