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
	Type  onnx.DataType // an integer type of 8 to 64 bits, Bool, Float, Double, Float16 or Bfloat16
	Shape []int
	// Ints holds the elements of integer types and of Bool (0 or 1), Floats those of floating-point types, rounded to
	// the precision of Type. Both are nil where the elements are not known.
	Ints   []int64
	Floats []float64
}

const (
	// MaxElements bounds the arrays whose elements are computed: a model that asks for more is refused.
	MaxElements = 1 << 24
	// maxShape bounds the product of the dimensions of any array, counting those that are zero as one: more elements
	// than processors address. Below it no arithmetic on shapes overflows.
	maxShape = 1 << 47
)

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
		return nil, a.tooLarge()
	}
	switch {
	case isFloat(t.Type):
		x, err := t.Float64s()
		if err != nil {
			return nil, err
		}
		a.Floats = append([]float64{}, x...)
	case isInt(t.Type) || t.Type == onnx.Bool:
		if a.Ints, err = t.Int64s(); err != nil {
			return nil, err
		}
		if a.Ints == nil {
			a.Ints = []int64{}
		}
	}
	return a, a.check()
}

// Known tells whether the elements are there.
func (a *Array) Known() bool { return a.Ints != nil || a.Floats != nil }

// As is the array with another floating-point type, which holds all of its values; nil stays nil.
func (a *Array) As(t onnx.DataType) *Array {
	if a == nil || a.Type == t {
		return a
	}
	return &Array{Type: t, Shape: a.Shape, Floats: a.Floats}
}

// Size is the number of elements that the shape gives.
func (a *Array) Size() int { return product(a.Shape) }

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// Scalar returns the only element of a known array of one element.
func (a *Array) Scalar() (float64, bool) {
	if !a.Known() || a.Size() != 1 {
		return 0, false
	}
	return a.At(0), true
}

// At is element i of a known array as float64.
func (a *Array) At(i int) float64 {
	if a.Ints != nil {
		return float64(a.Ints[i])
	}
	return a.Floats[i]
}

// String is the type and shape: "float[2 5]".
func (a *Array) String() string { return fmt.Sprintf("%v%v", a.Type, a.Shape) }

// check returns an error unless the type and the shape can be worked with and the elements fit them.
func (a *Array) check() error {
	if !anyType.has(a.Type) {
		return fmt.Errorf("arrays of %v are not supported", a.Type)
	}
	if err := checkShape(a.Shape); err != nil {
		return err
	}
	have, other := len(a.Ints), a.Floats != nil
	if isFloat(a.Type) {
		have, other = len(a.Floats), a.Ints != nil
	}
	if a.Known() && (other || have != a.Size()) {
		return fmt.Errorf("the elements of %v do not fit its type and shape", a)
	}
	return nil
}

// checkShape returns an error for dimensions that are negative or, together, more than an address space.
func checkShape(shape []int) error {
	n := 1
	for _, d := range shape {
		if d < 0 {
			return fmt.Errorf("shape %v has a negative dimension", shape)
		}
		if max(d, 1) > maxShape/n {
			return fmt.Errorf("shape %v has more elements than an address space", shape)
		}
		n *= max(d, 1)
	}
	return nil
}

func (a *Array) tooLarge() error { return fmt.Errorf("%v is too large to fold", a) }

// alloc gives a its elements, zero.
func (a *Array) alloc() error {
	if err := checkShape(a.Shape); err != nil {
		return err
	}
	n := a.Size()
	if n > MaxElements {
		return a.tooLarge()
	}
	if isFloat(a.Type) {
		a.Floats = make([]float64, n)
	} else {
		a.Ints = make([]int64, n)
	}
	return nil
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
	k := x
	if k < 0 {
		k += int64(rank)
	}
	if k < 0 || k >= int64(rank) {
		return 0, fmt.Errorf("axis %d is outside of rank %d", x, rank)
	}
	return int(k), nil
}

// axes is axis for several, which must differ.
func axes(x []int64, rank int) ([]int, error) {
	out := make([]int, 0, min(len(x), rank))
	for _, v := range x {
		k, err := axis(v, rank)
		if err != nil {
			return nil, err
		}
		if slices.Contains(out, k) {
			return nil, fmt.Errorf("axis %d is given twice", k)
		}
		out = append(out, k)
	}
	return out, nil
}

// dims converts a known vector of integers to a shape's dimensions.
func (a *Array) dims() ([]int, error) {
	switch {
	case len(a.Shape) != 1:
		return nil, fmt.Errorf("the shape %v is not a vector", a)
	case a.Ints == nil:
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
	return a.Type == b.Type && slices.Equal(a.Shape, b.Shape) && a.Known() == b.Known() &&
		slices.Equal(a.Ints, b.Ints) && slices.Equal(a.Floats, b.Floats)
}
