package importer_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/internal/testutil"
)

// What graft does not import is named: the node, its operator, the opset.
func TestOtherArchitecturesAreRefusedByName(t *testing.T) {
	for _, c := range []struct{ pattern, want string }{
		// Which is no valid ONNX: Clip takes integers from opset 12 on.
		{"fixtures/onnx/deberta-v2/*11*.onnx", `Clip "/encoder/layer.0/attention/self/Clip" (opset 11): input 0 is int64, want a floating-point number`},
		{"fixtures/onnx/deberta-v2/*/*11*.onnx", `Clip "/encoder/layer.0/attention/self/Clip" (opset 11): input 0 is int64, want a floating-point number`},
	} {
		for _, path := range fixtures(t, c.pattern) {
			m, err := importer.Open(testutil.Shared(t, path))
			if err == nil {
				m.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path[strings.LastIndexByte(path, '/'):]) {
				t.Errorf("%s: %v, want %s", path, err, c.want)
			}
		}
	}
}

func TestGraphsThatAreNoneAreRefused(t *testing.T) {
	input := func(m *onnx.Model, i int, dims ...onnx.Dim) { m.Graph.Inputs[i].Type.Tensor.Shape.Dims = dims }
	batch, seq := onnx.SymbolicDim("batch"), onnx.SymbolicDim("sequence")
	run(t, []change{
		{name: "an unknown operator", edit: func(t *testing.T, m *onnx.Model) {
			node(t, m, self+"Softmax").OpType = "Softermax"
		}, want: `Softermax "/encoder/layer.1/attention/self/Softmax": graft does not know this operator (opset 17)`},
		{name: "an unknown domain", edit: func(t *testing.T, m *onnx.Model) {
			node(t, m, self+"Softmax").Domain = "org.example"
		}, want: `org.example.Softmax "/encoder/layer.1/attention/self/Softmax": the model imports no opset of the domain "org.example"`},
		{name: "an operator of another domain", edit: func(t *testing.T, m *onnx.Model) {
			node(t, m, self+"Softmax").Domain = "org.example"
			m.OpsetImport = append(m.OpsetImport, onnx.OperatorSet{Domain: "org.example", Version: 3})
		}, want: `org.example.Softmax "/encoder/layer.1/attention/self/Softmax": graft does not know this operator (opset 3)`},
		{name: "the default domain by its other name", edit: func(t *testing.T, m *onnx.Model) {
			for _, n := range m.Graph.Nodes {
				n.Domain = "ai.onnx"
			}
			m.OpsetImport[0].Domain = "ai.onnx"
		}},
		{name: "no opset", edit: func(t *testing.T, m *onnx.Model) { m.OpsetImport = nil },
			want: `the model imports no opset of the domain ""`},
		{name: "two opsets", edit: func(t *testing.T, m *onnx.Model) {
			m.OpsetImport = append(m.OpsetImport, onnx.OperatorSet{Domain: "ai.onnx", Version: 11})
		}, want: "two opsets"},
		{name: "an operator that is newer than the opset", edit: func(t *testing.T, m *onnx.Model) {
			node(t, m, gelu+"Erf").OpType = "Gelu"
		}, want: "graft knows this operator from opset 20 on, the model imports opset 17"},
		{name: "no graph", edit: func(t *testing.T, m *onnx.Model) { m.Graph = nil }, want: "no graph"},
		{name: "no nodes", edit: func(t *testing.T, m *onnx.Model) { m.Graph.Nodes = nil }, want: "decoding the graph"},
		{name: "no outputs", edit: func(t *testing.T, m *onnx.Model) { m.Graph.Outputs = nil }, want: "decoding the graph"},
		{name: "an output that nothing makes", edit: func(t *testing.T, m *onnx.Model) { m.Graph.Outputs[1].Name = "nothing" },
			want: `nothing makes the output "nothing"`},
		{name: "an output that is an input", edit: func(t *testing.T, m *onnx.Model) {
			m.Graph.Outputs = m.Graph.Outputs[:1]
			m.Graph.Outputs[0].Name = "input_ids"
		}, want: "depends on no weight"},
		{name: "a cycle", edit: func(t *testing.T, m *onnx.Model) {
			node(t, m, self+"Softmax").Inputs[0] = self + "MatMul_1_output_0"
		}, want: `the graph has a cycle: Softmax "/encoder/layer.1/attention/self/Softmax" reads MatMul "/encoder/layer.1/attention/self/MatMul_1" reads Softmax`},
		{name: "an input that nothing makes", edit: func(t *testing.T, m *onnx.Model) { node(t, m, self+"Softmax").Inputs[0] = "nothing" },
			want: `Softmax "/encoder/layer.1/attention/self/Softmax": nothing makes its input "nothing"`},
		{name: "a node that reads itself", edit: func(t *testing.T, m *onnx.Model) {
			node(t, m, self+"Softmax").Inputs[0] = self + "Softmax_output_0"
		}, want: "cycle"},
		{name: "nodes in another order", edit: func(t *testing.T, m *onnx.Model) { slices.Reverse(m.Graph.Nodes) }},
		{name: "a value made twice", edit: func(t *testing.T, m *onnx.Model) {
			node(t, m, self+"Softmax").Outputs[0] = self + "Add_output_0"
		}, want: `the value "/encoder/layer.1/attention/self/Add_output_0" is made twice`},
		{name: "a value that one node makes twice", edit: func(t *testing.T, m *onnx.Model) {
			n := node(t, m, self+"Softmax")
			n.Outputs = append(n.Outputs, n.Outputs[0])
		}, want: "is made twice"},
		{name: "a node that makes an input", edit: func(t *testing.T, m *onnx.Model) {
			node(t, m, self+"Softmax").Outputs[0] = "input_ids"
		}, want: `the value "input_ids" is made twice`},
		{name: "a node that makes an initialiser", edit: func(t *testing.T, m *onnx.Model) {
			node(t, m, self+"Softmax").Outputs[0] = "pooler.dense.bias"
		}, want: `the value "pooler.dense.bias" is made twice`},
		{name: "two initialisers of one name", edit: func(t *testing.T, m *onnx.Model) {
			m.Graph.Initializers[1].Name = m.Graph.Initializers[0].Name
		}, want: "that of another"},
		{name: "two inputs of one name", edit: func(t *testing.T, m *onnx.Model) { m.Graph.Inputs[1].Name = "input_ids" }, want: "that of another"},
		{name: "an initialiser without a name", edit: func(t *testing.T, m *onnx.Model) { m.Graph.Initializers[0].Name = "" }, want: "no name"},
		{name: "a node without outputs", edit: func(t *testing.T, m *onnx.Model) { node(t, m, self+"Softmax").Outputs = nil }, want: "no output"},
		{name: "a name like our own", edit: func(t *testing.T, m *onnx.Model) {
			node(t, m, self+"Softmax").Inputs[0] = "\x00in"
		}, want: "zero byte"},
		{name: "a sparse initialiser without values", edit: func(t *testing.T, m *onnx.Model) {
			m.Graph.SparseInitializers = append(m.Graph.SparseInitializers, &onnx.SparseTensor{})
		}, want: "sparse initialiser 0: it is empty"},
		{name: "a sparse initialiser of a billion zeros", edit: func(t *testing.T, m *onnx.Model) {
			m.Graph.SparseInitializers = append(m.Graph.SparseInitializers, sparse(t, 1e9))
		}, want: "fewer than one in 256"},
		{name: "a fixed batch", edit: func(t *testing.T, m *onnx.Model) { input(m, 0, onnx.FixedDim(1), seq) },
			want: `input "input_ids" has the type tensor(int64)[1,sequence] with a fixed size: export the model with dynamic axes`},
		{name: "a fixed length", edit: func(t *testing.T, m *onnx.Model) { input(m, 1, batch, onnx.FixedDim(128)) }, want: "with a fixed size"},
		{name: "a vector of ids", edit: func(t *testing.T, m *onnx.Model) { input(m, 0, seq) }, want: "want [batch, sequence]"},
		{name: "an input of unknown rank", edit: func(t *testing.T, m *onnx.Model) { m.Graph.Inputs[0].Type.Tensor.Shape = nil }, want: "known rank"},
		{name: "an input without a type", edit: func(t *testing.T, m *onnx.Model) { m.Graph.Inputs[0].Type = nil }, want: "known rank"},
		{name: "ids of floats", edit: func(t *testing.T, m *onnx.Model) { m.Graph.Inputs[0].Type.Tensor.Elem = onnx.Float }, want: "want int64"},
		{name: "a mask of floats", edit: func(t *testing.T, m *onnx.Model) { m.Graph.Inputs[1].Type.Tensor.Elem = onnx.Float }, want: "want int64"},
		{name: "an unknown input", edit: func(t *testing.T, m *onnx.Model) {
			in := *m.Graph.Inputs[0]
			in.Name = "global_attention_mask"
			m.Graph.Inputs = append(m.Graph.Inputs, &in)
		}, want: `the model has an input "global_attention_mask"; graft knows input_ids, attention_mask, token_type_ids, position_ids`},
		{name: "an input with a default", edit: func(t *testing.T, m *onnx.Model) {
			in := *m.Graph.Inputs[0]
			in.Name = "embeddings.word_embeddings.weight"
			m.Graph.Inputs = append(m.Graph.Inputs, &in)
			m.Graph.Inputs[3].Type = &onnx.Type{Tensor: &onnx.TensorType{Elem: onnx.Float}}
		}},
		{name: "an operand of another type", edit: func(t *testing.T, m *onnx.Model) {
			node(t, m, self+"Div").Inputs[1] = "/embeddings/Constant_output_0"
		}, want: `Div "/encoder/layer.1/attention/self/Div" (opset 17): input 1 is int64, want float`},
		{name: "an operand of another shape", edit: func(t *testing.T, m *onnx.Model) {
			node(t, m, scope+"output/dense/MatMul").Inputs[0] = scope + "intermediate/dense/MatMul_output_0"
			node(t, m, scope+"output/dense/MatMul").Inputs[1] = node(t, m, scope+"intermediate/dense/MatMul").Inputs[1]
		}, want: "cannot multiply [2 7 20] by [12 20]"},
		{name: "a missing operand", edit: func(t *testing.T, m *onnx.Model) {
			node(t, m, self+"Div").Inputs[1] = ""
		}, want: "input 1 is missing"},
		{name: "a shape that depends on the tokens", edit: func(t *testing.T, m *onnx.Model) {
			e := before(t, m, self+"Reshape")
			node(t, m, self+"Reshape").Inputs[1] = e.add("Gather", []string{"input_ids", e.int(0)})
		}, want: "depends on the model's inputs in a way that cannot be resolved at import"},
		{name: "a dropout in training", edit: func(t *testing.T, m *onnx.Model) {
			n := node(t, m, self+"MatMul_1")
			e := before(t, m, self+"MatMul_1")
			n.Inputs[0] = e.add("Dropout", []string{n.Inputs[0], e.float(0.1), e.tensor(nil, []bool{true})})
		}, want: "training mode"},
		{name: "a dropout", edit: func(t *testing.T, m *onnx.Model) {
			n := node(t, m, self+"MatMul_1")
			e := before(t, m, self+"MatMul_1")
			n.Inputs[0] = e.add("Dropout", []string{n.Inputs[0], e.float(0.1)})
		}},
	})
}

// A few bytes must not keep the importer for hours, nor fill the memory.
func TestHostileGraphsEnd(t *testing.T) {
	chain := func(op string, n int, in func(e *editor, x string) []string, attributes ...*onnx.Attribute) func(t *testing.T, m *onnx.Model) {
		return func(t *testing.T, m *onnx.Model) {
			x := scope + "intermediate/dense/Add_output_0"
			e := before(t, m, scope+"output/dense/MatMul")
			for range n {
				x = e.add(op, in(e, x), attributes...)
			}
			node(t, m, scope+"output/dense/MatMul").Inputs[0] = x
		}
	}
	unary := func(e *editor, x string) []string { return []string{x} }
	twice := func(e *editor, x string) []string { return []string{x, x} }
	const unknown = "is part of no block that graft recognises"
	run(t, []change{
		{name: "sums of sums of embeddings", edit: func(t *testing.T, m *onnx.Model) {
			x := "/embeddings/word_embeddings/Gather_output_0"
			e := before(t, m, "/embeddings/Add")
			for range 60 {
				x = e.add("Add", []string{x, x})
			}
			node(t, m, "/embeddings/Add").Inputs[0] = x
		}},
		{name: "sums of sums", edit: chain("Add", 60, twice)},
		{name: "many functions", edit: chain("Tanh", 5000, unary), want: unknown},
		{name: "many sums of functions", edit: chain("Mul", 2000, twice), want: unknown},
		{name: "many moves", edit: chain("Transpose", 5000, unary, intsAttr("perm", 0, 1, 2))},
		{name: "too many nodes", edit: chain("Identity", 20000, unary), want: "nodes, which is no encoder's"},
		{name: "many identities", edit: chain("Identity", 10000, unary)},
		{name: "large constants", edit: func(t *testing.T, m *onnx.Model) {
			e := before(t, m, self+"Add")
			for range 40 {
				e.add("ConstantOfShape", []string{e.ints(1<<12, 1<<10)})
			}
		}, want: "too large to fold"},
		{name: "a larger constant", edit: func(t *testing.T, m *onnx.Model) {
			e := before(t, m, self+"Add")
			e.add("Expand", []string{e.float(0), e.ints(1<<20, 1<<10)})
		}, want: "too large to fold"},
		{name: "wide activations", edit: func(t *testing.T, m *onnx.Model) { // 2³⁵ columns by a weight without data
			e := before(t, m, self+"Reshape")
			m.Graph.Initializers = append(m.Graph.Initializers, &onnx.Tensor{Name: "wide", Type: onnx.Float, Dims: []int64{12, 1 << 35}})
			x := e.add("MatMul", []string{"/embeddings/LayerNorm/LayerNormalization_output_0", "wide"})
			e.add("Transpose", []string{x}, intsAttr("perm", 0, 1, 2))
			m.Graph.Outputs = m.Graph.Outputs[:1]
			m.Graph.Outputs[0].Name, m.Graph.Outputs[0].Type = fmt.Sprintf("added_%d_2", e.at-1), nil
		}, want: "too large to follow"},
	})
}

// sparse is a vector of n zeros and a one.
func sparse(t *testing.T, n int64) *onnx.SparseTensor {
	t.Helper()
	v, err := onnx.NewTensor("sparse", []int64{1}, []float32{1})
	if err != nil {
		t.Fatal(err)
	}
	at, err := onnx.NewTensor("", []int64{1}, []int64{n / 2})
	if err != nil {
		t.Fatal(err)
	}
	return &onnx.SparseTensor{Values: v, Indices: at, Dims: []int64{n}}
}
