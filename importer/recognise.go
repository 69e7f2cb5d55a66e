package importer

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// probes are the batch sizes and sequence lengths at which a graph is recognised. What holds for both, with sizes that
// are coprime to each other, holds for the shape arithmetic of every exporter. Masks are looked at for a long sequence
// too.
var probes = [...]struct{ batch, seq int }{{2, 7}, {3, 5}}

// recognise finds the encoder in a graph. It looks at what nodes compute rather than at how they are written: layouts
// are told by where they move each element, activations by their values, masks by what they let through.
func (g *graph) recognise() (*Encoder, error) {
	var first *Encoder
	windows := map[string]int{}
	for i, p := range probes {
		s, err := g.specialise(p.batch, p.seq, nil)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			g.dropCasts(s)
		}
		r := &recogniser{s: s, probe: i, e: &Encoder{}, memo: map[string]Value{}, failed: map[string]error{},
			weights: map[*onnx.Tensor]*Weight{}, taken: map[string]*Weight{}, indexes: map[string]int{},
			roots: map[string]string{}, sums: map[string][]lookup{}, masks: map[string]checked{}, windows: windows,
			signatures: map[string]signature{}, tables: map[string]int{}, buckets: map[string]int{}, slopes: map[string]*Slopes{}, distances: map[string]int{}}
		if err := r.outputs(); err != nil {
			return nil, err
		}
		r.e.findLayers()
		if i == 0 {
			first = r.e
		} else if !sameStructure(first, r.e) {
			return nil, errors.New("the graph computes something else for other batch sizes or sequence lengths")
		}
	}
	return first, nil
}

// recogniser builds the Encoder of one specialised graph.
type recogniser struct {
	s       *spec
	probe   int // which of the probes it is
	e       *Encoder
	memo    map[string]Value
	failed  map[string]error
	weights map[*onnx.Tensor]*Weight
	taken   map[string]*Weight  // by name
	indexes map[string]int      // by value, into Encoder.Indexes
	roots   map[string]string   // by value: what it is a function of
	sums    map[string][]lookup // by value: the look-ups that it is the sum of
	masks   map[string]checked  // by the masks of an attention and what computes them
	windows map[string]int      // by the masks of an attention: the distance up to which tokens see each other, 0 for all

	signatures map[string]signature // by value: what computes it
	tables     map[string]int       // by value and columns, into Encoder.Tables
	buckets    map[string]int       // by value, into Encoder.Buckets
	slopes     map[string]*Slopes   // by what computes them
	distances  map[string]int       // by what computes them, into Encoder.Distances
}

// outputs recognises every output of the graph that it can; an error says why there is none.
func (r *recogniser) outputs() error {
	var errs []error
	for _, o := range r.s.g.model.Graph.Outputs {
		v, err := r.value(o.Name)
		if err != nil {
			errs = append(errs, fmt.Errorf("output %q: %w", o.Name, err))
			continue
		}
		width, pooled, err := r.output(o.Name, v)
		if err != nil {
			errs = append(errs, fmt.Errorf("output %q: %w", o.Name, err))
			continue
		}
		r.e.Outputs = append(r.e.Outputs, Output{Name: o.Name, Value: v, Width: width, Pooled: pooled})
	}
	if len(r.e.Outputs) == 0 {
		if len(errs) == 0 {
			return errors.New("the graph has no output")
		}
		return errors.Join(errs...)
	}
	if len(errs) > 0 {
		r.e.prune()
	}
	return nil
}

// output tells how many numbers an operation gives for each token, or, if pooled is set, for each sequence, and checks
// that the output that it stands for has a row for each of them.
func (r *recogniser) output(name string, v Value) (width int, pooled bool, err error) {
	pooled = r.pooled(v)
	shape := r.s.value(name).Shape
	w, ok := r.tokens(name)
	switch {
	case !pooled && ok:
		return w, false, nil
	case !pooled && r.numbers(name), pooled && slices.Equal(shape, []int{r.s.batch}):
		return 1, pooled, nil
	case pooled && len(shape) == 2 && shape[0] == r.s.batch:
		return shape[1], true, nil
	}
	return 0, pooled, fmt.Errorf("%v holds no row for each token or sequence", r.s.value(name).Array)
}

// pooled tells whether an operation gives one row a sequence rather than one a token.
func (r *recogniser) pooled(v Value) bool {
	for {
		switch r.e.Ops[v].(type) {
		case *First, *Mean:
			return true
		}
		from := operandsOf(r.e.Ops[v])
		if len(from) == 0 {
			return false
		}
		v = *from[0]
	}
}

// value returns the operation that computes an activation, adding it and what it needs to the encoder.
func (r *recogniser) value(name string) (Value, error) {
	name = r.s.g.resolve(name)
	if v, ok := r.memo[name]; ok {
		return v, nil
	}
	if err := r.failed[name]; err != nil {
		return None, err
	}
	v, err := r.match(name)
	if err != nil {
		r.failed[name] = err
		return None, err
	}
	r.memo[name] = v
	return v, nil
}

// matcher recognises one kind of operation. One that does not apply returns None without an error.
type matcher func(name string, n *onnx.Node) (Value, error)

// match tries the matchers, larger patterns before what they consist of.
func (r *recogniser) match(name string) (Value, error) {
	n := r.s.g.producer(name)
	v := r.s.values[name]
	if r.matrix(name) {
		return r.positionTable(name, n)
	}
	if n == nil || v == nil || v.kind != activation {
		return None, fmt.Errorf("the value %q depends on no weight of the model", name)
	}
	if n.Outputs[0] != name && n.OpType != "Split" {
		return None, r.s.errorf(n, "its output %q, not the first one, is part of no block that graft recognises", name)
	}
	for _, m := range []matcher{r.layerNorm, r.linear, r.attention, r.disentangled, r.activation, r.embedding, r.positionRows,
		r.layout, r.masked, r.mean, r.normalised, r.add, r.mul} {
		if v, err := m(name, n); err != nil || v != None {
			return v, err
		}
	}
	return None, r.s.errorf(n, "the operator, giving %v, is part of no block that graft recognises", v.Array)
}

// put appends an operation.
func (r *recogniser) put(o Op) (Value, error) {
	r.e.Ops = append(r.e.Ops, o)
	return Value(len(r.e.Ops) - 1), nil
}

// weight is the parameter that a view shows, under the first of some names that no other weight has, where it is met
// first; its name in the file, which is nobody else's, stands at the end of them. Where another weight has the name and
// equal elements, it is that one: exporters may write a matrix once for each layer that shares it.
func (r *recogniser) weight(v *view, names ...string) *Weight {
	w := r.weights[v.tensor]
	if w != nil {
		return w
	}
	w = &Weight{Tensor: v.tensor, numbers: sync.OnceValues(v.tensor.Float32s)}
	for _, name := range append(names, v.tensor.Name) {
		if r.copies(name, v) || r.copies(first(name), v) {
			return r.weights[v.tensor]
		}
		if other := r.s.g.inits[name]; name != "" && r.taken[name] == nil && (other == nil || other == v.tensor) {
			w.Name = name
			break
		}
	}
	r.taken[w.Name] = w
	for _, d := range v.tensor.Dims {
		w.Shape = append(w.Shape, int(d))
	}
	r.weights[v.tensor] = w
	r.e.Weights = append(r.e.Weights, w)
	return w
}

// copies takes a view's initialiser for a copy of the weight of a name, if it is one.
func (r *recogniser) copies(name string, v *view) bool {
	w := r.taken[name]
	if w == nil || r.weights[v.tensor] != nil || !sameTensor(w.Tensor, v.tensor) {
		return false
	}
	w.Copies = append(w.Copies, v.tensor)
	r.weights[v.tensor] = w
	return true
}

// sameTensor tells whether two initialisers have one type, shape and elements.
func sameTensor(a, b *onnx.Tensor) bool {
	if a.Type != b.Type || !slices.Equal(a.Dims, b.Dims) {
		return false
	}
	x, err := a.Bytes()
	if err != nil {
		return false
	}
	y, err := b.Bytes()
	return err == nil && bytes.Equal(x, y)
}

// operands returns the two inputs of a node of one of the given types of the default domain.
func (r *recogniser) operands(n *onnx.Node, types ...string) (a, b string, ok bool) {
	if n == nil || n.Domain != "" || len(n.Inputs) != 2 || !slices.Contains(types, n.OpType) {
		return "", "", false
	}
	return r.s.g.resolve(n.Inputs[0]), r.s.g.resolve(n.Inputs[1]), true
}

// row returns the weight that name shows if that is a vector of n elements.
func (r *recogniser) row(name string, n int) *view {
	if v := r.s.value(name); v != nil && len(v.Shape) == 1 && v.Shape[0] == n {
		return v.param
	}
	return nil
}

// active tells whether a value is an activation.
func (r *recogniser) active(name string) bool {
	v := r.s.value(name)
	return v != nil && v.kind == activation
}

// scalar returns a constant of one element.
func (r *recogniser) scalar(name string) (float64, bool) {
	if v := r.s.value(name); v != nil && v.kind == constant {
		return v.Scalar()
	}
	return 0, false
}

// width is the last dimension of a value.
func (r *recogniser) width(name string) int {
	s := r.s.value(name).Shape
	if len(s) == 0 {
		return 0
	}
	return s[len(s)-1]
}

// sides splits the inputs of a commutative node into an activation and the other one.
func (r *recogniser) sides(n *onnx.Node, types ...string) (act, other string, ok bool) {
	a, b, ok := r.operands(n, types...)
	if !ok {
		return "", "", false
	}
	if !r.active(a) {
		a, b = b, a
	}
	return a, b, r.active(a)
}

// run applies moves, one after another, to x: each takes the last one's output as first input.
func (r *recogniser) run(chain []move, x *fold.Array) (*fold.Array, error) {
	for _, m := range chain {
		inputs := make([]*fold.Array, len(m.node.Inputs))
		for i, in := range m.node.Inputs {
			if in != "" {
				inputs[i] = r.s.value(in).Array
			}
		}
		inputs[0] = x
		f, err := r.s.g.function(m.node)
		if err != nil {
			return nil, err
		}
		out, err := f(fold.Call{Node: m.node, In: inputs})
		if err != nil {
			return nil, r.s.errorf(m.node, "%w", err)
		}
		x = out[m.output]
	}
	return x, nil
}

// sameStructure tells whether two encoders of one graph are the same but for where they were found.
func sameStructure(a, b *Encoder) bool {
	if len(a.Ops) != len(b.Ops) || len(a.Weights) != len(b.Weights) || !slices.Equal(a.Hidden, b.Hidden) ||
		!slices.Equal(a.Layers, b.Layers) || a.Last != b.Last || !slices.Equal(a.Outputs, b.Outputs) ||
		!slices.EqualFunc(a.Distances, b.Distances, func(x, y *Distance) bool { return x.Limit == y.Limit }) {
		return false
	}
	for i := range a.Ops {
		if !sameOp(a.Ops[i], b.Ops[i]) {
			return false
		}
	}
	return true
}

// sameOp tells whether two operations compute the same of the same operands and weights.
func sameOp(a, b Op) bool {
	same := func(v, w *Value) bool { return *v == *w }
	tensors := func(v, w *Weight) bool { return v == nil && w == nil || v != nil && w != nil && v.Tensor == w.Tensor }
	if a.Where().Output != b.Where().Output || !slices.EqualFunc(operandsOf(a), operandsOf(b), same) ||
		!slices.EqualFunc(weightsOf(a), weightsOf(b), tensors) {
		return false
	}
	switch a := a.(type) {
	case *Embedding:
		b, ok := b.(*Embedding)
		return ok && slices.Equal(a.Index, b.Index)
	case *PositionTable:
		_, ok := b.(*PositionTable)
		return ok
	case *Linear:
		b, ok := b.(*Linear)
		return ok && a.Trans == b.Trans
	case *LayerNorm:
		b, ok := b.(*LayerNorm)
		return ok && a.Eps == b.Eps && a.RMS == b.RMS
	case *Activation:
		b, ok := b.(*Activation)
		return ok && a.Func == b.Func
	case *Add:
		_, ok := b.(*Add)
		return ok
	case *Mul:
		_, ok := b.(*Mul)
		return ok
	case *Columns:
		b, ok := b.(*Columns)
		return ok && a.From == b.From && a.N == b.N
	case *Concat:
		b, ok := b.(*Concat)
		return ok && slices.EqualFunc(a.Parts, b.Parts, func(p, q Part) bool { return p.From == q.From && p.N == q.N })
	case *Rotary:
		b, ok := b.(*Rotary)
		return ok && a.Cos == b.Cos && a.Sin == b.Sin && a.Heads == b.Heads && a.Interleaved == b.Interleaved && a.Inverse == b.Inverse
	case *Attention:
		b, ok := b.(*Attention)
		return ok && a.Heads == b.Heads && a.Scale == b.Scale && a.Window == b.Window && a.Buckets == b.Buckets &&
			(a.Slopes == nil) == (b.Slopes == nil) &&
			sameDistance(a.Keys, b.Keys) && sameDistance(a.Queries, b.Queries)
	case *First:
		_, ok := b.(*First)
		return ok
	case *Mean:
		_, ok := b.(*Mean)
		return ok
	case *Normalise:
		b, ok := b.(*Normalise)
		return ok && a.Eps == b.Eps
	}
	return false
}
