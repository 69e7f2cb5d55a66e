package ort

import (
	"context"
	"fmt"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// RunArrays computes the session's outputs for inputs of any names, of float32, float64, int64, int32 or bool.
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
	case onnx.Bool:
		return ort.NewTensor(shape, each(a.Ints, func(x int64) bool { return x != 0 }))
	}
	return nil, fmt.Errorf("onnxruntime is not given %v", a)
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
		a.Type, a.Ints = onnx.Int64, each(x.GetData(), func(v int64) int64 { return v })
	case *ort.Tensor[int32]:
		a.Type, a.Ints = onnx.Int32, each(x.GetData(), func(v int32) int64 { return int64(v) })
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

func each[A, B any](x []A, f func(A) B) []B {
	out := make([]B, len(x))
	for i, v := range x {
		out[i] = f(v)
	}
	return out
}
