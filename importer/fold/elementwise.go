package fold

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// unaries are the element-wise functions of one argument. Booleans and integers go through float64, which is exact for
// every index that occurs.
var unaries = map[string]func(float64) float64{
	"Abs": math.Abs, "Neg": func(x float64) float64 { return -x }, "Ceil": math.Ceil, "Floor": math.Floor,
	"Round": math.RoundToEven, "Sqrt": math.Sqrt, "Exp": math.Exp, "Log": math.Log, "Erf": math.Erf, "Tanh": math.Tanh,
	"Sin": math.Sin, "Cos": math.Cos, "Reciprocal": func(x float64) float64 { return 1 / x },
	"Relu":     func(x float64) float64 { return max(x, 0) },
	"Sigmoid":  func(x float64) float64 { return 1 / (1 + math.Exp(-x)) },
	"Softplus": func(x float64) float64 { return math.Log1p(math.Exp(x)) },
	"Sign": func(x float64) float64 {
		switch {
		case x > 0:
			return 1
		case x < 0:
			return -1
		}
		return x
	},
	"Not":   func(x float64) float64 { return 1 - x },
	"IsNaN": func(x float64) float64 { return truth(math.IsNaN(x)) },
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func gelu(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) }

func geluTanh(x float64) float64 {
	return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
}

// unary applies f element by element. IsNaN and Not give booleans, the others the input's type.
func unary(f func(float64) float64) Func {
	return func(c Call) ([]*Array, error) {
		if err := c.need(1); err != nil {
			return nil, err
		}
		a := c.In[0]
		out := Unknown(a.Type, a.Shape...)
		if c.Node.OpType == "IsNaN" {
			out.Type = onnx.Bool
		}
		return one(out, out.fill(func(i int) float64 { return f(a.At(i)) }, a))
	}
}

// fill computes the elements of out where all of in are known.
func (a *Array) fill(f func(i int) float64, in ...*Array) error {
	for _, x := range in {
		if !x.Known() {
			return nil
		}
	}
	if err := a.alloc(); err != nil {
		return err
	}
	for i := range a.Ints {
		a.Ints[i] = toInt(f(i))
	}
	for i := range a.Floats {
		a.Floats[i] = round(a.Type, f(i))
	}
	return nil
}

// toInt truncates towards zero, saturating, as casts to int64 do.
func toInt(x float64) int64 {
	switch {
	case x >= math.MaxInt64:
		return math.MaxInt64
	case x <= math.MinInt64:
		return math.MinInt64
	case math.IsNaN(x):
		return 0
	}
	return int64(x)
}

// At is element i as float64.
func (a *Array) At(i int) float64 {
	if a.Ints != nil {
		return float64(a.Ints[i])
	}
	return a.Floats[i]
}

// binary is an element-wise operator of two arguments with broadcasting. ints, where set, computes integers exactly.
type binary struct {
	since int64
	f     func(a, b float64) float64
	ints  func(a, b int64) int64
	bool  bool // gives booleans
}

var binaries = map[string]binary{
	"Add": {7, func(a, b float64) float64 { return a + b }, func(a, b int64) int64 { return a + b }, false},
	"Sub": {7, func(a, b float64) float64 { return a - b }, func(a, b int64) int64 { return a - b }, false},
	"Mul": {7, func(a, b float64) float64 { return a * b }, func(a, b int64) int64 { return a * b }, false},
	"Div": {7, func(a, b float64) float64 { return a / b }, func(a, b int64) int64 {
		if b == 0 {
			return 0
		}
		return a / b
	}, false},
	"Mod": {10, math.Mod, func(a, b int64) int64 {
		if b == 0 {
			return 0
		}
		if r := a % b; r != 0 && (r < 0) != (b < 0) {
			return r + b
		}
		return a % b
	}, false},
	"Pow":            {7, math.Pow, nil, false},
	"Min":            {8, math.Min, func(a, b int64) int64 { return min(a, b) }, false},
	"Max":            {8, math.Max, func(a, b int64) int64 { return max(a, b) }, false},
	"Equal":          {7, func(a, b float64) float64 { return truth(a == b) }, func(a, b int64) int64 { return int64(truth(a == b)) }, true},
	"Less":           {7, func(a, b float64) float64 { return truth(a < b) }, func(a, b int64) int64 { return int64(truth(a < b)) }, true},
	"Greater":        {7, func(a, b float64) float64 { return truth(a > b) }, func(a, b int64) int64 { return int64(truth(a > b)) }, true},
	"LessOrEqual":    {12, func(a, b float64) float64 { return truth(a <= b) }, func(a, b int64) int64 { return int64(truth(a <= b)) }, true},
	"GreaterOrEqual": {12, func(a, b float64) float64 { return truth(a >= b) }, func(a, b int64) int64 { return int64(truth(a >= b)) }, true},
	"And":            {7, nil, func(a, b int64) int64 { return a & b }, true},
	"Or":             {7, nil, func(a, b int64) int64 { return a | b }, true},
	"Xor":            {7, nil, func(a, b int64) int64 { return a ^ b }, true},
}

// apply folds any number of inputs from the left: Min and Max take more than two.
func (b binary) apply(c Call) ([]*Array, error) {
	if err := c.need(len(c.In)); err != nil || len(c.In) == 0 {
		return nil, fmt.Errorf("an input is missing")
	}
	acc := c.In[0]
	for _, in := range c.In[1:] {
		var err error
		if acc, err = b.two(acc, in); err != nil {
			return nil, err
		}
	}
	return []*Array{acc}, nil
}

func (b binary) two(x, y *Array) (*Array, error) {
	shape, err := Broadcast(x.Shape, y.Shape)
	if err != nil {
		return nil, err
	}
	out := Unknown(x.Type, shape...)
	if b.bool {
		out.Type = onnx.Bool
	}
	if !x.Known() || !y.Known() {
		return out, nil
	}
	if err := out.alloc(); err != nil {
		return nil, err
	}
	ix, iy := broadcastIndex(x.Shape, shape), broadcastIndex(y.Shape, shape)
	exact := x.Ints != nil && y.Ints != nil && b.ints != nil
	if !exact && b.f == nil {
		return nil, fmt.Errorf("the operator is not defined for %v", x.Type)
	}
	for i := range out.Size() {
		switch {
		case exact && out.Ints != nil:
			out.Ints[i] = b.ints(x.Ints[ix(i)], y.Ints[iy(i)])
		case out.Ints != nil:
			out.Ints[i] = toInt(b.f(x.At(ix(i)), y.At(iy(i))))
		default:
			out.Floats[i] = round(out.Type, b.f(x.At(ix(i)), y.At(iy(i))))
		}
	}
	return out, nil
}

// Broadcast is the common shape of two shapes, by ONNX's (and numpy's) rule.
func Broadcast(a, b []int) ([]int, error) {
	n := max(len(a), len(b))
	out := make([]int, n)
	for i := range n {
		x, y := 1, 1
		if k := i - (n - len(a)); k >= 0 {
			x = a[k]
		}
		if k := i - (n - len(b)); k >= 0 {
			y = b[k]
		}
		switch {
		case x == y || y == 1:
			out[i] = x
		case x == 1:
			out[i] = y
		default:
			return nil, fmt.Errorf("shapes %v and %v do not broadcast", a, b)
		}
	}
	return out, nil
}

// broadcastIndex maps an element of shape out to the element of shape in that it comes from.
func broadcastIndex(in, out []int) func(i int) int {
	so, si := strides(out), strides(in)
	skip := len(out) - len(in)
	return func(i int) int {
		k := 0
		for d := range out {
			x := i / so[d] % out[d]
			if d >= skip && in[d-skip] != 1 {
				k += x * si[d-skip]
			}
		}
		return k
	}
}

// Expand broadcasts a to a shape that it broadcasts to.
func Expand(a *Array, shape []int) (*Array, error) {
	full, err := Broadcast(a.Shape, shape)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(full, shape) {
		return nil, fmt.Errorf("shape %v does not broadcast to %v", a.Shape, shape)
	}
	return a.take(shape, broadcastIndex(a.Shape, shape))
}

// where chooses between two arrays by a third.
func where(c Call) ([]*Array, error) {
	if err := c.need(3); err != nil {
		return nil, err
	}
	cond, x, y := c.In[0], c.In[1], c.In[2]
	if x.Type != y.Type {
		return nil, fmt.Errorf("cannot choose between %v and %v", x, y)
	}
	shape, err := Broadcast(cond.Shape, x.Shape)
	if err == nil {
		shape, err = Broadcast(shape, y.Shape)
	}
	if err != nil {
		return nil, err
	}
	out := Unknown(x.Type, shape...)
	if !cond.Known() || !x.Known() || !y.Known() {
		return []*Array{out}, nil
	}
	if err := out.alloc(); err != nil {
		return nil, err
	}
	ic, ix, iy := broadcastIndex(cond.Shape, shape), broadcastIndex(x.Shape, shape), broadcastIndex(y.Shape, shape)
	for i := range out.Size() {
		from, k := y, iy(i)
		if cond.At(ic(i)) != 0 {
			from, k = x, ix(i)
		}
		if out.Ints != nil {
			out.Ints[i] = from.Ints[k]
		} else {
			out.Floats[i] = from.Floats[k]
		}
	}
	return []*Array{out}, nil
}

func cast(c Call) ([]*Array, error) {
	if err := c.need(1); err != nil {
		return nil, err
	}
	return one(convert(c.In[0], onnx.DataType(c.int("to", 0))))
}

func castLike(c Call) ([]*Array, error) {
	if err := c.need(2); err != nil {
		return nil, err
	}
	return one(convert(c.In[0], c.In[1].Type))
}

func convert(a *Array, to onnx.DataType) (*Array, error) {
	if to == onnx.String || to == onnx.Undefined {
		return nil, fmt.Errorf("cannot cast to %v", to)
	}
	out := Unknown(to, a.Shape...)
	if a.Ints != nil && !isFloat(to) && to != onnx.Bool {
		out.Ints = a.Ints
		return out, nil
	}
	return out, out.fill(func(i int) float64 {
		if to == onnx.Bool {
			return truth(a.At(i) != 0)
		}
		return a.At(i)
	}, a)
}
