package fold

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/build"
)

var startRuntime = sync.OnceValue(func() error {
	ort.SetSharedLibraryPath(os.Getenv("GRAFT_ORT_LIB"))
	return ort.InitializeEnvironment(ort.WithLogLevelFatal())
})

// needRuntime skips the test where no onnxruntime is named.
func needRuntime(tb testing.TB) {
	tb.Helper()
	if os.Getenv("GRAFT_ORT_LIB") == "" {
		tb.Skip("needs onnxruntime: set GRAFT_ORT_LIB to its shared library")
	}
	if err := startRuntime(); err != nil {
		tb.Fatal(err)
	}
}

// unsupported tells whether onnxruntime has no kernel of an operator for some type, or the operator did not allow the
// type yet at the opset: fold takes the types of the newest form for all.
func unsupported(err error) bool {
	s := err.Error()
	return strings.Contains(s, "Could not find an implementation") ||
		strings.Contains(s, "Type Error: Type 'tensor(") && strings.Contains(s, "of input parameter")
}

// reference runs a trial's operator in onnxruntime. The outputs must be of the given types; of those beyond, and where
// there are none, the type is whatever onnxruntime infers.
func (tr trial) reference(types []onnx.DataType) ([]*Array, error) {
	m, _, err := tr.model(types)
	if err != nil {
		return nil, err
	}
	b, err := m.Encode()
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range tr.outputs {
		names = append(names, fmt.Sprint("shape", i), fmt.Sprint("elements", i))
	}
	options, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	defer options.Destroy()
	if err := options.SetIntraOpNumThreads(1); err != nil {
		return nil, err
	}
	if err := options.SetGraphOptimizationLevel(ort.GraphOptimizationLevelDisableAll); err != nil {
		return nil, err
	}
	s, err := ort.NewDynamicAdvancedSessionWithONNXData(b, []string{"nothing"}, names, options)
	if err != nil {
		return nil, err
	}
	defer s.Destroy()
	in, err := ort.NewTensor(ort.NewShape(1), []float32{0})
	if err != nil {
		return nil, err
	}
	defer in.Destroy()
	results := make([]ort.Value, len(names))
	if err := s.Run([]ort.Value{in}, results); err != nil {
		return nil, err
	}
	var out []*Array
	for i := 0; i < len(results); i += 2 {
		a := &Array{}
		if i/2 < len(types) {
			a.Type = types[i/2]
		}
		for _, d := range results[i].(*ort.Tensor[int64]).GetData()[1:] {
			a.Shape = append(a.Shape, int(d))
		}
		switch x := results[i+1].(type) {
		case *ort.Tensor[int64]:
			a.Ints = append([]int64{}, x.GetData()[1:]...)
		case *ort.Tensor[float64]:
			a.Floats = append([]float64{}, x.GetData()[1:]...)
		}
		out = append(out, a)
		results[i].Destroy()
		results[i+1].Destroy()
	}
	return out, nil
}

// model is the operator alone, and how to look at its outputs: each one's shape, and its elements in one type, both
// behind an element more, since neither scalars' shapes nor empty arrays come out of onnxruntime_go otherwise.
func (tr trial) model(types []onnx.DataType) (*onnx.Model, *onnx.Node, error) {
	b := build.New(tr.opset)
	b.Input("nothing", onnx.Float, 1)
	b.Output(b.Node("Identity", []string{"nothing"}, build.Name("\x00nothing")), onnx.Float, 1)
	var in []string
	for i, a := range tr.in {
		if a == nil {
			in = append(in, "")
			continue
		}
		t, err := toTensor(fmt.Sprint("in", i), a)
		if err != nil {
			return nil, nil, err
		}
		in = append(in, b.Tensor(t))
	}
	options := append([]build.Option{build.Name("trial")}, tr.attrs...)
	if tr.domain != "" {
		options = append(options, build.Domain(tr.domain, 1))
	}
	outs := b.Nodes(tr.op, tr.outputs, in, options...)
	sentinel := b.Initializer("one", []int64{1}, []int64{-7})
	all := b.Initializer("all", []int64{1}, []int64{-1})
	for i, y := range outs {
		shape := b.Node("Concat", []string{sentinel, b.Node("Shape", []string{y})}, build.Int("axis", 0),
			build.To(fmt.Sprint("shape", i)))
		b.Output(shape, onnx.Int64, "rank")
		to := onnx.Int64
		if i < len(types) && isFloat(types[i]) {
			to = onnx.Double
		}
		x := b.Node("Cast", []string{y}, build.Int("to", int64(to)))
		x = b.Node("Reshape", []string{x, all})
		first := b.Node("Cast", []string{sentinel}, build.Int("to", int64(to)))
		x = b.Node("Concat", []string{first, x}, build.Int("axis", 0), build.To(fmt.Sprint("elements", i)))
		b.Output(x, to, "size")
	}
	m, err := b.Model()
	if err != nil {
		return nil, nil, err
	}
	for i, y := range outs {
		if i < len(types) {
			m.Graph.Outputs = append(m.Graph.Outputs, &onnx.ValueInfo{Name: y,
				Type: &onnx.Type{Tensor: &onnx.TensorType{Elem: types[i]}}})
		}
	}
	for _, n := range m.Graph.Nodes {
		if n.Name == "trial" {
			return m, n, nil
		}
	}
	return nil, nil, fmt.Errorf("the node is lost")
}

// toTensor makes a tensor of an array's elements.
func toTensor(name string, a *Array) (*onnx.Tensor, error) {
	dims := make([]int64, len(a.Shape))
	for i, d := range a.Shape {
		dims[i] = int64(d)
	}
	var data any
	switch a.Type {
	case onnx.Float:
		data = each(a.Floats, func(x float64) float32 { return float32(x) })
	case onnx.Double:
		data = a.Floats
	case onnx.Float16:
		data = each(a.Floats, func(x float64) onnx.F16 { return onnx.ToF16(float32(x)) })
	case onnx.Bfloat16:
		data = each(a.Floats, func(x float64) onnx.BF16 { return onnx.ToBF16(float32(x)) })
	case onnx.Bool:
		data = each(a.Ints, func(x int64) bool { return x != 0 })
	case onnx.Int8:
		data = each(a.Ints, func(x int64) int8 { return int8(x) })
	case onnx.Int16:
		data = each(a.Ints, func(x int64) int16 { return int16(x) })
	case onnx.Int32:
		data = each(a.Ints, func(x int64) int32 { return int32(x) })
	case onnx.Int64:
		data = a.Ints
	case onnx.Uint8:
		data = each(a.Ints, func(x int64) uint8 { return uint8(x) })
	case onnx.Uint16:
		data = each(a.Ints, func(x int64) uint16 { return uint16(x) })
	case onnx.Uint32:
		data = each(a.Ints, func(x int64) uint32 { return uint32(x) })
	case onnx.Uint64:
		data = each(a.Ints, func(x int64) uint64 { return uint64(x) })
	default:
		return nil, fmt.Errorf("no tensor of %v", a)
	}
	return onnx.NewTensor(name, dims, data)
}

func each[A, B any](x []A, f func(A) B) []B {
	out := make([]B, len(x))
	for i, v := range x {
		out[i] = f(v)
	}
	return out
}
