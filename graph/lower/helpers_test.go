package lower_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"sync"
	"testing"

	ort "github.com/yalue/onnxruntime_go"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/exec"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/cpu"
	"github.com/seed-aefebe89/graft/graph/lower"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

var start = sync.OnceValue(func() error {
	ort.SetSharedLibraryPath(os.Getenv("GRAFT_ORT_LIB"))
	return ort.InitializeEnvironment(ort.WithLogLevelFatal())
})

// needRuntime skips the test where no onnxruntime is named.
func needRuntime(tb testing.TB) {
	tb.Helper()
	if os.Getenv("GRAFT_ORT_LIB") == "" {
		tb.Skip("needs onnxruntime: set GRAFT_ORT_LIB to its shared library")
	}
	if err := start(); err != nil {
		tb.Fatal(err)
	}
}

// runtime gives the outputs of a model in onnxruntime, without its optimisations.
func runtime(m *onnx.Model, inputs map[string]*fold.Array, outputs []string) ([]*fold.Array, error) {
	b, err := m.Encode()
	if err != nil {
		return nil, err
	}
	o, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	defer o.Destroy()
	if err := o.SetIntraOpNumThreads(1); err != nil {
		return nil, err
	}
	if err := o.SetGraphOptimizationLevel(ort.GraphOptimizationLevelDisableAll); err != nil {
		return nil, err
	}
	var names []string
	var feeds []ort.Value
	for name, a := range inputs {
		v, err := feed(a)
		if err != nil {
			return nil, err
		}
		defer v.Destroy()
		names, feeds = append(names, name), append(feeds, v)
	}
	s, err := ort.NewDynamicAdvancedSessionWithONNXData(b, names, outputs, o)
	if err != nil {
		return nil, err
	}
	defer s.Destroy()
	results := make([]ort.Value, len(outputs))
	if err := s.Run(feeds, results); err != nil {
		return nil, err
	}
	var out []*fold.Array
	for _, r := range results {
		a, err := array(r)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
		if err := r.Destroy(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func feed(a *fold.Array) (ort.Value, error) {
	shape := make(ort.Shape, len(a.Shape))
	for i, d := range a.Shape {
		shape[i] = int64(d)
	}
	switch a.Type {
	case onnx.Float:
		return ort.NewTensor(shape, each(a.Floats, func(x float64) float32 { return float32(x) }))
	case onnx.Double:
		return ort.NewTensor(shape, a.Floats)
	case onnx.Int64:
		return ort.NewTensor(shape, a.Ints)
	case onnx.Int32:
		return ort.NewTensor(shape, each(a.Ints, func(x int64) int32 { return int32(x) }))
	case onnx.Bool:
		return ort.NewTensor(shape, each(a.Ints, func(x int64) bool { return x != 0 }))
	}
	return nil, fmt.Errorf("no tensor of %v", a)
}

func each[A, B any](x []A, f func(A) B) []B {
	out := make([]B, len(x))
	for i, v := range x {
		out[i] = f(v)
	}
	return out
}

func array(v ort.Value) (*fold.Array, error) {
	a := &fold.Array{}
	for _, d := range v.GetShape() {
		a.Shape = append(a.Shape, int(d))
	}
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
		a.Type = onnx.Bool
		a.Ints = each(x.GetData(), func(v bool) int64 {
			if v {
				return 1
			}
			return 0
		})
	default:
		return nil, fmt.Errorf("an output is a %T", v)
	}
	return a, nil
}

// network is a lowered program with its weights.
type network struct {
	program *importer.Program
	*lower.Network
	g       *G.ExprGraph
	weights map[*importer.Weight]*G.Node
	data    map[*G.Node]kernel.Tensor
}

// lowered builds the graph of a model for inputs of some shapes.
func lowered(m *onnx.Model, inputs map[string]*fold.Array, outputs ...string) (*network, error) {
	nodes, err := importer.NewNodewise(m)
	if err != nil {
		return nil, err
	}
	n := &network{g: G.NewGraph(), weights: map[*importer.Weight]*G.Node{}, data: map[*G.Node]kernel.Tensor{}}
	if n.program, err = nodes.Program(inputs, outputs...); err != nil {
		return nil, err
	}
	n.Network, err = lower.Build(n.g, n.program, func(w *importer.Weight) (*G.Node, error) {
		if leaf := n.weights[w]; leaf != nil {
			return leaf, nil
		}
		leaf := G.NewTensor(n.g, tensor.Float32, len(w.Shape), G.WithShape(w.Shape...), G.WithName(w.Name))
		x, err := w.Tensor.Float32s()
		if err != nil {
			return nil, err
		}
		n.weights[w], n.data[leaf] = leaf, kernel.F32(x, w.Shape...)
		return leaf, nil
	})
	return n, err
}

// feed collects the values of all leaves but weights for a batch.
func (n *network) feed(inputs map[string]*fold.Array) error {
	host, err := n.program.Host(inputs)
	if err != nil {
		return err
	}
	for _, l := range n.Leaves {
		if n.data[l.Node], err = l.Value(host); err != nil {
			return err
		}
	}
	for i, in := range n.program.Inputs {
		x := each(inputs[in.Name].Floats, func(v float64) float32 { return float32(v) })
		n.data[n.Inputs[i]] = kernel.F32(x, len(x))
	}
	return nil
}

// run computes nodes.
func (n *network) run(roots ...*G.Node) ([][]float32, error) {
	p, err := exec.NewPlan(roots...)
	if err != nil {
		return nil, err
	}
	e := p.New(cpu.New())
	for _, l := range p.Leaves() {
		if err := e.Feed(l, n.data[l]); err != nil {
			return nil, err
		}
	}
	if err := e.Run(context.Background()); err != nil {
		return nil, err
	}
	out := make([][]float32, len(roots))
	for i, r := range roots {
		v, err := e.Value(r)
		if err != nil {
			return nil, err
		}
		out[i] = append([]float32{}, v.F32...)
	}
	return out, nil
}

// outputs computes the program's outputs, those of the host among them.
func (n *network) outputs(inputs map[string]*fold.Array) ([]*fold.Array, error) {
	if err := n.feed(inputs); err != nil {
		return nil, err
	}
	host, err := n.program.Host(inputs)
	if err != nil {
		return nil, err
	}
	var roots []*G.Node
	for _, r := range n.Outputs {
		if r != nil {
			roots = append(roots, r)
		}
	}
	values, err := n.run(roots...)
	if err != nil {
		return nil, err
	}
	var out []*fold.Array
	for i, o := range n.program.Outputs {
		a := o.Array
		switch {
		case n.Outputs[i] != nil:
			a = &fold.Array{Type: o.Array.Type, Shape: o.Array.Shape}
			for _, v := range values[0] {
				a.Floats = append(a.Floats, float64(v))
			}
			values = values[1:]
		case o.Source == importer.Host:
			a = host[o.Name]
		}
		out = append(out, a)
	}
	return out, nil
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
