package fold

import (
	"math"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// unary is an element-wise operator of one argument.
type unary struct {
	since int64
	in    class
	f     func(float64) float64
	ints  func(int64) int64 // of integers and bools, where in has them
	bool  bool              // gives booleans
}

var unaries = map[string]unary{
	"Abs":  {since: 1, in: number, f: math.Abs, ints: func(x int64) int64 { return max(x, -x) }},
	"Neg":  {since: 1, in: number, f: func(x float64) float64 { return -x }, ints: func(x int64) int64 { return -x }},
	"Sign": {since: 9, in: number, f: sign, ints: func(x int64) int64 { return b2i(x > 0) - b2i(x < 0) }},
	"Relu": {since: 1, in: number, f: relu, ints: func(x int64) int64 { return max(x, 0) }},

	"Ceil":       {since: 1, in: float, f: math.Ceil},
	"Floor":      {since: 1, in: float, f: math.Floor},
	"Round":      {since: 11, in: float, f: math.RoundToEven},
	"Sqrt":       {since: 1, in: float, f: math.Sqrt},
	"Exp":        {since: 1, in: float, f: math.Exp},
	"Log":        {since: 1, in: float, f: math.Log},
	"Erf":        {since: 9, in: float, f: math.Erf},
	"Tanh":       {since: 1, in: float, f: math.Tanh},
	"Sin":        {since: 7, in: float, f: math.Sin},
	"Cos":        {since: 7, in: float, f: math.Cos},
	"Atan":       {since: 7, in: float, f: math.Atan},
	"Reciprocal": {since: 1, in: float, f: func(x float64) float64 { return 1 / x }},
	"Sigmoid":    {since: 1, in: float, f: func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }},
	"Softplus":   {since: 1, in: float, f: softplus},

	"BitwiseNot": {since: 18, in: integer, ints: func(x int64) int64 { return ^x }},

	"Not":   {since: 1, in: boolean, ints: func(x int64) int64 { return 1 - x }, bool: true},
	"IsNaN": {since: 9, in: float, f: func(x float64) float64 { return truth(math.IsNaN(x)) }, bool: true},
}

func relu(x float64) float64 { return max(x, 0) }

// softplus is log(1 + eˣ), written so that eˣ does not overflow.
func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

func sign(x float64) float64 {
	if math.IsNaN(x) {
		return x
	}
	return truth(x > 0) - truth(x < 0)
}

func truth(b bool) float64 { return float64(b2i(b)) }

func gelu(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) }

func geluTanh(x float64) float64 {
	return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
}

// apply gives an array of the input's type and shape, or of booleans.
func (u unary) apply(c Call) ([]*Array, error) { return one(u.one(c.In[0])) }

func (u unary) one(a *Array) (*Array, error) {
	out := Unknown(a.Type, a.Shape...)
	if u.bool {
		out.Type = onnx.Bool
	}
	if !a.Known() {
		return out, nil
	}
	if err := out.alloc(); err != nil {
		return nil, err
	}
	for i := range a.Size() {
		switch {
		case a.Floats == nil:
			v, err := wrap(out.Type, u.ints(a.Ints[i]))
			if err != nil {
				return nil, err
			}
			out.Ints[i] = v
		case u.bool:
			out.Ints[i] = int64(u.f(a.Floats[i]))
		default:
			out.Floats[i] = round(out.Type, u.f(a.Floats[i]))
		}
	}
	return out, nil
}
