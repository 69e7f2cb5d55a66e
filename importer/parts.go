package importer

import (
	"io"
	"slices"
	"sync"

	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// parts are the tensors that stand for a range of rows or columns of a weight, by the value that they are. They are the
// same at all probes.
type parts struct {
	sync.Mutex
	of map[string]*onnx.Tensor
}

// part follows a weight through a Slice of one range along one axis, such as the queries' columns of a fused matrix. Its
// elements are copied when somebody asks for them.
func (s *spec) part(n *onnx.Node, v *specValue) *specValue {
	if s.g.whole || v.param == nil || v.param.trans || len(v.Shape) == 0 || len(v.Shape) > 2 || len(n.Inputs) < 4 {
		return nil
	}
	var at [4]int64 // from, to, axis, step
	at[3] = 1
	for i, name := range n.Inputs[1:] {
		c := s.values[s.g.resolve(name)]
		if c == nil || c.kind != constant || len(c.Ints) != 1 {
			return nil
		}
		at[i] = c.Ints[0]
	}
	from, to, axis := at[0], at[1], at[2]
	if axis < 0 {
		axis += int64(len(v.Shape))
	}
	if axis < 0 || axis >= int64(len(v.Shape)) || at[3] != 1 || from < 0 || to <= from || to > int64(v.Shape[axis]) {
		return nil
	}
	if from == 0 && to == int64(v.Shape[axis]) {
		return v
	}
	shape := append([]int(nil), v.Shape...)
	shape[axis] = int(to - from)
	s.g.parts.Lock()
	defer s.g.parts.Unlock()
	t := s.g.parts.of[n.Outputs[0]]
	if t == nil {
		var err error
		if t, err = cut(n.Outputs[0], v.param.tensor, v.Shape, shape, int(axis), int(from)); err != nil {
			return nil
		}
		s.g.parts.of[n.Outputs[0]] = t
	}
	if !slices.Equal(t.Dims, dims(shape)) { // it depends on how long the sequences are
		return nil
	}
	return &specValue{Array: fold.Unknown(v.Type, shape...), kind: parameter, param: &view{tensor: t}, positional: true}
}

// dims is a shape as tensors have it.
func dims(shape []int) []int64 {
	out := make([]int64, len(shape))
	for i, d := range shape {
		out[i] = int64(d)
	}
	return out
}

// cut is the part of a matrix or vector from an index along an axis on, of the given shape.
func cut(name string, whole *onnx.Tensor, from, shape []int, axis, at int) (*onnx.Tensor, error) {
	return onnx.NewLazyTensor(name, onnx.Float, dims(shape), func(w io.Writer) error {
		x, err := whole.Float32s()
		if err != nil {
			return err
		}
		stride, width := from[len(from)-1], shape[len(shape)-1]
		rows, first := 1, at
		if len(shape) == 2 {
			rows = shape[0]
			if axis == 0 {
				first = at * stride
			}
		}
		for r := range rows {
			if err := onnx.WriteFloat32s(w, x[first+r*stride:][:width]); err != nil {
				return err
			}
		}
		return nil
	})
}
