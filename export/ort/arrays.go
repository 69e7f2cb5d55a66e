package ort

import (
	"context"
	"encoding/binary"
	"fmt"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// RunArrays computes the session's outputs for inputs of any names, of numbers or bool. Outputs in half precision are an
// error: the binding does not hold them.
func (s *Session) RunArrays(ctx context.Context, inputs map[string]*fold.Array) (map[string]*fold.Array, error) {
	var in []ort.Value
	defer destroy(&in)
	for _, name := range s.inputs {
		a := inputs[name]
		if a == nil {
			return nil, fmt.Errorf("the input %q is missing", name)
		}
		v, err := tensorOf(a)
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", name, err)
		}
		in = append(in, v)
	}
	res := map[string]*fold.Array{}
	return res, s.run(ctx, in, nil, func(name string, v ort.Value) (err error) {
		res[name], err = arrayOf(v)
		return err
	})
}

// tensorOf is an array as onnxruntime takes it.
func tensorOf(a *fold.Array) (ort.Value, error) {
	shape := make(ort.Shape, len(a.Shape))
	for i, d := range a.Shape {
		shape[i] = int64(d)
	}
	switch a.Type {
	case onnx.Float:
		return ort.NewTensor(shape, each(a.Floats, func(x float64) float32 { return float32(x) }))
	case onnx.Double:
		return ort.NewTensor(shape, each(a.Floats, func(x float64) float64 { return x }))
	case onnx.Int64:
		return ort.NewTensor(shape, each(a.Ints, func(x int64) int64 { return x }))
	case onnx.Int32:
		return ort.NewTensor(shape, each(a.Ints, func(x int64) int32 { return int32(x) }))
	case onnx.Int16:
		return ort.NewTensor(shape, each(a.Ints, func(x int64) int16 { return int16(x) }))
	case onnx.Int8:
		return ort.NewTensor(shape, each(a.Ints, func(x int64) int8 { return int8(x) }))
	case onnx.Uint64:
		return ort.NewTensor(shape, each(a.Ints, func(x int64) uint64 { return uint64(x) }))
	case onnx.Uint32:
		return ort.NewTensor(shape, each(a.Ints, func(x int64) uint32 { return uint32(x) }))
	case onnx.Uint16:
		return ort.NewTensor(shape, each(a.Ints, func(x int64) uint16 { return uint16(x) }))
	case onnx.Uint8:
		return ort.NewTensor(shape, each(a.Ints, func(x int64) uint8 { return uint8(x) }))
	case onnx.Bool:
		return ort.NewTensor(shape, each(a.Ints, func(x int64) bool { return x != 0 }))
	case onnx.Float16:
		return ort.NewCustomDataTensor(shape, halves(a, func(x float32) uint16 { return uint16(onnx.ToF16(x)) }), ort.TensorElementDataTypeFloat16)
	case onnx.Bfloat16:
		return ort.NewCustomDataTensor(shape, halves(a, func(x float32) uint16 { return uint16(onnx.ToBF16(x)) }), ort.TensorElementDataTypeBFloat16)
	}
	return nil, fmt.Errorf("onnxruntime is not given %v", a)
}

// halves are the bytes of numbers in half precision.
func halves(a *fold.Array, bits func(float32) uint16) []byte {
	var out []byte
	for _, x := range a.Floats {
		out = binary.LittleEndian.AppendUint16(out, bits(float32(x)))
	}
	return out
}

// arrayOf is a copy of a value.
func arrayOf(v ort.Value) (*fold.Array, error) {
	a := &fold.Array{Shape: []int{}}
	switch x := v.(type) {
	case *ort.Tensor[float32]:
		a.Type, a.Floats = onnx.Float, each(x.GetData(), func(v float32) float64 { return float64(v) })
	case *ort.Tensor[float64]:
		a.Type, a.Floats = onnx.Double, each(x.GetData(), func(v float64) float64 { return v })
	case *ort.Tensor[int64]:
		a.Type, a.Ints = onnx.Int64, ints(x)
	case *ort.Tensor[int32]:
		a.Type, a.Ints = onnx.Int32, ints(x)
	case *ort.Tensor[int16]:
		a.Type, a.Ints = onnx.Int16, ints(x)
	case *ort.Tensor[int8]:
		a.Type, a.Ints = onnx.Int8, ints(x)
	case *ort.Tensor[uint64]:
		a.Type, a.Ints = onnx.Uint64, ints(x)
	case *ort.Tensor[uint32]:
		a.Type, a.Ints = onnx.Uint32, ints(x)
	case *ort.Tensor[uint16]:
		a.Type, a.Ints = onnx.Uint16, ints(x)
	case *ort.Tensor[uint8]:
		a.Type, a.Ints = onnx.Uint8, ints(x)
	case *ort.Tensor[bool]:
		a.Type, a.Ints = onnx.Bool, each(x.GetData(), func(v bool) int64 {
			if v {
				return 1
			}
			return 0
		})
	default:
		return nil, fmt.Errorf("graft does not read a %T", v)
	}
	for _, d := range v.GetShape() {
		a.Shape = append(a.Shape, int(d))
	}
	return a, nil
}

func ints[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64](x *ort.Tensor[T]) []int64 {
	return each(x.GetData(), func(v T) int64 { return int64(v) })
}

func each[A, B any](x []A, f func(A) B) []B {
	out := make([]B, len(x))
	for i, v := range x {
		out[i] = f(v)
	}
	return out
}
