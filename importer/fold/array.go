// Package fold evaluates ONNX operators on the host: the integer arithmetic of shapes, positions and masks that
// exporters write out as nodes. Where elements are not known it still gives types and shapes, so that one pass over a
// graph specialises all of its shapes and computes all of its constants.
package fold

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// Array is a tensor on the host, or its type and shape alone.
type Array struct {
	Type  onnx.DataType
	Shape []int
	// Ints holds the elements of integer types and of Bool (0 or 1), Floats those of floating-point types, rounded to
	// float32 unless Type is Double. Both are nil where the elements are not known.
	Ints   []int64
	Floats []float64
}

// MaxElements bounds the arrays whose elements are computed: a model that asks for more is refused.
const MaxElements = 1 << 26

// Unknown returns an array without elements.
func Unknown(t onnx.DataType, shape ...int) *Array { return &Array{Type: t, Shape: shape} }

// Ints returns an Int64 array.
func Ints(x []int64, shape ...int) *Array { return &Array{Type: onnx.Int64, Shape: shape, Ints: x} }

// FromTensor returns a tensor's elements.
func FromTensor(t *onnx.Tensor) (*Array, error) {
	n, err := t.Len()
	if err != nil {
		return nil, err
	}
	a := &Array{Type: t.Type, Shape: make([]int, len(t.Dims))}
	for i, d := range t.Dims {
		a.Shape[i] = int(d)
	}
	if n > MaxElements {
		return nil, fmt.Errorf("a constant of shape %v is too large to fold", a.Shape)
	}
	if isFloat(t.Type) {
		x, err := t.Float32s()
		if err != nil {
			return nil, err
		}
		a.Floats = make([]float64, len(x))
		for i, v := range x {
			a.Floats[i] = float64(v)
		}
		return a, nil
	}
	if a.Ints, err = t.Int64s(); err != nil {
		return nil, err
	}
	if a.Ints == nil {
		a.Ints = []int64{}
	}
	return a, nil
}

// Known tells whether the elements are there.
func (a *Array) Known() bool { return a.Ints != nil || a.Floats != nil }

// Size is the number of elements that the shape gives.
func (a *Array) Size() int {
	n := 1
	for _, d := range a.Shape {
		n *= d
	}
	return n
}

// Scalar returns the only element of a known array of one element.
func (a *Array) Scalar() (float64, bool) {
	if !a.Known() || a.Size() != 1 {
		return 0, false
	}
	if a.Ints != nil {
		return float64(a.Ints[0]), true
	}
	return a.Floats[0], true
}

// String is the type and shape: "float[2,5]".
func (a *Array) String() string { return fmt.Sprintf("%v%v", a.Type, a.Shape) }

func isFloat(t onnx.DataType) bool {
	switch t {
	case onnx.Float, onnx.Double, onnx.Float16, onnx.Bfloat16:
		return true
	}
	return false
}

// alloc gives a its elements, zero.
func (a *Array) alloc() error {
	n := 1
	for _, d := range a.Shape {
		if d < 0 || d > 0 && n > MaxElements/d {
			return fmt.Errorf("an array of shape %v is too large to fold", a.Shape)
		}
		n *= d
	}
	if isFloat(a.Type) {
		a.Floats = make([]float64, n)
	} else {
		a.Ints = make([]int64, n)
	}
	return nil
}

// round gives x the precision of type t.
func round(t onnx.DataType, x float64) float64 {
	if t == onnx.Double {
		return x
	}
	return float64(float32(x))
}

// take returns the array of the given shape whose element i is a's element index(i); unknown if a is.
func (a *Array) take(shape []int, index func(i int) int) (*Array, error) {
	out := Unknown(a.Type, shape...)
	if !a.Known() {
		return out, nil
	}
	if err := out.alloc(); err != nil {
		return nil, err
	}
	for i := range out.Ints {
		out.Ints[i] = a.Ints[index(i)]
	}
	for i := range out.Floats {
		out.Floats[i] = a.Floats[index(i)]
	}
	return out, nil
}

// reshaped is a with another shape of as many elements, sharing them.
func (a *Array) reshaped(shape []int) *Array { return &Array{a.Type, shape, a.Ints, a.Floats} }

// strides returns the row-major strides of a shape.
func strides(shape []int) []int {
	s := make([]int, len(shape))
	n := 1
	for i := len(shape) - 1; i >= 0; i-- {
		s[i] = n
		n *= shape[i]
	}
	return s
}

// axis makes an axis that may count from the end an index below rank.
func axis(x int64, rank int) (int, error) {
	if x < 0 {
		x += int64(rank)
	}
	if x < 0 || x >= int64(rank) {
		return 0, fmt.Errorf("axis %d is outside of rank %d", x, rank)
	}
	return int(x), nil
}

// dims converts a known integer array to a shape's dimensions.
func (a *Array) dims() ([]int, error) {
	if a == nil || a.Ints == nil {
		return nil, errUnknown
	}
	out := make([]int, len(a.Ints))
	for i, v := range a.Ints {
		if v < math.MinInt32 || v > math.MaxInt32 {
			return nil, fmt.Errorf("dimension %d is out of range", v)
		}
		out[i] = int(v)
	}
	return out, nil
}

// Equal tells whether two arrays have one type, shape and known elements.
func (a *Array) Equal(b *Array) bool {
	return a.Type == b.Type && slices.Equal(a.Shape, b.Shape) && slices.Equal(a.Ints, b.Ints) && slices.Equal(a.Floats, b.Floats)
}
