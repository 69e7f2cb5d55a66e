package portable

import (
	"math"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Nodewise are those kernels that only networks run node by node and derivatives of higher order need, and those that do
// nothing but move elements. The processors' own kernels share what they have no faster form of.
type Nodewise struct{}

var functions = map[kernel.Function]func(float64) float64{
	kernel.Abs: math.Abs, kernel.Sign: sign, kernel.Ceil: math.Ceil, kernel.Floor: math.Floor, kernel.Round: math.RoundToEven,
	kernel.Trunc: math.Trunc, kernel.Sqrt: math.Sqrt, kernel.Log: math.Log, kernel.Erf: math.Erf,
	kernel.Sin: math.Sin, kernel.Cos: math.Cos, kernel.Atan: math.Atan,
	kernel.Reciprocal: func(x float64) float64 { return 1 / x },
	kernel.Sigmoid:    func(x float64) float64 { return 1 / (1 + math.Exp(-x)) },
	kernel.Softplus:   func(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) },
	kernel.Not:        func(x float64) float64 { return truth(x == 0) },
	kernel.IsNaN:      func(x float64) float64 { return truth(math.IsNaN(x)) },
	kernel.Exp:        math.Exp,
	kernel.InvSqrt:    func(x float64) float64 { return 1 / math.Sqrt(x) },
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func condition(f func(a, b float32) bool) func(a, b float32) float32 {
	return func(a, b float32) float32 { return float32(truth(f(a, b))) }
}

func sign(x float64) float64 {
	if x == 0 || math.IsNaN(x) {
		return x
	}
	return math.Copysign(1, x)
}

// Map implements kernel.Kernels.
func (Nodewise) Map(out, x kernel.Tensor, f kernel.Function) {
	g := functions[f]
	for i, v := range x.F32 {
		out.F32[i] = float32(g(float64(v)))
	}
}

var pairs = map[kernel.Pair]func(a, b float32) float32{
	kernel.Div: func(a, b float32) float32 { return a / b },
	kernel.Pow: func(a, b float32) float32 { return float32(math.Pow(float64(a), float64(b))) },
	kernel.Min: func(a, b float32) float32 { return min(a, b) }, kernel.Max: func(a, b float32) float32 { return max(a, b) },
	kernel.Equal:          condition(func(a, b float32) bool { return a == b }),
	kernel.Less:           condition(func(a, b float32) bool { return a < b }),
	kernel.LessOrEqual:    condition(func(a, b float32) bool { return a <= b }),
	kernel.Greater:        condition(func(a, b float32) bool { return a > b }),
	kernel.GreaterOrEqual: condition(func(a, b float32) bool { return a >= b }),
	kernel.And:            condition(func(a, b float32) bool { return a != 0 && b != 0 }),
	kernel.Or:             condition(func(a, b float32) bool { return a != 0 || b != 0 }),
	kernel.Xor:            condition(func(a, b float32) bool { return (a != 0) != (b != 0) }),
}

// Combine implements kernel.Kernels.
func (Nodewise) Combine(out, a, b kernel.Tensor, f kernel.Pair) {
	g := pairs[f]
	for i, v := range a.F32 {
		out.F32[i] = g(v, b.F32[i])
	}
}

// Select implements kernel.Kernels.
func (Nodewise) Select(out, c, a, b kernel.Tensor) {
	for i, v := range c.F32 {
		from := a
		if v == 0 {
			from = b
		}
		var x float32
		if !from.Empty() {
			x = from.F32[i]
		}
		out.F32[i] = x
	}
}

// Reduce implements kernel.Kernels.
func (Nodewise) Reduce(out, x kernel.Tensor, f kernel.Reduction) {
	m := len(out.F32)
	if m == 0 {
		return
	}
	n := len(x.F32) / m
	for i := range m {
		out.F32[i] = reduce(x.F32[i*n:i*n+n], f)
	}
}

func reduce(row []float32, f kernel.Reduction) float32 {
	acc := [...]float64{kernel.Product: 1, kernel.Greatest: math.Inf(-1), kernel.Least: math.Inf(1), kernel.Sum: 0}[f]
	for _, v := range row {
		switch x := float64(v); f {
		case kernel.Product:
			acc *= x
		case kernel.Greatest:
			acc = max(acc, x)
		case kernel.Least:
			acc = min(acc, x)
		case kernel.Sum:
			acc += x
		}
	}
	return float32(acc)
}

// Softmax implements kernel.Kernels.
func (Nodewise) Softmax(out, x kernel.Tensor, empty float32) {
	n := out.Cols()
	for t := range out.Rows() {
		softmaxOr(out.F32[t*n:t*n+n], x.F32[t*n:t*n+n], empty)
	}
}

// softmaxOr is one row's softmax, empty everywhere if all of it is −∞. y may be x.
func softmaxOr(y, x []float32, empty float32) {
	top := float32(math.Inf(-1))
	for _, v := range x {
		top = max(top, v)
	}
	if math.IsInf(float64(top), -1) {
		fill(y, empty)
		return
	}
	total := 0.0
	for i, v := range x {
		e := math.Exp(float64(v) - float64(top))
		y[i] = float32(e)
		total += e
	}
	for i := range y {
		y[i] = float32(float64(y[i]) / total)
	}
}
