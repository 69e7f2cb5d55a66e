package lower_test

import (
	"context"
	"testing"

	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/random"
)

// fuzzInputs are arrays for the inputs of any model: free sizes are 2, unless there are so many that a batch is large.
func fuzzInputs(m *onnx.Model) map[string]*fold.Array {
	in := map[string]*fold.Array{}
	for _, v := range m.Graph.Inputs {
		if v == nil || v.Type == nil || v.Type.Tensor == nil || v.Type.Tensor.Shape == nil {
			continue
		}
		shape, n := []int{}, 1
		for _, d := range v.Type.Tensor.Shape.Dims {
			size := 2
			if d.Known && d.Value >= 0 && d.Value < 16 {
				size = int(d.Value)
			}
			shape, n = append(shape, size), n*size
		}
		if n > 1<<10 {
			continue
		}
		a := &fold.Array{Type: v.Type.Tensor.Elem, Shape: shape}
		switch a.Type {
		case onnx.Float, onnx.Double, onnx.Float16, onnx.Bfloat16:
			a.Floats = make([]float64, n)
			for i := range a.Floats {
				a.Floats[i] = float64(i%5) - 2
			}
		default:
			a.Ints = make([]int64, n)
			for i := range a.Ints {
				a.Ints[i] = int64(i % 2)
			}
		}
		in[v.Name] = a
	}
	return in
}

// Whatever bytes a model has, it runs or there is an error: nothing panics or hangs.
func FuzzSession(f *testing.F) {
	for seed := range uint64(30) {
		b, err := newMaker(seed).model().Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	m, err := random.Encoder(1, random.Config{VocabSize: 8, HiddenSize: 4, NumHiddenLayers: 1, NumAttentionHeads: 2,
		IntermediateSize: 4, MaxPositionEmbeddings: 4})
	if err != nil {
		f.Fatal(err)
	}
	b, err := m.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(_ *testing.T, b []byte) {
		m, err := onnx.Decode(b)
		if err != nil || len(b) > 1<<16 {
			return
		}
		in := fuzzInputs(m)
		s, err := lowered(m, in)
		if err != nil {
			return
		}
		for _, y := range s.Outputs {
			if y != nil && y.Shape().TotalSize() > 1<<16 {
				return
			}
		}
		_, _ = s.Run(context.Background(), in)
	})
}
