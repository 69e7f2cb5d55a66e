package fold

import (
	"fmt"
	"math"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// class is a set of element types that an operator's input may have.
type class int

const (
	anyType class = iota // every type that an Array holds
	number               // integers and floating-point numbers
	integer
	float // floating-point numbers
	boolean
	index  // int32 and int64
	int64s // int64 alone
	same   // the type of the input before
)

func (k class) String() string {
	return [...]string{"a number or bool", "a number", "an integer", "a floating-point number", "bool", "int32 or int64", "int64",
		"the type of the input before"}[k]
}

// has tells whether a type is in the class.
func (k class) has(t onnx.DataType) bool {
	switch k {
	case float:
		return isFloat(t)
	case integer:
		return isInt(t)
	case boolean:
		return t == onnx.Bool
	case index:
		return t == onnx.Int32 || t == onnx.Int64
	case int64s:
		return t == onnx.Int64
	case number:
		return isFloat(t) || isInt(t)
	}
	return isFloat(t) || isInt(t) || t == onnx.Bool
}

func isFloat(t onnx.DataType) bool {
	switch t {
	case onnx.Float, onnx.Double, onnx.Float16, onnx.Bfloat16:
		return true
	}
	return false
}

func isInt(t onnx.DataType) bool {
	switch t {
	case onnx.Int8, onnx.Int16, onnx.Int32, onnx.Int64, onnx.Uint8, onnx.Uint16, onnx.Uint32, onnx.Uint64:
		return true
	}
	return false
}

// round gives x the precision of the floating-point type t.
func round(t onnx.DataType, x float64) float64 {
	switch t {
	case onnx.Double:
		return x
	case onnx.Float16:
		return float64(onnx.ToF16(float32(x)).Float32())
	case onnx.Bfloat16:
		return float64(onnx.ToBF16(float32(x)).Float32())
	}
	return float64(float32(x))
}

// wrap gives x the width of the integer type t: arithmetic is modulo 2ⁿ, as the processor's. A bool is 0 or 1. A
// Uint64 from 2⁶³ on cannot be held, and is an error.
func wrap(t onnx.DataType, x int64) (int64, error) {
	switch t {
	case onnx.Bool:
		return b2i(x != 0), nil
	case onnx.Int8:
		return int64(int8(x)), nil
	case onnx.Int16:
		return int64(int16(x)), nil
	case onnx.Int32:
		return int64(int32(x)), nil
	case onnx.Uint8:
		return int64(uint8(x)), nil
	case onnx.Uint16:
		return int64(uint16(x)), nil
	case onnx.Uint32:
		return int64(uint32(x)), nil
	case onnx.Uint64:
		if x < 0 {
			return 0, fmt.Errorf("the uint64 %d is too large to fold", uint64(x))
		}
	}
	return x, nil
}

// toInt truncates towards zero, saturating. ONNX leaves what does not fit an int64 undefined.
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

func b2i(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
