package fold

import (
	"errors"
	"fmt"
	"math"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// binary is an element-wise operator of two arguments with broadcasting.
type binary struct {
	since int64
	in    class
	f     func(a, b float64) float64
	ints  func(a, b int64) (int64, error) // of integers and bools
	bool  bool                            // gives booleans
}

var binaries = map[string]binary{
	"Add": {7, number, sumOf[float64], exact(sumOf[int64]), false},
	"Sub": {7, number, difference[float64], exact(difference[int64]), false},
	"Mul": {7, number, productOf[float64], exact(productOf[int64]), false},
	"Div": {7, number, quotient[float64], divide(quotient[int64]), false},
	"Pow": {7, number, math.Pow, nil, false},
	"Mod": {10, number, math.Mod, divide(floorMod), false},
	"Min": {8, number, least[float64], exact(least[int64]), false},
	"Max": {8, number, most[float64], exact(most[int64]), false},

	"Equal":          comparison(7, anyType, func(order int) bool { return order == 0 }),
	"Less":           comparison(7, number, func(order int) bool { return order < 0 }),
	"Greater":        comparison(7, number, func(order int) bool { return order > 0 && order != unordered }),
	"LessOrEqual":    comparison(12, number, func(order int) bool { return order <= 0 }),
	"GreaterOrEqual": comparison(12, number, func(order int) bool { return order >= 0 && order != unordered }),

	"BitwiseAnd": {18, integer, nil, exact(func(a, b int64) int64 { return a & b }), false},
	"BitwiseOr":  {18, integer, nil, exact(func(a, b int64) int64 { return a | b }), false},
	"BitwiseXor": {18, integer, nil, exact(func(a, b int64) int64 { return a ^ b }), false},

	"And": {7, boolean, nil, exact(func(a, b int64) int64 { return a & b }), true},
	"Or":  {7, boolean, nil, exact(func(a, b int64) int64 { return a | b }), true},
	"Xor": {7, boolean, nil, exact(func(a, b int64) int64 { return a ^ b }), true},
}

func sumOf[T int64 | float64](a, b T) T { return a + b }

func difference[T int64 | float64](a, b T) T { return a - b }

func productOf[T int64 | float64](a, b T) T { return a * b }

func quotient[T int64 | float64](a, b T) T { return a / b }

// least and most are NaN if either is; math.Min and math.Max are not for infinities.
func least[T int64 | float64](a, b T) T { return min(a, b) }

func most[T int64 | float64](a, b T) T { return max(a, b) }

func exact(f func(a, b int64) int64) func(a, b int64) (int64, error) {
	return func(a, b int64) (int64, error) { return f(a, b), nil }
}

var errDivision = errors.New("an integer is divided by zero")

func divide(f func(a, b int64) int64) func(a, b int64) (int64, error) {
	return func(a, b int64) (int64, error) {
		if b == 0 {
			return 0, errDivision
		}
		return f(a, b), nil
	}
}

// floorMod has the sign of b, as Python's %.
func floorMod(a, b int64) int64 {
	if r := a % b; r != 0 && (r < 0) != (b < 0) {
		return r + b
	}
	return a % b
}

// unordered is the order of a NaN and anything.
const unordered = 2

// comparison makes an operator of what it says to −1, 0, 1 or unordered.
func comparison(since int64, in class, holds func(order int) bool) binary {
	return binary{since, in,
		func(a, b float64) float64 {
			switch {
			case a < b:
				return truth(holds(-1))
			case a > b:
				return truth(holds(1))
			case a == b:
				return truth(holds(0))
			}
			return truth(holds(unordered))
		},
		func(a, b int64) (int64, error) { return b2i(holds(int(b2i(a > b) - b2i(a < b)))), nil },
		true}
}

// apply folds the inputs from the left: Min and Max take any number.
func (b binary) apply(c Call) ([]*Array, error) {
	if c.Node.OpType == "Mod" {
		switch remainder := c.int("fmod", 0) != 0; {
		case remainder:
			b.ints = divide(func(a, b int64) int64 { return a % b })
		case isFloat(c.In[0].Type):
			return nil, fmt.Errorf("floating-point numbers need the attribute fmod")
		}
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

// two gives an array of x's type, or of booleans.
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
	for i := range out.Size() {
		p, q := ix(i), iy(i)
		switch {
		case x.Ints != nil && y.Ints != nil && b.ints != nil:
			v, err := b.ints(x.Ints[p], y.Ints[q])
			if err == nil {
				v, err = wrap(out.Type, v)
			}
			if err != nil {
				return nil, err
			}
			out.Ints[i] = v
		case out.Ints != nil:
			v, err := wrap(out.Type, toInt(b.f(x.At(p), y.At(q))))
			if err != nil {
				return nil, err
			}
			out.Ints[i] = v
		default:
			out.Floats[i] = round(out.Type, b.f(x.At(p), y.At(q)))
		}
	}
	return out, nil
}
