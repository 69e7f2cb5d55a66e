package onnx

import (
	"slices"
	"testing"
)

func TestSparseTensorsBecomeDense(t *testing.T) {
	values, _ := NewTensor("s", []int64{2}, []float32{5, 7})
	flat, _ := NewTensor("", []int64{2}, []int64{1, 5})
	tuples, _ := NewTensor("", []int64{2, 2}, []int64{0, 1, 1, 2})
	for _, indices := range []*Tensor{flat, tuples} {
		d, err := (&SparseTensor{Values: values, Indices: indices, Dims: []int64{2, 3}}).Dense()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := d.Float32s(); err != nil || d.Name != "s" || !slices.Equal(got, []float32{0, 5, 0, 0, 0, 7}) {
			t.Errorf("indices %v: %v, %v", indices, got, err)
		}
	}
	outside, _ := NewTensor("", []int64{2}, []int64{1, 6})
	outsideTuples, _ := NewTensor("", []int64{2, 2}, []int64{0, 3, 1, 0})
	few, _ := NewTensor("", []int64{1}, []int64{1})
	for name, s := range map[string]*SparseTensor{
		"index out of range": {Values: values, Indices: outside, Dims: []int64{2, 3}},
		"tuple out of range": {Values: values, Indices: outsideTuples, Dims: []int64{2, 3}},
		"too few indices":    {Values: values, Indices: few, Dims: []int64{2, 3}},
		"too large":          {Values: values, Indices: flat, Dims: []int64{1 << 20, 1 << 20}},
		"too large to count": {Values: values, Indices: flat, Dims: []int64{1 << 40, 1 << 40}},
		"no indices":         {Values: values, Dims: []int64{2, 3}},
		"no values":          {Indices: flat, Dims: []int64{2, 3}},
		"float indices":      {Values: values, Indices: values, Dims: []int64{2, 3}},
	} {
		if d, err := s.Dense(); err == nil {
			t.Errorf("%s: got %v, want an error", name, d)
		}
	}
}
