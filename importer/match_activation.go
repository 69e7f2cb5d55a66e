package importer

import (
	"errors"
	"math"

	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// activations are the functions of one variable that an Encoder knows.
var activations = map[string]func(x float64) float64{
	"gelu":      func(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) },
	"gelu_tanh": func(x float64) float64 { return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x))) },
	"relu":      func(x float64) float64 { return max(x, 0) },
	"silu":      func(x float64) float64 { return x / (1 + math.Exp(-x)) },
	"tanh":      math.Tanh,
}

// pointwise are the operators that treat each element alone.
var pointwise = map[string]bool{
	"Add": true, "Sub": true, "Mul": true, "Div": true, "Pow": true, "Min": true, "Max": true, "Erf": true, "Tanh": true,
	"Sigmoid": true, "Relu": true, "Exp": true, "Neg": true, "Sqrt": true, "Abs": true, "Softplus": true, "Gelu": true,
	"QuickGelu": true, "FastGelu": true,
}

// root is the activation that a value is a function of, element by element with constants alone: the value itself
// where it is no such function.
func (r *recogniser) root(name string) string {
	name = r.s.g.resolve(name)
	if to, ok := r.roots[name]; ok {
		return to
	}
	to := ""
	n := r.s.g.producer(name)
	if n == nil || !pointwise[n.OpType] || len(n.Outputs) != 1 {
		to = name
	} else {
		for _, in := range n.Inputs {
			if _, ok := r.scalar(in); ok {
				continue
			}
			x := name
			if r.active(in) {
				x = r.root(in)
			}
			if to != "" && x != to {
				x = name
			}
			to = x
			if to == name {
				break
			}
		}
		if to == "" {
			to = name
		}
	}
	r.roots[name] = to
	return to
}

// activation recognises an activation function by its values, however it is written.
func (r *recogniser) activation(name string, n *onnx.Node) (Value, error) {
	from := r.root(name)
	if from == name {
		return None, nil
	}
	x := samples(r.s.value(from).Type)
	memo := map[string]*fold.Array{from: x}
	nodes, err := r.sample(name, memo, nil)
	if err != nil {
		return None, nil // some operator of it has no values on the host
	}
	y := memo[name]
	for f, g := range activations {
		if closeTo(x.Floats, y.Floats, g) {
			v, err := r.value(from)
			if err != nil {
				return None, err
			}
			return r.put(&Activation{Origin: Origin{name, nodes}, X: v, Func: f})
		}
	}
	return None, nil
}

// samples are where activations are compared: closely around 0, and as far out as float16 reaches, where a bound would
// show.
func samples(t onnx.DataType) *fold.Array {
	x := &fold.Array{Type: t}
	for v := -8.0; v <= 8; v += 1. / 16 {
		x.Floats = append(x.Floats, v)
	}
	for v := 16.0; v < 1<<16; v *= 2 {
		x.Floats = append(x.Floats, v, -v)
	}
	x.Shape = []int{len(x.Floats)}
	return x
}

// sample computes a value as a function of what memo starts with, and lists the nodes on the way.
func (r *recogniser) sample(name string, memo map[string]*fold.Array, nodes []*onnx.Node) ([]*onnx.Node, error) {
	name = r.s.g.resolve(name)
	if memo[name] != nil {
		return nodes, nil
	}
	if len(memo) > maxChain {
		return nil, errors.New("it has too many nodes for an activation")
	}
	if v := r.s.values[name]; v.kind == constant {
		memo[name] = v.Array
		return nodes, nil
	}
	n := r.s.g.producer(name)
	inputs := make([]*fold.Array, len(n.Inputs))
	for i, in := range n.Inputs {
		var err error
		if nodes, err = r.sample(in, memo, nodes); err != nil {
			return nil, err
		}
		inputs[i] = memo[r.s.g.resolve(in)]
	}
	out, err := r.s.call(n, inputs)
	if err != nil {
		return nil, err
	}
	memo[name] = out[0]
	return append(nodes, n), nil
}

// closeTo compares in float32's precision: an exporter's constants such as √2 are rounded to it, and the steps between
// are. 2⁻²⁰ is 8 units in the last place of 1.
func closeTo(x, y []float64, f func(float64) float64) bool {
	if len(y) != len(x) {
		return false
	}
	for i := range x {
		want := f(x[i])
		if d := math.Abs(y[i] - want); !(d <= math.Max(1, math.Abs(want))/(1<<20)) {
			return false
		}
	}
	return true
}
