package importer_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/seed-aefebe89/graft/export/ort"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// alone is a model of a few nodes on a matrix [batch, sequence, 24] for each token id: f adds them and names the outputs.
func alone(t testing.TB, opset int64, f func(e *editor, x string) []string) *onnx.Model {
	t.Helper()
	in := func(name string) *onnx.ValueInfo {
		return &onnx.ValueInfo{Name: name, Type: &onnx.Type{Tensor: &onnx.TensorType{Elem: onnx.Int64,
			Shape: &onnx.Shape{Dims: []onnx.Dim{onnx.SymbolicDim("batch"), onnx.SymbolicDim("sequence")}}}}}
	}
	m := &onnx.Model{IRVersion: 10, OpsetImport: []onnx.OperatorSet{{Version: opset}}, Graph: &onnx.Graph{Name: "alone",
		Inputs: []*onnx.ValueInfo{in("input_ids"), in("attention_mask")}}}
	contrib(m)
	e := &editor{tb: t, m: m}
	x := e.add("Gather", []string{e.tensor([]int64{40, 24}, numbers(40*24)), "input_ids"})
	for _, out := range f(e, x) {
		m.Graph.Outputs = append(m.Graph.Outputs, &onnx.ValueInfo{Name: out, Type: &onnx.Type{Tensor: &onnx.TensorType{Elem: onnx.Float}}})
	}
	return m
}

// What operators are written out in computes what they do, in onnxruntime: some sums in other orders of numbers of size
// 1, which 1e-5 bounds.
func TestExpansionsComputeTheSame(t *testing.T) {
	needRuntime(t)
	positions := func(e *editor) string { // of each token
		length := e.add("Gather", []string{e.add("Shape", []string{"input_ids"}), e.int(1)})
		return e.add("Expand", []string{e.add("Range", []string{e.int(0), length, e.int(1)}), e.add("Shape", []string{"input_ids"})})
	}
	heads := func(e *editor, x string) string { // [batch, 3, sequence, 8]
		return e.add("Transpose", []string{e.add("Reshape", []string{x, e.ints(0, 0, 3, -1)})}, intsAttr("perm", 0, 2, 1, 3))
	}
	cache := func(e *editor, seed int) string {
		x := numbers(seed)
		return e.tensor([]int64{16, 4}, x[:64])
	}
	mask := func(e *editor) string { return e.to(onnx.Int32, "attention_mask") }
	vector := func(e *editor, n int) string { return e.tensor([]int64{24}, numbers(n)[:24]) }
	for _, c := range []struct {
		name  string
		opset int64
		f     func(e *editor, x string) []string
	}{
		{"RMSNormalization", 23, func(e *editor, x string) []string {
			return []string{e.add("RMSNormalization", []string{x, vector(e, 24)}, floatAttr("epsilon", 1e-3))}
		}},
		{"SimplifiedLayerNormalization", 17, func(e *editor, x string) []string {
			return []string{e.add("SimplifiedLayerNormalization", []string{x, vector(e, 24)}, floatAttr("epsilon", 1e-3), intAttr("axis", -1))}
		}},
		{"SkipSimplifiedLayerNormalization", 17, func(e *editor, x string) []string {
			return []string{e.contrib("SkipSimplifiedLayerNormalization", []string{x, e.add("Neg", []string{e.add("Abs", []string{x})}),
				vector(e, 24), vector(e, 25)}, floatAttr("epsilon", 1e-3))}
		}},
		{"SkipLayerNormalization with its sum", 12, func(e *editor, x string) []string {
			y := e.contrib("SkipLayerNormalization", []string{x, e.add("Abs", []string{x}), vector(e, 24), vector(e, 25), vector(e, 26)})
			n := e.m.Graph.Nodes[e.at-1]
			n.Outputs = append(n.Outputs, "", "", "sum")
			return []string{y, "sum"}
		}},
		{"EmbedLayerNormalization", 12, func(e *editor, x string) []string {
			table := func(rows int) string { return e.tensor([]int64{int64(rows), 24}, numbers(rows*24)) }
			ids := e.to(onnx.Int32, "input_ids")
			types := e.to(onnx.Int32, e.add("Sub", []string{"attention_mask", "attention_mask"}))
			y := e.contrib("EmbedLayerNormalization", []string{ids, types, table(40), table(16), table(2), vector(e, 24), vector(e, 25),
				mask(e)})
			n := e.m.Graph.Nodes[e.at-1]
			n.Outputs = append(n.Outputs, "lengths")
			return []string{y, e.to(onnx.Float, "lengths")}
		}},
		{"RotaryEmbedding", 23, func(e *editor, x string) []string {
			return []string{e.add("RotaryEmbedding", []string{x, cache(e, 64), cache(e, 65), positions(e)}, intAttr("num_heads", 3))}
		}},
		{"RotaryEmbedding of heads", 23, func(e *editor, x string) []string {
			return []string{e.add("RotaryEmbedding", []string{heads(e, x), cache(e, 64), cache(e, 65), positions(e)})}
		}},
		{"RotaryEmbedding of onnxruntime", 17, func(e *editor, x string) []string {
			return []string{e.contrib("RotaryEmbedding", []string{x, positions(e), cache(e, 64), cache(e, 65)}, intAttr("num_heads", 3))}
		}},
		{"Attention of heads", 23, func(e *editor, x string) []string {
			return []string{e.add("Attention", []string{heads(e, x), heads(e, e.add("Abs", []string{x})), heads(e, e.add("Neg", []string{x}))})}
		}},
		{"Attention with a scale", 23, func(e *editor, x string) []string {
			return []string{e.add("Attention", []string{x, e.add("Abs", []string{x}), e.add("Neg", []string{x})}, intAttr("q_num_heads", 3),
				intAttr("kv_num_heads", 3), floatAttr("scale", 0.7))}
		}},
		{"packed Attention", 17, func(e *editor, x string) []string {
			return []string{e.contrib("Attention", []string{x, e.tensor([]int64{24, 72}, numbers(24*72)), e.tensor([]int64{72}, numbers(72)),
				mask(e)}, intAttr("num_heads", 3))}
		}},
		{"packed Attention with narrow values", 17, func(e *editor, x string) []string {
			return []string{e.contrib("Attention", []string{x, e.tensor([]int64{24, 60}, numbers(24*60)), e.tensor([]int64{60}, numbers(60)),
				mask(e)}, intAttr("num_heads", 3), intsAttr("qkv_hidden_sizes", 24, 24, 12), floatAttr("scale", 0.2))}
		}},
		{"MultiHeadAttention", 17, func(e *editor, x string) []string {
			return []string{e.contrib("MultiHeadAttention", []string{x, e.add("Abs", []string{x}), e.add("Neg", []string{x}),
				e.tensor([]int64{72}, numbers(72)), mask(e)}, intAttr("num_heads", 3))}
		}},
		{"BiasGelu", 17, func(e *editor, x string) []string { return []string{e.contrib("BiasGelu", []string{x, vector(e, 24)})} }},
		{"FastGelu", 17, func(e *editor, x string) []string {
			return []string{e.contrib("FastGelu", []string{x, vector(e, 24)}), e.contrib("FastGelu", []string{x})}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			expandsTo(t, alone(t, c.opset, c.f))
		})
	}
}

// expandsTo demands that a model is written out in others, and that onnxruntime gives the same for both.
func expandsTo(t *testing.T, m *onnx.Model) {
	t.Helper()
	x, err := importer.Dequantised(m)
	if err != nil {
		t.Fatal(err)
	}
	if slices.EqualFunc(x.Graph.Nodes, m.Graph.Nodes, func(a, b *onnx.Node) bool { return a.OpType == b.OpType }) {
		t.Fatal("nothing is written out")
	}
	batch := ort.Pad([][]int32{{3, 1, 4, 1, 5}, {9, 2}, {6, 5, 3, 5}}, nil, 0)
	var outs []map[string]ort.Output
	for _, m := range []*onnx.Model{m, x} {
		s, err := ort.Open(m, ort.Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		y, err := s.Run(context.Background(), batch, nil)
		if err != nil {
			t.Fatal(err)
		}
		outs = append(outs, y)
	}
	for _, o := range m.Graph.Outputs {
		want, got := outs[0][o.Name], outs[1][o.Name]
		if len(want.Data) == 0 || fmt.Sprint(want.Shape) != fmt.Sprint(got.Shape) {
			t.Fatalf("%v, want %v", got.Shape, want.Shape)
		}
		for i, v := range want.Data {
			if d := math.Abs(float64(v - got.Data[i])); !(d <= 1e-5) {
				t.Fatalf("element %d of %v of %q is %g, want %g", i, want.Shape, o.Name, got.Data[i], v)
			}
		}
	}
}
