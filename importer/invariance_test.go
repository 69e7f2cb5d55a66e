package importer_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// bases are models to rewrite: random encoders, and fixtures where they are.
func bases(t *testing.T) map[string]*onnx.Model {
	out := map[string]*onnx.Model{}
	for _, opset := range []int{11, 13, 17, 20} {
		out[fmt.Sprint("random opset ", opset)] = encoder(t, opset)
	}
	t.Run("fixtures", func(t *testing.T) {
		for _, path := range []string{"onnx/bert/model.opset17.sdpa.onnx", "onnx/xlm-roberta/model.opset11.eager.onnx",
			"onnx/distilbert/model.opset14.eager.onnx", "onnx/albert/model.opset17.sdpa.onnx", "onnx/electra/model.opset17.eager.onnx",
			"onnx/bert/variants/model.opset17.ortopt.onnx", "onnx-tools/bert/model.dynamo18.sdpa.onnx"} {
			out[path] = fixture(t, path)
		}
	})
	return out
}

// shape is what an encoder consists of, without names: two encoders of one shape compute the same.
func shape(e *importer.Encoder) string {
	var b strings.Builder
	at := map[*onnx.Tensor]string{}
	tensor := func(w *importer.Weight) string {
		if w == nil {
			return "-"
		}
		if at[w.Tensor] == "" {
			at[w.Tensor] = w.Tensor.Name
		}
		return at[w.Tensor]
	}
	for _, o := range e.Ops {
		switch o := o.(type) {
		case *importer.Embedding:
			var tables []string
			for i, w := range o.Tables {
				tables = append(tables, tensor(w)+" by "+e.Indexes[o.Index[i]].Input)
			}
			slices.Sort(tables) // whose order does not matter
			fmt.Fprintln(&b, "embedding", tables)
		case *importer.Linear:
			fmt.Fprintln(&b, "linear", o.X, tensor(o.W), tensor(o.Bias), o.Trans)
		case *importer.LayerNorm:
			fmt.Fprintln(&b, "norm", o.X, o.Residual, tensor(o.Gamma), tensor(o.Beta), o.Eps)
		case *importer.Activation:
			fmt.Fprintln(&b, o.Func, o.X)
		case *importer.Add:
			fmt.Fprintln(&b, "add", min(o.A, o.B), max(o.A, o.B))
		case *importer.Attention:
			fmt.Fprintln(&b, "attention", o.Q, o.K, o.V, o.Heads, o.Scale)
		case *importer.First:
			fmt.Fprintln(&b, "first", o.X)
		}
	}
	fmt.Fprintln(&b, e.Outputs, e.Layers, e.Hidden)
	return b.String()
}

// same checks that a rewritten model is recognised as the original is.
func same(t *testing.T, rewrite func(t *testing.T, m *onnx.Model)) {
	for name, m := range bases(t) {
		t.Run(name, func(t *testing.T) {
			want := shape(recognise(t, m))
			rewritten := clone(t, m)
			rewrite(t, rewritten)
			if got := shape(recognise(t, rewritten)); got != want {
				t.Errorf("it is\n%swant\n%s", got, want)
			}
		})
	}
}

func TestRecognitionDependsOnNoName(t *testing.T) {
	same(t, func(t *testing.T, m *onnx.Model) {
		names := map[string]string{"": ""}
		for _, v := range slices.Concat(m.Graph.Inputs, m.Graph.Outputs) {
			names[v.Name] = v.Name
		}
		for _, x := range m.Graph.Initializers { // keep theirs, to be told apart
			names[x.Name] = x.Name
		}
		for i, n := range m.Graph.Nodes {
			n.Name, n.Metadata = "", nil
			for _, list := range [][]string{n.Inputs, n.Outputs} {
				for k, v := range list {
					if _, ok := names[v]; !ok {
						names[v] = fmt.Sprint("value ", i, " ", k)
					}
					list[k] = names[v]
				}
			}
		}
	})
}

// Without node names the file's own names of weights stay where no bias tells another.
func TestWeightsKeepTheFilesNamesWhereNothingTells(t *testing.T) {
	m := encoder(t, 17)
	for _, n := range m.Graph.Nodes {
		n.Name = ""
	}
	if got := weightNames(recognise(t, m)); !slices.Equal(got, expectedNames(small)) {
		t.Errorf("by the biases: %q", got)
	}
	used := map[string]string{}
	for i, x := range m.Graph.Initializers {
		if strings.HasPrefix(x.Name, "encoder") {
			used[x.Name] = fmt.Sprint("x", i)
			x.Name = used[x.Name]
		}
	}
	for _, n := range m.Graph.Nodes {
		for k, in := range n.Inputs {
			if to := used[in]; to != "" {
				n.Inputs[k] = to
			}
		}
	}
	for _, o := range recognise(t, m).Ops {
		switch o := o.(type) {
		case *importer.Linear:
			if own := o.W.Tensor.Name; o.W.Name != own || o.Bias.Name != own+".bias" && o.Bias.Name != "pooler.dense.bias" {
				t.Errorf("%q is called %q, its bias %q", own, o.W.Name, o.Bias.Name)
			}
		case *importer.LayerNorm:
			if o.Gamma.Name != o.Gamma.Tensor.Name || o.Beta.Name != o.Beta.Tensor.Name {
				t.Errorf("%q is called %q, %q is called %q", o.Gamma.Tensor.Name, o.Gamma.Name, o.Beta.Tensor.Name, o.Beta.Name)
			}
		}
	}
}

func TestRecognitionDependsOnNoOrderOfOperands(t *testing.T) {
	same(t, func(t *testing.T, m *onnx.Model) {
		for _, n := range m.Graph.Nodes {
			switch n.OpType {
			case "Add", "Mul", "And", "Or", "Equal", "Max", "Min":
				if n.Domain == "" && len(n.Inputs) == 2 {
					n.Inputs[0], n.Inputs[1] = n.Inputs[1], n.Inputs[0]
				}
			}
		}
	})
}

// Nodes may stand in any order, in functions and in branches too: onnxruntime takes a graph's so.
func TestRecognitionDependsOnNoOrderOfNodes(t *testing.T) {
	same(t, func(t *testing.T, m *onnx.Model) { shuffle(m, 1) })
	same(t, func(t *testing.T, m *onnx.Model) {
		slices.Reverse(m.Graph.Nodes)
		for _, f := range m.Functions {
			slices.Reverse(f.Nodes)
		}
	})
	t.Run("functions, branches", func(t *testing.T) {
		m := encoder(t, 17)
		want := shape(recognise(t, m))
		e := before(t, m, self+"Softmax")
		size := e.add("Size", []string{e.add("Shape", []string{"input_ids"})})
		choose(t, m, self+"Softmax", e.add("Less", []string{size, e.int(3)}), true,
			&onnx.Node{OpType: "Neg", Inputs: node(t, m, self+"Softmax").Inputs, Outputs: []string{"other"}})
		outline(t, m, "/encoder/layer.0/")
		for seed := range uint64(5) {
			shuffled := clone(t, m)
			shuffle(shuffled, seed)
			x := recognise(t, shuffled)
			if got := shape(x); got != want {
				t.Errorf("it is\n%swant\n%s", got, want)
			}
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				needRuntime(t)
				shuffled.Functions = m.Functions // whose nodes onnxruntime wants in order, unlike the graph's
				agree(t, shuffled, x, texts(1, small.VocabSize, 2, 7, 1, 16))
			})
		}
	})
}

// shuffle puts a model's nodes into another order, and those of its functions and sub-graphs.
func shuffle(m *onnx.Model, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0))
	var nodes func([]*onnx.Node)
	nodes = func(list []*onnx.Node) {
		r.Shuffle(len(list), func(i, k int) { list[i], list[k] = list[k], list[i] })
		for _, n := range list {
			for _, a := range n.Attributes {
				if a.G != nil {
					nodes(a.G.Nodes)
				}
			}
		}
	}
	nodes(m.Graph.Nodes)
	for _, f := range m.Functions {
		nodes(f.Nodes)
	}
}

func TestIdentitiesChangeNothing(t *testing.T) {
	same(t, func(t *testing.T, m *onnx.Model) {
		var nodes []*onnx.Node
		for i, n := range m.Graph.Nodes {
			for k, in := range n.Inputs {
				if in == "" {
					continue
				}
				out := fmt.Sprintf("identity %d %d", i, k)
				nodes = append(nodes, &onnx.Node{OpType: "Identity", Name: out, Inputs: []string{in}, Outputs: []string{out}})
				n.Inputs[k] = out
			}
			nodes = append(nodes, n)
		}
		for i, o := range m.Graph.Outputs { // and dropouts
			for _, n := range nodes {
				for _, list := range [][]string{n.Inputs, n.Outputs} {
					for k, v := range list {
						if v == o.Name {
							list[k] = fmt.Sprint("before output ", i)
						}
					}
				}
			}
			nodes = append(nodes, &onnx.Node{OpType: "Dropout", Inputs: []string{fmt.Sprint("before output ", i)}, Outputs: []string{o.Name}})
		}
		m.Graph.Nodes = nodes
	})
}

// Weights that stand in the file turned, each behind a Transpose.
func TestTransposedWeightsAreTheSame(t *testing.T) {
	m := encoder(t, 17)
	want := recognise(t, m)
	var turnedNodes []*onnx.Node
	for i, x := range m.Graph.Initializers {
		if !strings.HasPrefix(x.Name, "onnx::MatMul") {
			continue
		}
		w, err := x.Float32s()
		if err != nil {
			t.Fatal(err)
		}
		y, err := onnx.NewTensor(x.Name, []int64{x.Dims[1], x.Dims[0]}, turned(w, int(x.Dims[0]), int(x.Dims[1])))
		if err != nil {
			t.Fatal(err)
		}
		m.Graph.Initializers[i] = y
		turnedNodes = append(turnedNodes, &onnx.Node{OpType: "Transpose", Inputs: []string{x.Name}, Outputs: []string{x.Name + " turned"}})
		for _, n := range m.Graph.Nodes {
			for k, in := range n.Inputs {
				if in == x.Name {
					n.Inputs[k] += " turned"
				}
			}
		}
	}
	m.Graph.Nodes = append(turnedNodes, m.Graph.Nodes...)
	got := recognise(t, m)
	if !slices.Equal(weightNames(got), weightNames(want)) {
		t.Errorf("weights %q", weightNames(got))
	}
	for i, o := range got.Ops {
		if l, ok := o.(*importer.Linear); ok {
			w := want.Ops[i].(*importer.Linear)
			if l.In() != w.In() || l.Out() != w.Out() || l.Trans == w.Trans && l.W.Name != "pooler.dense.weight" {
				t.Errorf("%s: %d to %d, transposed %t", l.Module(), l.In(), l.Out(), l.Trans)
			}
		}
	}
	t.Run("numbers", func(t *testing.T) {
		needRuntime(t)
		agree(t, m, got, texts(3, small.VocabSize, 2, 7, 1))
	})
}

// Where an exporter keeps one of several equal biases, a weight is not called after a bias that is another's.
func TestSharedBiasesNameNoWeight(t *testing.T) {
	m := encoder(t, 17)
	for _, n := range m.Graph.Nodes {
		for k, in := range n.Inputs {
			if strings.HasSuffix(in, "query.bias") || strings.HasSuffix(in, "value.bias") {
				n.Inputs[k] = "encoder.layer.0.attention.self.key.bias"
			}
		}
	}
	wanted := slices.DeleteFunc(expectedNames(small), func(s string) bool {
		return strings.HasSuffix(s, "query.bias") || strings.HasSuffix(s, "value.bias")
	})
	if got := weightNames(recognise(t, m)); !slices.Equal(got, wanted) {
		t.Errorf("weights %q,\nwant %q", got, wanted)
	}
}
