package lower_test

import (
	"context"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/build"
)

// What random graphs have found, as small graphs.
func TestGraphsThatOnceWentWrong(t *testing.T) {
	needRuntime(t)
	x := &fold.Array{Type: onnx.Float, Shape: []int{2, 3}, Floats: []float64{1, -2, 0.5, 3, 0.25, -1}}
	w := []float32{1, 2, 3, 4, 5, 7}
	for name, add := range map[string]func(b *build.Builder, x string) string{
		"normalised transpose of a weight": func(b *build.Builder, x string) string {
			turned := b.Node("Transpose", []string{b.Initializer("w", []int64{2, 3}, w)})
			n := b.Node("LayerNormalization", []string{turned, b.Initializer("gamma", []int64{2}, w[:2])}, build.Float("epsilon", 0.1))
			return b.Node("MatMul", []string{x, n})
		},
		"softmax of constants": func(b *build.Builder, x string) string {
			s := b.Node("Softmax", []string{b.Node("Cast", []string{b.Constant([]int64{3}, []int64{1, 2, 0})}, build.Int("to", 1))})
			return b.Node("Mul", []string{x, s})
		},
		"rows of a transposed weight": func(b *build.Builder, x string) string {
			turned := b.Node("Transpose", []string{b.Initializer("w", []int64{2, 3}, w)})
			g := b.Node("Gather", []string{turned, b.Constant([]int64{2}, []int64{-1, 0})})
			return b.Node("MatMul", []string{b.Node("Transpose", []string{x}), g})
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := build.New(17)
			b.Output(add(b, b.Input("x", onnx.Float, 2, 3)), onnx.Float, "rows", "columns")
			m, err := b.Model()
			if err != nil {
				t.Fatal(err)
			}
			in := map[string]*fold.Array{"x": x}
			want, err := runtime(m, in, []string{m.Graph.Outputs[0].Name})
			if err != nil {
				t.Fatal(err)
			}
			net, err := lowered(m, in)
			if err != nil {
				t.Fatal(err)
			}
			got, err := net.Run(context.Background(), in)
			if err != nil {
				t.Fatal(err)
			}
			if d := differs(got[0], want[0], 1e-6); d != "" {
				t.Error(d)
			}
		})
	}
}

// What cannot be run is an error that names the node and the opset, at once.
func TestWhatCannotBeLoweredIsRefused(t *testing.T) {
	for want, add := range map[string]func(b *build.Builder, x string) string{
		`Det "/Det": graft does not know this operator (opset 17)`: func(b *build.Builder, x string) string {
			return b.Node("Det", []string{x})
		},
		"its indices are computed from weights": func(b *build.Builder, x string) string {
			i := b.Node("Cast", []string{x}, build.Int("to", int64(onnx.Int64)))
			return b.Node("Gather", []string{x, i})
		},
		"graft has no arithmetic of integers": func(b *build.Builder, x string) string {
			i := b.Node("Cast", []string{x}, build.Int("to", int64(onnx.Int64)))
			return b.Node("Cast", []string{b.Node("Div", []string{i, i})}, build.Int("to", 1))
		},
		"has no place among float32": func(b *build.Builder, x string) string {
			i := b.Node("Cast", []string{x}, build.Int("to", int64(onnx.Int64)))
			return b.Node("Cast", []string{b.Node("Add", []string{i, b.Constant(nil, []int64{1<<40 + 1})})}, build.Int("to", 1))
		},
	} {
		b := build.New(17)
		b.Output(add(b, b.Input("x", onnx.Float, 2, 3)), onnx.Float, "rows", "columns")
		m, err := b.Model()
		if err != nil {
			t.Fatal(err)
		}
		in := map[string]*fold.Array{"x": {Type: onnx.Float, Shape: []int{2, 3}, Floats: make([]float64, 6)}}
		net, err := lowered(m, in)
		if err == nil {
			_, err = net.Run(context.Background(), in)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
