package importer_test

import (
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

func TestLinearMapsAreRecognisedByWhatTheyCompute(t *testing.T) {
	dense := scope + "intermediate/dense/"
	const unknown = "is part of no block that graft recognises"
	run(t, []change{
		{name: "no bias", edit: func(t *testing.T, m *onnx.Model) {
			n := node(t, m, dense+"Add")
			n.OpType, n.Inputs = "Identity", n.Inputs[1:]
		}, check: func(t *testing.T, e *importer.Encoder) {
			l := e.Ops[e.Layers[1].Up].(*importer.Linear)
			if l.Bias != nil || l.W.Name != "encoder.layer.1.intermediate.dense.weight" {
				t.Errorf("%q with bias %v", l.W.Name, l.Bias)
			}
		}},
		{name: "a weight turned by a node", edit: func(t *testing.T, m *onnx.Model) {
			n := node(t, m, dense+"MatMul")
			e := before(t, m, dense+"MatMul")
			w, err := m.Graph.Initializer(n.Inputs[1]).Float32s()
			if err != nil {
				t.Fatal(err)
			}
			turned := make([]float32, len(w))
			for i, v := range w {
				turned[i%20*12+i/20] = v
			}
			n.Inputs[1] = e.add("Transpose", []string{e.tensor([]int64{20, 12}, turned)}, intsAttr("perm", 1, 0))
		}, check: func(t *testing.T, e *importer.Encoder) {
			l := e.Ops[e.Layers[1].Up].(*importer.Linear)
			if !l.Trans || l.In() != 12 || l.Out() != 20 || l.Module() != "encoder.layer.1.intermediate.dense" {
				t.Errorf("%s %v: %d to %d", l.Module(), l.Trans, l.In(), l.Out())
			}
		}},
		{name: "a weight turned by a node that is square", edit: func(t *testing.T, m *onnx.Model) {
			n := node(t, m, self+"query/MatMul")
			e := before(t, m, self+"query/MatMul")
			n.Inputs[1] = e.add("Transpose", []string{n.Inputs[1]})
		}},
		{name: "a weight kept as it is by a transposition", edit: func(t *testing.T, m *onnx.Model) {
			n := node(t, m, self+"query/MatMul")
			e := before(t, m, self+"query/MatMul")
			n.Inputs[1] = e.add("Transpose", []string{n.Inputs[1]}, intsAttr("perm", 0, 1))
		}, want: unknown},
		{name: "a scaled weight", edit: on(dense+"MatMul", 1, "Mul", 2), want: unknown},
		{name: "Gemm with a factor", edit: func(t *testing.T, m *onnx.Model) {
			setAttribute(node(t, m, "/pooler/dense/Gemm"), &onnx.Attribute{Name: "alpha", Type: onnx.AttrFloat, F: 2})
			m.Graph.Outputs = m.Graph.Outputs[1:]
		}, want: unknown},
		{name: "Gemm without transposition", edit: func(t *testing.T, m *onnx.Model) {
			setAttribute(node(t, m, "/pooler/dense/Gemm"), intAttr("transB", 0))
		}, check: func(t *testing.T, e *importer.Encoder) {
			for _, o := range e.Ops {
				if l, ok := o.(*importer.Linear); ok && l.W.Name == "pooler.dense.weight" && l.Trans {
					t.Error("it is transposed")
				}
			}
		}},
		{name: "a head of one label", edit: func(t *testing.T, m *onnx.Model) {
			n := node(t, m, "/pooler/dense/Gemm")
			e := before(t, m, "/pooler/dense/Gemm")
			n.Inputs[1] = e.tensor([]int64{1, 12}, []float32{1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6, -6})
			n.Inputs[2] = e.tensor([]int64{1}, []float32{0.5})
			m.Graph.Outputs[1].Type = nil
		}, check: func(t *testing.T, e *importer.Encoder) {
			if o := e.Outputs[1]; o.Width != 1 || !o.Pooled {
				t.Errorf("%+v", o)
			}
		}},
		{name: "an activation within the map", edit: func(t *testing.T, m *onnx.Model) {
			n := node(t, m, "/pooler/dense/Gemm")
			n.OpType, n.Domain = "FusedGemm", "com.microsoft"
			setAttribute(n, &onnx.Attribute{Name: "activation", Type: onnx.AttrString, S: []byte("Relu")})
			m.OpsetImport = append(m.OpsetImport, onnx.OperatorSet{Domain: "com.microsoft", Version: 1})
		}},
		{name: "an activation within the map, and a bias after it", edit: func(t *testing.T, m *onnx.Model) {
			n := node(t, m, "/pooler/dense/Gemm")
			bias := n.Inputs[2]
			n.OpType, n.Domain, n.Inputs = "FusedGemm", "com.microsoft", n.Inputs[:2]
			setAttribute(n, &onnx.Attribute{Name: "activation", Type: onnx.AttrString, S: []byte("Relu")})
			m.OpsetImport = append(m.OpsetImport, onnx.OperatorSet{Domain: "com.microsoft", Version: 1})
			e := before(t, m, "/pooler/activation/Tanh")
			node(t, m, "/pooler/activation/Tanh").Inputs[0] = e.add("Add", []string{n.Outputs[0], bias})
			m.Graph.Outputs = m.Graph.Outputs[1:]
		}, want: unknown},
		{name: "a bias, and BiasGelu's bias after it", edit: func(t *testing.T, m *onnx.Model) {
			n := node(t, m, "/pooler/activation/Tanh")
			n.OpType, n.Domain, n.Inputs = "BiasGelu", "com.microsoft", []string{n.Inputs[0], "pooler.dense.bias"}
			m.OpsetImport = append(m.OpsetImport, onnx.OperatorSet{Domain: "com.microsoft", Version: 1})
			m.Graph.Outputs = m.Graph.Outputs[1:]
		}, want: unknown},
		{name: "BiasGelu", edit: func(t *testing.T, m *onnx.Model) {
			n := node(t, m, "/pooler/activation/Tanh")
			n.OpType, n.Domain, n.Inputs = "BiasGelu", "com.microsoft", []string{n.Inputs[0], "pooler.dense.bias"}
			gemm := node(t, m, "/pooler/dense/Gemm")
			gemm.Inputs = gemm.Inputs[:2]
			m.OpsetImport = append(m.OpsetImport, onnx.OperatorSet{Domain: "com.microsoft", Version: 1})
		}},
		{name: "the mean of the tokens for the first", edit: func(t *testing.T, m *onnx.Model) {
			n := node(t, m, "/pooler/Gather")
			n.OpType, n.Inputs, n.Attributes = "ReduceMean", n.Inputs[:1], []*onnx.Attribute{intsAttr("axes", 1), intAttr("keepdims", 0)}
			m.Graph.Outputs = m.Graph.Outputs[1:]
		}, want: unknown},
		{name: "the second token for the first", edit: func(t *testing.T, m *onnx.Model) {
			e := before(t, m, "/pooler/Gather")
			node(t, m, "/pooler/Gather").Inputs[1] = e.int(1)
			m.Graph.Outputs = m.Graph.Outputs[1:]
		}, want: unknown},
	})
}

// An output that cannot be computed is left out, with everything that only it needs.
func TestOutputsThatAreNotRecognisedLeaveNothingBehind(t *testing.T) {
	m := encoder(t, 17)
	e := before(t, m, "/pooler/activation/Tanh")
	node(t, m, "/pooler/activation/Tanh").Inputs[0] = e.add("Sin", []string{"/pooler/dense/Gemm_output_0"})
	enc := recognise(t, m)
	checkLayers(t, enc, 2)
	if len(enc.Outputs) != 1 || enc.Outputs[0].Name != "last_hidden_state" {
		t.Errorf("outputs %v", enc.Outputs)
	}
	for _, w := range enc.Weights {
		if strings.HasPrefix(w.Name, "pooler") {
			t.Errorf("the weight %q is left", w.Name)
		}
	}
	if last := enc.Ops[len(enc.Ops)-1]; last.Where().Output != "last_hidden_state" {
		t.Errorf("the last operation gives %q", last.Where().Output)
	}
	t.Run("numbers", func(t *testing.T) {
		needRuntime(t)
		agree(t, m, enc, texts(3, small.VocabSize, 2, 7, 1))
	})
}
