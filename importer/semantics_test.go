package importer_test

import (
	"math"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// Names in the small random encoder.
const (
	self  = "/encoder/layer.1/attention/self/"
	scope = "/encoder/layer.1/"
	gelu  = scope + "intermediate/intermediate_act_fn/"
)

// change is an edit of the small random encoder, and what becomes of it.
type change struct {
	name  string
	opset int // 17 if it is 0
	edit  func(t *testing.T, m *onnx.Model)
	want  string // of the error; none if the encoder is recognised
	check func(t *testing.T, e *importer.Encoder)
	even  bool // so that onnxruntime is asked without padding, which the model does not mask
}

// run holds what is recognised to onnxruntime, where that is there.
func run(t *testing.T, changes []change) {
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			m := encoder(t, max(c.opset, 11+6*b2i(c.opset == 0)))
			c.edit(t, m)
			e, err := importer.EncoderOf(m)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Fatalf("%v, want an error with %q", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.check != nil {
				c.check(t, e)
			}
			t.Run("numbers", func(t *testing.T) {
				needRuntime(t)
				lengths := []int{7, 1, 16, 5}
				if c.even {
					lengths = []int{9, 9}
				}
				agree(t, m, e, texts(3, small.VocabSize, 2, lengths...))
			})
		})
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// scaled checks the scale of the second layer's attention.
func scaled(want float32) func(t *testing.T, e *importer.Encoder) {
	return func(t *testing.T, e *importer.Encoder) {
		if got := e.Ops[e.Layers[1].Attention].(*importer.Attention).Scale; math.Abs(float64(got-want)) > 1e-7 {
			t.Errorf("scale %v, want %v", got, want)
		}
	}
}

// on puts an operator of a constant before an input of a node.
func on(name string, input int, op string, by float32) func(t *testing.T, m *onnx.Model) {
	return func(t *testing.T, m *onnx.Model) {
		n := node(t, m, name)
		e := before(t, m, name)
		n.Inputs[input] = e.add(op, []string{n.Inputs[input], e.float(by)})
	}
}

func permute(name string, perm ...int64) func(t *testing.T, m *onnx.Model) {
	return func(t *testing.T, m *onnx.Model) { setAttribute(node(t, m, name), intsAttr("perm", perm...)) }
}

func set(name string, data any) func(t *testing.T, m *onnx.Model) {
	return func(t *testing.T, m *onnx.Model) { setConstant(t, m, name, data) }
}

func TestAttentionIsRecognisedByWhatItComputes(t *testing.T) {
	const unknown = "is part of no block that graft recognises"
	run(t, []change{
		{name: "another scale", edit: set(self+"Constant_10_output_0", []float32{3}), check: scaled(1. / 3)},
		{name: "no scale", edit: set(self+"Constant_10_output_0", []float32{1}), check: scaled(1)},
		{name: "a scale of 1/0", edit: set(self+"Constant_10_output_0", []float32{0}), want: "its scores are scaled by +Inf"},
		{name: "scaled queries", edit: on(self+"MatMul", 0, "Mul", 3), check: scaled(1.5)},
		{name: "scaled keys", edit: on(self+"MatMul", 1, "Div", 4), check: scaled(0.125)},
		{name: "queries scaled before they are split", edit: on(self+"Reshape", 0, "Mul", -2), check: scaled(-1)},
		{name: "scaled values", edit: on(self+"MatMul_1", 1, "Mul", 2), want: "the values are scaled by 2"},
		{name: "shifted queries", edit: on(self+"MatMul", 0, "Add", 1), want: "is not split into 3 heads of 4"},
		{name: "scores after the mask scaled", edit: on(self+"Softmax", 0, "Mul", 0.5), check: scaled(0.25)},
		{name: "scores after the mask turned round", edit: on(self+"Softmax", 0, "Mul", -1), want: "neither lets through nor hides"},
		{name: "scores after the mask scaled to nothing", edit: on(self+"Softmax", 0, "Mul", 0), want: "sees token"},
		{name: "scaled probabilities", edit: on(self+"MatMul_1", 0, "Mul", 2), want: unknown},
		{name: "queries not turned", edit: permute(self+"Transpose", 0, 1, 2, 3), want: "MatMul"},
		{name: "values turned like keys", edit: permute(self+"Transpose_1", 0, 2, 3, 1), want: "MatMul"},
		{name: "heads merged wrongly", edit: permute(self+"Transpose_3", 0, 2, 3, 1), want: unknown},
		{name: "heads not merged", edit: func(t *testing.T, m *onnx.Model) {
			n := node(t, m, self+"Transpose_3")
			e := before(t, m, self+"Transpose_3")
			perm := e.add("Reshape", []string{n.Inputs[0], e.ints(0, -1, 12)}) // tokens and heads mixed
			node(t, m, scope+"attention/output/dense/MatMul").Inputs[0] = perm
		}, want: unknown},
		{name: "heads split by columns first", edit: func(t *testing.T, m *onnx.Model) { // column j of head h is 3·j + h
			for i, name := range []string{"Reshape", "Reshape_1", "Reshape_2"} {
				n := node(t, m, self+name)
				e := before(t, m, self+name)
				turned := e.add("Transpose", []string{e.add("Reshape", []string{n.Inputs[0], e.ints(0, 0, 4, 3)})}, intsAttr("perm", 0, 1, 3, 2))
				n.Inputs[0] = e.add("Reshape", []string{turned, e.ints(0, 0, 12)})
				_ = i
			}
		}, want: "is not split into 3 heads of 4"},
		{name: "tokens in one row of heads", edit: func(t *testing.T, m *onnx.Model) { // every head of every token sees all others
			for _, name := range []string{"Reshape", "Reshape_1", "Reshape_2"} {
				e := before(t, m, self+name)
				n := node(t, m, self+name)
				n.Inputs[1] = e.ints(0, 1, -1, 4)
			}
			permute(self+"Transpose", 0, 1, 2, 3)(t, m)
			permute(self+"Transpose_1", 0, 1, 2, 3)(t, m)
			permute(self+"Transpose_2", 0, 1, 3, 2)(t, m)
			permute(self+"Transpose_3", 0, 1, 2, 3)(t, m)
			unmask(t, m)
			e := before(t, m, self+"Reshape_3")
			node(t, m, self+"Reshape_3").Inputs[1] = e.ints(0, -1, 12)
		}, want: unknown},
		{name: "softmax over the queries", edit: func(t *testing.T, m *onnx.Model) {
			setAttribute(node(t, m, self+"Softmax"), intAttr("axis", 2))
		}, want: unknown},
		{name: "softmax over the last axis, counted from the first", edit: func(t *testing.T, m *onnx.Model) {
			setAttribute(node(t, m, self+"Softmax"), intAttr("axis", 3))
		}},
		{name: "logarithms of probabilities", edit: func(t *testing.T, m *onnx.Model) {
			node(t, m, self+"Softmax").OpType = "LogSoftmax"
		}, want: unknown},
		{name: "keys of another layer", edit: func(t *testing.T, m *onnx.Model) {
			node(t, m, scope+"attention/self/key/MatMul").Inputs[0] = "/embeddings/LayerNorm/LayerNormalization_output_0"
		}},
		{name: "a guard for rows without a token", edit: func(t *testing.T, m *onnx.Model) {
			p := node(t, m, self+"Softmax").Outputs[0]
			e := before(t, m, self+"MatMul_1")
			node(t, m, self+"MatMul_1").Inputs[0] = e.add("Where", []string{e.add("IsNaN", []string{p}), e.float(0), p})
		}},
		{name: "a guard that puts ones", edit: func(t *testing.T, m *onnx.Model) {
			p := node(t, m, self+"Softmax").Outputs[0]
			e := before(t, m, self+"MatMul_1")
			node(t, m, self+"MatMul_1").Inputs[0] = e.add("Where", []string{e.add("IsNaN", []string{p}), e.float(1), p})
		}, want: unknown},
	})
}

func TestActivationsAreRecognisedByTheirValues(t *testing.T) {
	// replaced puts another function of the first dense layer's output for GELU.
	replaced := func(f func(e *editor, x string) string) func(t *testing.T, m *onnx.Model) {
		return func(t *testing.T, m *onnx.Model) {
			e := before(t, m, scope+"output/dense/MatMul")
			node(t, m, scope+"output/dense/MatMul").Inputs[0] = f(e, scope+"intermediate/dense/Add_output_0")
		}
	}
	is := func(want string) func(t *testing.T, e *importer.Encoder) {
		return func(t *testing.T, e *importer.Encoder) {
			down := e.Ops[e.Layers[1].Down].(*importer.Linear)
			if f, ok := e.Ops[down.X].(*importer.Activation); !ok || f.Func != want {
				t.Errorf("%+v, want %s", e.Ops[down.X], want)
			}
		}
	}
	one := func(op string) func(*editor, string) string {
		return func(e *editor, x string) string { return e.add(op, []string{x}) }
	}
	const unknown = "is part of no block that graft recognises"
	run(t, []change{
		{name: "relu", edit: replaced(one("Relu")), check: is("relu")},
		{name: "relu as a maximum", edit: replaced(func(e *editor, x string) string { return e.add("Max", []string{e.float(0), x}) }), check: is("relu")},
		{name: "tanh", edit: replaced(one("Tanh")), check: is("tanh")},
		{name: "silu", edit: replaced(func(e *editor, x string) string {
			return e.add("Mul", []string{x, e.add("Sigmoid", []string{x})})
		}), check: is("silu")},
		{name: "silu by exp", edit: replaced(func(e *editor, x string) string {
			return e.add("Div", []string{x, e.add("Add", []string{e.float(1), e.add("Exp", []string{e.add("Neg", []string{x})})})})
		}), check: is("silu")},
		{name: "gelu by tanh", edit: replaced(func(e *editor, x string) string {
			cube := e.add("Mul", []string{e.float(0.044715), e.add("Pow", []string{x, e.float(3)})})
			inner := e.add("Tanh", []string{e.add("Mul", []string{e.float(0.7978845608), e.add("Add", []string{x, cube})})})
			return e.add("Mul", []string{e.add("Mul", []string{e.float(0.5), x}), e.add("Add", []string{e.float(1), inner})})
		}), check: is("gelu_tanh")},
		{name: "gelu in one", opset: 20, edit: func(*testing.T, *onnx.Model) {}, check: is("gelu")},
		{name: "gelu by tanh in one", opset: 20, edit: func(t *testing.T, m *onnx.Model) {
			setAttribute(node(t, m, gelu+"Gelu"), &onnx.Attribute{Name: "approximate", Type: onnx.AttrString, S: []byte("tanh")})
		}, check: is("gelu_tanh")},
		{name: "gelu of halves", edit: set(gelu+"Constant_2_output_0", []float32{0.6}), want: unknown},
		{name: "gelu with another root", edit: set(gelu+"Constant_output_0", []float32{1.5}), want: unknown},
		{name: "gelu with another sum", edit: set(gelu+"Constant_1_output_0", []float32{1.001}), want: unknown},
		{name: "quick gelu", edit: replaced(func(e *editor, x string) string {
			return e.add("Mul", []string{x, e.add("Sigmoid", []string{e.add("Mul", []string{x, e.float(1.702)})})})
		}), want: unknown},
		{name: "sigmoid", edit: replaced(one("Sigmoid")), want: unknown},
		{name: "exp", edit: replaced(one("Exp")), want: unknown},
		{name: "relu up to 6", edit: replaced(func(e *editor, x string) string {
			return e.add("Min", []string{e.add("Relu", []string{x}), e.float(6)})
		}), want: unknown},
		{name: "relu up to 20", edit: replaced(func(e *editor, x string) string {
			return e.add("Min", []string{e.add("Relu", []string{x}), e.float(20)})
		}), want: unknown},
		{name: "an unknown operator", edit: replaced(one("HardSwish")), want: `HardSwish "added_`},
		{name: "a gate", edit: replaced(func(e *editor, x string) string {
			return e.add("Mul", []string{x, scope + "intermediate/dense/MatMul_output_0"})
		})},
	})
}

func TestNormalisationsAreRecognisedByWhatTheyCompute(t *testing.T) {
	norm := scope + "output/LayerNorm/"
	eps := func(want float32) func(t *testing.T, e *importer.Encoder) {
		return func(t *testing.T, e *importer.Encoder) {
			if got := e.Ops[e.Layers[1].Norm2].(*importer.LayerNorm).Eps; got != want {
				t.Errorf("eps %v, want %v", got, want)
			}
		}
	}
	const unknown = "is part of no block that graft recognises"
	run(t, []change{
		{name: "another eps", edit: func(t *testing.T, m *onnx.Model) {
			setAttribute(node(t, m, norm+"LayerNormalization"), &onnx.Attribute{Name: "epsilon", Type: onnx.AttrFloat, F: 0.25})
		}, check: eps(0.25)},
		{name: "the default eps", edit: func(t *testing.T, m *onnx.Model) {
			n := node(t, m, norm+"LayerNormalization")
			n.Attributes = []*onnx.Attribute{intAttr("axis", -1)}
		}, check: eps(1e-5)},
		{name: "another eps, written out", opset: 13, edit: set(norm+"Constant_1_output_0", []float32{0.25}), check: eps(0.25)},
		{name: "another power", opset: 13, edit: set(norm+"Constant_output_0", []float32{3}), want: unknown},
		{name: "no bias", edit: func(t *testing.T, m *onnx.Model) {
			n := node(t, m, norm+"LayerNormalization")
			n.Inputs = n.Inputs[:2]
		}, check: func(t *testing.T, e *importer.Encoder) {
			if e.Ops[e.Layers[1].Norm2].(*importer.LayerNorm).Beta != nil {
				t.Error("it has a bias")
			}
		}},
		{name: "no bias, written out", opset: 13, edit: func(t *testing.T, m *onnx.Model) {
			n := node(t, m, norm+"Add_1") // the output
			n.OpType, n.Inputs = "Identity", n.Inputs[:1]
		}},
		{name: "over tokens too", edit: func(t *testing.T, m *onnx.Model) {
			setAttribute(node(t, m, norm+"LayerNormalization"), intAttr("axis", 1))
		}, want: unknown},
		{name: "a mean over tokens", opset: 13, edit: func(t *testing.T, m *onnx.Model) {
			setAttribute(node(t, m, norm+"ReduceMean"), intsAttr("axes", -2))
		}, want: unknown},
		{name: "a sum for the mean", opset: 13, edit: func(t *testing.T, m *onnx.Model) {
			node(t, m, norm+"ReduceMean_1").OpType = "ReduceSum"
		}, want: unknown},
		{name: "a square of something else", opset: 13, edit: func(t *testing.T, m *onnx.Model) {
			node(t, m, norm+"Pow").Inputs[0] = norm + "ReduceMean_output_0"
		}, want: unknown},
		{name: "a square as a product", opset: 13, edit: func(t *testing.T, m *onnx.Model) {
			n := node(t, m, norm+"Pow")
			n.OpType, n.Inputs = "Mul", []string{n.Inputs[0], n.Inputs[0]}
		}},
		{name: "the mean for the output", edit: func(t *testing.T, m *onnx.Model) {
			n := node(t, m, norm+"LayerNormalization")
			n.Outputs = append(n.Outputs, "mean")
			m.Graph.Outputs = m.Graph.Outputs[:1]
			m.Graph.Outputs[0].Name, m.Graph.Outputs[0].Type = "mean", nil
		}, want: `its output "mean", not the first one, is part of no block`},
	})
}
