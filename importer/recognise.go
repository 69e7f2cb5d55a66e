package importer

import (
	"errors"
	"fmt"
	"slices"

	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// probes are the batch sizes and sequence lengths at which a graph is recognised. What holds for both, with sizes that
// are coprime to each other, holds for the shape arithmetic of every exporter.
var probes = [...]struct{ batch, seq int }{{2, 7}, {3, 5}}

// recognise finds the encoder in a graph. It looks at what nodes compute rather than at how they are written: layouts
// are told by where they move each element, activations by their values, masks by what they let through.
func (g *graph) recognise() (*Encoder, error) {
	var first *Encoder
	for i, p := range probes {
		s, err := g.specialise(p.batch, p.seq, nil)
		if err != nil {
			return nil, err
		}
		r := &recogniser{s: s, e: &Encoder{}, memo: map[string]Value{}, failed: map[string]error{},
			weights: map[*onnx.Tensor]*Weight{}, indexes: map[string]int{}, roots: map[string]string{}}
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
	e       *Encoder
	memo    map[string]Value
	failed  map[string]error
	weights map[*onnx.Tensor]*Weight
	indexes map[string]int
	roots   map[string]string
}

// outputs recognises every output of the graph that it can; an error says why there is none.
func (r *recogniser) outputs() error {
	var errs []error
	for _, o := range r.s.g.file.Graph.Outputs {
		v, err := r.value(o.Name)
		if err != nil {
			errs = append(errs, fmt.Errorf("output %q: %w", o.Name, err))
			continue
		}
		_, tokens := r.tokens(o.Name)
		r.e.Outputs = append(r.e.Outputs, Output{Name: o.Name, Value: v, Width: r.width(o.Name), Pooled: !tokens})
	}
	if len(r.e.Outputs) == 0 {
		if len(errs) == 0 {
			return errors.New("the graph has no output")
		}
		return errors.Join(errs...)
	}
	return nil
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
	if n == nil || v == nil || v.kind != activation {
		return None, fmt.Errorf("the value %q depends on no weight of the model", name)
	}
	for _, m := range []matcher{r.layerNorm, r.linear, r.attention, r.activation, r.embedding, r.layout, r.add} {
		if v, err := m(name, n); err != nil || v != None {
			return v, err
		}
	}
	opset, err := r.s.g.opset(n)
	if err != nil {
		return None, err
	}
	return None, fmt.Errorf("%v (opset %d, %v): the operator is part of no block that graft recognises", n, opset, v.Array)
}

// put appends an operation.
func (r *recogniser) put(o Op) (Value, error) {
	r.e.Ops = append(r.e.Ops, o)
	return Value(len(r.e.Ops) - 1), nil
}

// weight is the parameter that a view shows, under the name that it gets where it is met first.
func (r *recogniser) weight(v *view, name string) *Weight {
	w := r.weights[v.tensor]
	if w == nil {
		w = &Weight{Name: name, Tensor: v.tensor}
		for _, d := range v.tensor.Dims {
			w.Shape = append(w.Shape, int(d))
		}
		r.weights[v.tensor] = w
		r.e.Weights = append(r.e.Weights, w)
	}
	return w
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
	if v := r.s.value(name); v != nil && v.kind == parameter && len(v.Shape) == 1 && v.Shape[0] == n {
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

// run applies nodes that move elements, one after another, to x: each takes the last one's output as first input.
func (r *recogniser) run(chain []*onnx.Node, x *fold.Array) (*fold.Array, error) {
	for _, n := range chain {
		opset, err := r.s.g.opset(n)
		if err != nil {
			return nil, err
		}
		f, err := fold.Lookup(n, opset)
		if err != nil {
			return nil, err
		}
		c := fold.Call{Node: n, In: make([]*fold.Array, len(n.Inputs))}
		for i, in := range n.Inputs {
			if in != "" {
				c.In[i] = r.s.value(in).Array
			}
		}
		c.In[0] = x
		out, err := f(c)
		if err != nil {
			return nil, fmt.Errorf("%v: %w", n, err)
		}
		x = out[0]
	}
	return x, nil
}

// sameStructure tells whether two encoders of one graph are the same but for where they were found.
func sameStructure(a, b *Encoder) bool {
	if len(a.Ops) != len(b.Ops) || len(a.Weights) != len(b.Weights) || !slices.Equal(a.Hidden, b.Hidden) ||
		!slices.Equal(a.Layers, b.Layers) || !slices.Equal(a.Outputs, b.Outputs) {
		return false
	}
	for i, o := range a.Ops {
		switch x := o.(type) {
		case *Linear:
			y, ok := b.Ops[i].(*Linear)
			if !ok || x.X != y.X || x.W.Tensor != y.W.Tensor || x.Trans != y.Trans {
				return false
			}
		case *Attention:
			y, ok := b.Ops[i].(*Attention)
			if !ok || x.Q != y.Q || x.K != y.K || x.V != y.V || x.Heads != y.Heads || x.Scale != y.Scale {
				return false
			}
		default:
			if o.Where().Output != b.Ops[i].Where().Output {
				return false
			}
		}
	}
	return true
}
