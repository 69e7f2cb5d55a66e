package importer_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

const attentionOut = self + "Reshape_3"

// contrib makes a model import onnxruntime's domain.
func contrib(m *onnx.Model) {
	m.OpsetImport = append(m.OpsetImport, onnx.OperatorSet{Domain: "com.microsoft", Version: 1})
}

// add adds a node of onnxruntime's domain.
func (e *editor) contrib(op string, in []string, attributes ...*onnx.Attribute) string {
	out := e.add(op, in, attributes...)
	e.m.Graph.Nodes[e.at-1].Domain = "com.microsoft"
	return out
}

// attend replaces the second layer's attention by what f makes of its queries, keys and values, which are matrices of
// tokens with their biases, and of the attention mask [batch, sequence].
func attend(f func(e *editor, q, k, v, mask string) string) func(t *testing.T, m *onnx.Model) {
	return func(t *testing.T, m *onnx.Model) {
		contrib(m)
		e := before(t, m, attentionOut)
		i32 := e.to(onnx.Int32, "attention_mask")
		out := f(e, self+"query/Add_output_0", self+"key/Add_output_0", self+"value/Add_output_0", i32)
		n := node(t, m, "/encoder/layer.1/attention/output/dense/MatMul")
		n.Inputs[0] = out
		drop(m, attentionOut)
	}
}

// newer is attend in opset 23.
func newer(f func(e *editor, q, k, v, mask string) string) func(t *testing.T, m *onnx.Model) {
	return func(t *testing.T, m *onnx.Model) {
		attend(f)(t, m)
		m.OpsetImport[0].Version = 23
		m.IRVersion = max(m.IRVersion, 10)
	}
}

// drop takes a node out, and those that nothing reads then.
func drop(m *onnx.Model, name string) {
	m.Graph.Nodes = slices.DeleteFunc(m.Graph.Nodes, func(n *onnx.Node) bool { return n.Name == name })
	for again := true; again; {
		read := map[string]bool{}
		for _, o := range m.Graph.Outputs {
			read[o.Name] = true
		}
		for _, n := range m.Graph.Nodes {
			for _, in := range n.Inputs {
				read[in] = true
			}
		}
		before := len(m.Graph.Nodes)
		m.Graph.Nodes = slices.DeleteFunc(m.Graph.Nodes, func(n *onnx.Node) bool {
			return !slices.ContainsFunc(n.Outputs, func(o string) bool { return read[o] })
		})
		again = len(m.Graph.Nodes) < before
	}
}

func floatAttr(name string, v float32) *onnx.Attribute {
	return &onnx.Attribute{Name: name, Type: onnx.AttrFloat, F: v}
}

// numbers are random, of size 1/4.
func numbers(n int) []float32 {
	r := rand.New(rand.NewPCG(uint64(n), 8))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64() / 4)
	}
	return x
}

func TestFusedAttention(t *testing.T) {
	heads := intAttr("num_heads", 3)
	run(t, []change{
		{name: "heads of a mask", edit: attend(func(e *editor, q, k, v, mask string) string {
			return e.contrib("MultiHeadAttention", []string{q, k, v, "", mask}, heads)
		})},
		{name: "heads of another scale, with biases", edit: attend(func(e *editor, q, k, v, mask string) string {
			bias := e.tensor([]int64{36}, numbers(36))
			return e.contrib("MultiHeadAttention", []string{self + "query/MatMul_output_0", self + "key/MatMul_output_0",
				self + "value/MatMul_output_0", bias, mask}, heads, floatAttr("scale", 0.3))
		}), check: scaled(0.3)},
		{name: "heads of lengths", edit: attend(func(e *editor, q, k, v, mask string) string {
			return e.contrib("MultiHeadAttention", []string{q, k, v, "", e.add("ReduceSum", []string{mask, e.ints(1)}, intAttr("keepdims", 0))}, heads)
		})},
		{name: "heads without a mask", even: true, edit: func(t *testing.T, m *onnx.Model) {
			unmask(t, m)
			contrib(m)
			e := before(t, m, attentionOut)
			node(t, m, "/encoder/layer.1/attention/output/dense/MatMul").Inputs[0] = e.contrib("MultiHeadAttention",
				[]string{self + "query/Add_output_0", self + "key/Add_output_0", self + "value/Add_output_0"}, heads)
			drop(m, attentionOut)
		}},
		{name: "causal heads", edit: attend(func(e *editor, q, k, v, mask string) string {
			return e.contrib("MultiHeadAttention", []string{q, k, v, "", mask}, heads, intAttr("unidirectional", 1))
		}), want: "unidirectional"},
		{name: "no heads", edit: attend(func(e *editor, q, k, v, mask string) string {
			return e.contrib("MultiHeadAttention", []string{q, k, v, "", mask}, intAttr("num_heads", 0))
		}), want: "it has 0 heads"},
		{name: "packed", edit: attend(func(e *editor, q, k, v, mask string) string {
			w, b := e.tensor([]int64{12, 36}, numbers(12*36)), e.tensor([]int64{36}, numbers(36))
			return e.contrib("Attention", []string{scope0 + "output/LayerNorm/LayerNormalization_output_0", w, b, mask}, heads)
		}), check: func(t *testing.T, e *importer.Encoder) {
			l := e.Layers[1]
			for i, v := range []importer.Value{l.Query, l.Key, l.Value} {
				o := e.Ops[v].(*importer.Linear)
				x, err := o.W.Float32s()
				if err != nil || !slices.Equal(o.W.Shape, []int{12, 12}) {
					t.Fatalf("%v, %v", o.W.Shape, err)
				}
				whole := numbers(12 * 36)
				for k := range x {
					if x[k] != whole[k/12*36+12*i+k%12] {
						t.Fatalf("element %d of part %d is another", k, i)
					}
				}
			}
		}},
		{name: "packed of weights that are none", edit: attend(func(e *editor, q, k, v, mask string) string {
			return e.contrib("Attention", []string{q, k, v, mask}, heads)
		}), want: "are no matrix of the model"},
		{name: "packed for too many heads", edit: attend(func(e *editor, q, k, v, mask string) string {
			w := e.tensor([]int64{12, 36}, numbers(12*36))
			return e.contrib("Attention", []string{q, w, "", mask}, intAttr("num_heads", 5))
		}), want: "do not give 5 heads"},
		{name: "of ONNX, heads together", opset: 20, edit: newer(func(e *editor, q, k, v, mask string) string {
			length := e.add("Gather", []string{e.add("Shape", []string{mask}), e.ints(1)}) // onnxruntime broadcasts no queries
			shape := e.add("Concat", []string{e.ints(1, 1), length, e.ints(1)}, intAttr("axis", 0))
			keep := e.add("Expand", []string{e.add("Unsqueeze", []string{mask, e.ints(1, 2)}), shape})
			return e.add("Attention", []string{q, k, v, e.to(onnx.Bool, keep)}, intAttr("q_num_heads", 3), intAttr("kv_num_heads", 3))
		})},
		{name: "of ONNX, causal", opset: 20, edit: newer(func(e *editor, q, k, v, mask string) string {
			return e.add("Attention", []string{q, k, v}, intAttr("q_num_heads", 3), intAttr("kv_num_heads", 3), intAttr("is_causal", 1))
		}), want: "is part of no block that graft recognises"},
		{name: "of ONNX, fewer keys", opset: 20, edit: newer(func(e *editor, q, k, v, mask string) string {
			return e.add("Attention", []string{q, k, v}, intAttr("q_num_heads", 3), intAttr("kv_num_heads", 1))
		}), want: "cannot multiply"},
	})
}

const scope0 = "/encoder/layer.0/"

// multiply replaces the second layer's first feed-forward product by another of the same input.
func multiply(f func(e *editor, x string) string) func(t *testing.T, m *onnx.Model) {
	return func(t *testing.T, m *onnx.Model) {
		contrib(m)
		const name = scope + "intermediate/dense/MatMul"
		n := node(t, m, name)
		e := before(t, m, name)
		out := f(e, n.Inputs[0])
		for _, u := range m.Graph.Nodes {
			for i, in := range u.Inputs {
				if in == n.Outputs[0] {
					u.Inputs[i] = out
				}
			}
		}
		drop(m, name)
	}
}

// Weights of few bits in blocks: onnxruntime multiplies in float32 by default, as we do.
func TestWeightsOfFewBits(t *testing.T) {
	const k, n, block, blocks = 12, 20, 16, 1
	bytes := func(count int) []uint8 {
		r := rand.New(rand.NewPCG(uint64(count), 3))
		b := make([]uint8, count)
		for i := range b {
			b[i] = uint8(r.IntN(256))
		}
		return b
	}
	scales := func(e *editor) string {
		s := numbers(n * blocks)
		for i := range s {
			s[i] /= 4
		}
		return e.tensor([]int64{n * blocks}, s)
	}
	attributes := func(bits int64) []*onnx.Attribute {
		return []*onnx.Attribute{intAttr("K", k), intAttr("N", n), intAttr("bits", bits), intAttr("block_size", block)}
	}
	var changes []change
	for _, bits := range []int64{4, 8} {
		weight := func(e *editor) string {
			return e.tensor([]int64{n, blocks, block * bits / 8}, bytes(int(n*blocks*block*bits/8)))
		}
		changes = append(changes, change{name: fmt.Sprint(bits, " bits"), edit: multiply(func(e *editor, x string) string {
			return e.contrib("MatMulNBits", []string{x, weight(e), scales(e)}, attributes(bits)...)
		})}, change{name: fmt.Sprint(bits, " bits, zero points"), edit: multiply(func(e *editor, x string) string {
			zero := e.tensor([]int64{n * ((blocks*bits + 7) / 8)}, bytes(int(n*((blocks*bits+7)/8))))
			return e.contrib("MatMulNBits", []string{x, weight(e), scales(e), zero}, attributes(bits)...)
		})})
	}
	changes = append(changes,
		change{name: "too few of them", edit: multiply(func(e *editor, x string) string {
			return e.contrib("MatMulNBits", []string{x, e.tensor([]int64{n, blocks, 7}, bytes(n*7)), scales(e)}, attributes(4)...)
		}), want: "elements, want 160"},
		change{name: "an absurd size", edit: multiply(func(e *editor, x string) string {
			return e.contrib("MatMulNBits", []string{x, e.tensor([]int64{n, blocks, 8}, bytes(n*8)), scales(e)}, intAttr("K", 1<<40),
				intAttr("N", 1<<40), intAttr("block_size", 16))
		}), want: "in blocks of 16"})
	run(t, changes)
}

// onnxruntime rounds the activations of these to 8 bits: they are compared to the same graph without that.
func TestProductsOfRoundedActivations(t *testing.T) {
	const k, n = 12, 20
	r := rand.New(rand.NewPCG(1, 3))
	w := make([]int8, k*n)
	for i := range w {
		w[i] = int8(r.IntN(256) - 128)
	}
	for _, c := range []struct {
		name    string
		product func(e *editor, x, w, scale, zero string) string
	}{
		{"DynamicQuantizeMatMul", func(e *editor, x, w, scale, zero string) string {
			return e.contrib("DynamicQuantizeMatMul", []string{x, w, scale, zero})
		}},
		{"MatMulIntegerToFloat", func(e *editor, x, w, scale, zero string) string {
			e.add("DynamicQuantizeLinear", []string{x})
			q := e.m.Graph.Nodes[e.at-1]
			q.Outputs = append(q.Outputs, "scale of x", "zero of x")
			return e.contrib("MatMulIntegerToFloat", []string{q.Outputs[0], w, "scale of x", scale, "zero of x", zero})
		}},
		{"MatMulInteger", func(e *editor, x, w, scale, zero string) string {
			e.add("DynamicQuantizeLinear", []string{x})
			q := e.m.Graph.Nodes[e.at-1]
			q.Outputs = append(q.Outputs, "scale of x", "zero of x")
			y := e.to(onnx.Float, e.add("MatMulInteger", []string{q.Outputs[0], w, "zero of x", zero}))
			return e.add("Mul", []string{e.add("Mul", []string{y, scale}), "scale of x"})
		}},
		{"QLinearMatMul", func(e *editor, x, w, scale, zero string) string {
			sx, zx := e.float(0.05), e.tensor(nil, []int8{3})
			q := e.add("QuantizeLinear", []string{x, sx, zx})
			y := e.add("QLinearMatMul", []string{q, sx, zx, w, scale, zero, sx, zx})
			return e.add("DequantizeLinear", []string{y, sx, zx})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, plain := encoder(t, 17), encoder(t, 17)
			multiply(func(e *editor, x string) string {
				return c.product(e, x, e.tensor([]int64{k, n}, w), e.float(0.01), e.tensor(nil, []int8{-5}))
			})(t, m)
			multiply(func(e *editor, x string) string {
				y := make([]float32, len(w))
				for i, v := range w {
					y[i] = 0.01 * (float32(v) + 5)
				}
				return e.add("MatMul", []string{x, e.tensor([]int64{k, n}, y)})
			})(t, plain)
			e := recognise(t, m)
			checkLayers(t, e, 2)
			needRuntime(t)
			x := texts(3, small.VocabSize, 2, 7, 1, 16, 5)
			agree(t, plain, e, x)
			if d, err := disagreement(m, e, x); err != nil || !(d < 0.3) {
				t.Errorf("the file itself differs by %.2g (%v)", d, err)
			}
			q, err := importer.Dequantised(m)
			if err != nil {
				t.Fatal(err)
			}
			agree(t, q, e, x)
		})
	}
}

func TestFusedNormalisationsAndActivations(t *testing.T) {
	const norm = "/encoder/layer.1/output/LayerNorm/LayerNormalization"
	const product, residual = "/encoder/layer.1/output/dense/MatMul_output_0", "/encoder/layer.1/attention/output/LayerNorm/LayerNormalization_output_0"
	const bias = "encoder.layer.1.output.dense.bias"
	skip := func(a, b string) func(t *testing.T, m *onnx.Model) {
		return func(t *testing.T, m *onnx.Model) {
			contrib(m)
			n := node(t, m, norm)
			n.OpType, n.Domain = "SkipLayerNormalization", "com.microsoft"
			n.Inputs = []string{a, b, n.Inputs[1], n.Inputs[2], bias}
			n.Attributes = []*onnx.Attribute{floatAttr("epsilon", 1e-12)}
			drop(m, "/encoder/layer.1/output/Add")
		}
	}
	layers := func(t *testing.T, e *importer.Encoder) { checkLayers(t, e, 2) }
	run(t, []change{
		{name: "a sum and a normalisation", edit: skip(product, residual), check: layers},
		{name: "the other way around", edit: skip(residual, product), check: layers},
		{name: "a statistic of it", edit: func(t *testing.T, m *onnx.Model) {
			skip(product, residual)(t, m)
			n := node(t, m, norm)
			n.Outputs = append(n.Outputs, "mean")
		}, want: "graft does not know its output 1"},
		{name: "a gemm with a function", edit: func(t *testing.T, m *onnx.Model) {
			contrib(m)
			n := node(t, m, "/pooler/dense/Gemm")
			tanh := node(t, m, "/pooler/activation/Tanh")
			n.OpType, n.Domain = "FusedGemm", "com.microsoft"
			n.Attributes = append(n.Attributes, &onnx.Attribute{Name: "activation", Type: onnx.AttrString, S: []byte("Tanh")})
			n.Outputs = tanh.Outputs
			drop(m, tanh.Name)
			m.Graph.Nodes = slices.DeleteFunc(m.Graph.Nodes, func(n *onnx.Node) bool { return n.Name == tanh.Name })
		}},
	})
}
