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
	sm := &sampler{r: r, memo: map[string]*fold.Array{from: x}}
	if err := sm.sample(name); err != nil {
		return None, nil // some operator of it has no values on the host
	}
	f := closest(x.Floats, sm.memo[name].Floats, sm.half)
	if f == "" {
		return None, nil
	}
	v, err := r.value(from)
	if err != nil {
		return None, err
	}
	return r.put(&Activation{Origin: Origin{name, sm.nodes}, X: v, Func: f})
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

// sampler computes a value as a function of what memo starts with.
type sampler struct {
	r     *recogniser
	memo  map[string]*fold.Array
	nodes []*onnx.Node // on the way
	half  bool         // a constant on the way has half precision
}

func (m *sampler) sample(name string) error {
	r := m.r
	name = r.s.g.resolve(name)
	if m.memo[name] != nil {
		return nil
	}
	if len(m.memo) > maxChain {
		return errors.New("it has too many nodes for an activation")
	}
	if v := r.s.values[name]; v.kind == constant {
		m.memo[name] = v.Array
		m.half = m.half || isHalf(v.Type) || isHalf(r.s.g.types[name])
		return nil
	}
	n := r.s.g.producer(name)
	inputs := make([]*fold.Array, len(n.Inputs))
	for i, in := range n.Inputs {
		if err := m.sample(in); err != nil {
			return err
		}
		inputs[i] = m.memo[r.s.g.resolve(in)]
	}
	out, err := r.s.call(n, float32s(inputs))
	if err != nil {
		return err
	}
	m.memo[name] = out[0]
	m.nodes = append(m.nodes, n)
	return nil
}

// closest is the activation whose values y are, "" if there is none. They are compared in float32's precision: an
// exporter's constants such as √2 are rounded to it, and the steps between are; 2⁻²⁰ is 8 units in the last place of 1.
// Constants of half precision have 8 to 11 bits, which move the function by less than 2⁻¹⁰; the functions that we know
// are further apart, but for the two forms of GELU, of which the nearer one it is.
func closest(x, y []float64, half bool) string {
	bound, best := 1./(1<<20), ""
	if half {
		bound = 1. / (1 << 10)
	}
	for f, g := range activations {
		if d := distance(x, y, g); d < bound || d == bound && best == "" {
			best, bound = f, d
		}
	}
	return best
}

// distance is the largest difference between y and f(x), relative to f(x) where that is greater than 1.
func distance(x, y []float64, f func(float64) float64) float64 {
	if len(y) != len(x) {
		return math.Inf(1)
	}
	worst := 0.
	for i := range x {
		want := f(x[i])
		d := math.Abs(y[i]-want) / math.Max(1, math.Abs(want))
		if !(d <= worst) { // nor is NaN
			worst = d
		}
		if math.IsNaN(d) {
			return math.Inf(1)
		}
	}
	return worst
}
