package lower_test

import (
	"context"
	le "encoding/binary"
	"fmt"
	"math"
	"testing"

	"github.com/seed-aefebe89/graft/export/ort"
	"github.com/seed-aefebe89/graft/graph/kernel/cpu"
	"github.com/seed-aefebe89/graft/graph/lower"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// needRuntime skips the test where there is no onnxruntime.
func needRuntime(tb testing.TB) {
	tb.Helper()
	if err := ort.Load(); err != nil {
		tb.Skip(err)
	}
}

// runtime gives the outputs of a model in onnxruntime, without its optimisations.
func runtime(m *onnx.Model, inputs map[string]*fold.Array, outputs []string) ([]*fold.Array, error) {
	s, err := ort.Open(m, ort.Options{Threads: 1, Outputs: outputs, Plain: true})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	got, err := s.RunArrays(context.Background(), inputs)
	if err != nil {
		return nil, err
	}
	var out []*fold.Array
	for _, name := range outputs {
		out = append(out, got[name])
	}
	return out, nil
}

// lowered builds the graph of a model for inputs of some shapes.
func lowered(m *onnx.Model, inputs map[string]*fold.Array, outputs ...string) (*lower.Session, error) {
	n, err := importer.NewNodewise(m)
	if err != nil {
		return nil, err
	}
	return lower.NewSession(n, cpu.New(), inputs, outputs...)
}

// differs tells how an array differs from onnxruntime's by more than some units of rounding of the largest number.
func differs(got, want *fold.Array, tolerance float64) string {
	if fmt.Sprint(got.Shape) != fmt.Sprint(want.Shape) {
		return fmt.Sprintf("shape %v, want %v", got.Shape, want.Shape)
	}
	top := 1.0
	for i := range want.Size() {
		if v := math.Abs(want.At(i)); !math.IsInf(v, 0) && !math.IsNaN(v) {
			top = max(top, v)
		}
	}
	for i := range want.Size() {
		g, w := got.At(i), want.At(i)
		if g != w && !(math.IsNaN(g) && math.IsNaN(w)) && !(math.Abs(g-w) <= tolerance*top) {
			return fmt.Sprintf("element %d is %v, want %v", i, g, w)
		}
	}
	return ""
}

// tensorFor is an array as a tensor.
func tensorFor(name string, a *fold.Array) (*onnx.Tensor, error) {
	dims := make([]int64, len(a.Shape))
	for i, d := range a.Shape {
		dims[i] = int64(d)
	}
	var raw []byte
	for i := range a.Size() {
		switch a.Type {
		case onnx.Float:
			raw = le.LittleEndian.AppendUint32(raw, math.Float32bits(float32(a.Floats[i])))
		case onnx.Double:
			raw = le.LittleEndian.AppendUint64(raw, math.Float64bits(a.Floats[i]))
		case onnx.Float16:
			raw = le.LittleEndian.AppendUint16(raw, uint16(onnx.ToF16(float32(a.Floats[i]))))
		case onnx.Bfloat16:
			raw = le.LittleEndian.AppendUint16(raw, uint16(onnx.ToBF16(float32(a.Floats[i]))))
		default:
			raw = append(raw, le.LittleEndian.AppendUint64(nil, uint64(a.Ints[i]))[:a.Type.Bits()/8]...)
		}
	}
	return onnx.NewRawTensor(name, a.Type, dims, raw)
}
