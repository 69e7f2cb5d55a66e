package importer_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/random"
)

// disentangled is a small DeBERTa of two layers, in memory.
func disentangled(tb testing.TB, opset int, rel random.Relative) *onnx.Model {
	tb.Helper()
	c := small
	c.Opset = opset
	m, err := random.Disentangled(1, c, rel)
	if err != nil {
		tb.Fatal(err)
	}
	return clone(tb, m)
}

const (
	attending = "/encoder/layer.1/attention/self/"
	notOne    = "is part of no block that graft recognises"
)

// part takes the first rows of the positions, up to a number that end gives.
func part(t *testing.T, m *onnx.Model, end func(e *editor) string) {
	t.Helper()
	n, e := node(t, m, "/encoder/Unsqueeze"), before(t, m, "/encoder/Unsqueeze")
	n.Inputs[0] = e.add("Slice", []string{n.Inputs[0], e.ints(0), end(e), e.ints(0)})
}

// A table of which all rows are taken is the model's own weight.
func TestAllRowsOfThePositionsAreTheWeight(t *testing.T) {
	m := disentangled(t, 17, random.Relative{NoNorm: true})
	part(t, m, func(e *editor) string { return e.ints(16) })
	e, err := importer.EncoderOf(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range e.Ops {
		if p, ok := o.(*importer.PositionTable); ok && p.W.Tensor.Name == "encoder.rel_embeddings.weight" {
			return
		}
	}
	t.Error("no operation takes encoder.rel_embeddings.weight")
}

// What is recognised is what onnxruntime computes; what differs from disentangled attention is refused and named.
func TestDisentangledAttentionIsToldByWhatItComputes(t *testing.T) {
	swap := func(t *testing.T, m *onnx.Model, name string) {
		n := node(t, m, name)
		n.Inputs[0], n.Inputs[1] = n.Inputs[1], n.Inputs[0]
	}
	for _, c := range []struct {
		name  string
		opset int
		rel   random.Relative
		edit  func(t *testing.T, m *onnx.Model)
		want  string
	}{
		{name: "as exported"},
		{name: "an early opset", opset: 13, rel: random.Relative{OwnMaps: true}},
		{name: "an If", rel: random.Relative{Branches: true}},
		{name: "position keys alone", rel: random.Relative{NoQueries: true}},
		{name: "position queries alone", rel: random.Relative{NoKeys: true, NoNorm: true}},
		{name: "as many rows as a probe has tokens", rel: random.Relative{Buckets: 7}},
		{name: "products alone", rel: random.Relative{NoKeys: true, NoQueries: true, TwiceZeros: true}},
		{name: "distances of key and query", edit: func(t *testing.T, m *onnx.Model) { swap(t, m, "/encoder/Sub") }},
		{name: "the same rows for both terms", edit: func(t *testing.T, m *onnx.Model) {
			node(t, m, attending+"Neg").OpType = "Identity"
		}},
		{name: "rows counted from the end", edit: func(t *testing.T, m *onnx.Model) {
			e := before(t, m, attending+"Expand")
			n := node(t, m, attending+"Expand")
			n.Inputs[0] = e.add("Sub", []string{n.Inputs[0], e.int(16)})
		}},
		{name: "all rows of the positions", rel: random.Relative{NoNorm: true}, edit: func(t *testing.T, m *onnx.Model) {
			part(t, m, func(e *editor) string { return e.ints(16) })
		}},
		{name: "another scale of positions", edit: func(t *testing.T, m *onnx.Model) {
			node(t, m, attending+"Div_1").Inputs[1] = before(t, m, attending+"Div_1").float(3)
		}, want: "relative positions are scaled by 0.333"},
		{name: "rows by the sum of positions", edit: func(t *testing.T, m *onnx.Model) {
			node(t, m, "/encoder/Sub").OpType = "Add"
		}, want: "others of that distance row"},
		{name: "rows by the words", edit: func(t *testing.T, m *onnx.Model) {
			e := before(t, m, attending+"Expand")
			n := node(t, m, attending+"Expand")
			n.Inputs[0] = e.add("Mul", []string{n.Inputs[0], e.add("ReduceMin", []string{"attention_mask"}, intAttr("keepdims", 0))})
		}, want: "depend on what the model's inputs hold"},
		{name: "gathered along the queries", edit: func(t *testing.T, m *onnx.Model) {
			setAttribute(node(t, m, attending+"GatherElements"), intAttr("axis", 1))
		}, want: "outside of axis 1"},
		{name: "positions that meet the keys in both terms", edit: func(t *testing.T, m *onnx.Model) {
			n, k := node(t, m, attending+"MatMul_1"), node(t, m, attending+"MatMul_2")
			n.Inputs[0] = k.Inputs[0]
		}, want: "relative positions meet"},
		{name: "position keys for both terms", edit: func(t *testing.T, m *onnx.Model) {
			n, k := node(t, m, attending+"MatMul_2"), node(t, m, attending+"MatMul_1")
			n.Inputs[1] = k.Inputs[1] // the position keys, of queries too
		}},
		{name: "scores that are turned", edit: func(t *testing.T, m *onnx.Model) {
			n := node(t, m, attending+"Add_2")
			at := before(t, m, attending+"Add_2")
			n.Inputs[0] = at.add("Transpose", []string{n.Inputs[0]}, intsAttr("perm", 0, 2, 1))
		}, want: notOne},
		{name: "tokens that are scaled", edit: func(t *testing.T, m *onnx.Model) {
			n := node(t, m, "/embeddings/Mul")
			at := before(t, m, "/embeddings/Mul")
			n.Inputs[1] = at.add("Add", []string{n.Inputs[1], n.Inputs[1]})
		}, want: "it is 2 for token 0 of a sequence of 7, where graft expects a mask that is 1 but for padding"},
		{name: "a mask of other tokens", edit: func(t *testing.T, m *onnx.Model) {
			node(t, m, "/encoder/Not").OpType = "Identity"
		}, want: "where graft expects attention that only padding"},
		{name: "zeros for other tokens", rel: random.Relative{TwiceZeros: true}, edit: func(t *testing.T, m *onnx.Model) {
			n := node(t, m, attending+"Where_1")
			n.Inputs[0] = before(t, m, attending+"Where_1").add("Not", []string{n.Inputs[0]})
		}, want: "where graft expects attention that only padding"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := disentangled(t, max(c.opset, 13+4*b2i(c.opset == 0)), c.rel)
			if c.edit != nil {
				c.edit(t, m)
			}
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
			checkLayers(t, e, 2)
			for _, l := range e.Layers {
				a := e.Ops[l.Attention].(*importer.Attention)
				if (a.Keys == nil) != c.rel.NoKeys || (a.Queries == nil) != c.rel.NoQueries {
					t.Errorf("the attention has terms %+v and %+v", a.Keys, a.Queries)
				}
				weight := func(v importer.Value) *importer.Weight { return e.Ops[v].(*importer.Linear).W }
				shared := l.PositionKey != importer.None && weight(l.PositionKey) == weight(l.Key)
				if shared == (c.rel.OwnMaps || c.rel.NoKeys) {
					t.Errorf("keys and position keys have one map: %t", shared)
				}
			}
			needRuntime(t)
			agree(t, m, e, texts(3, small.VocabSize, 1, 7, 1, 16, 40))
		})
	}
}

// Rows for long sequences are those for short ones and more, up to what the graph can be asked for.
func TestDistancesGrowWithTheSequence(t *testing.T) {
	e := recognise(t, disentangled(t, 17, random.Relative{}))
	if len(e.Distances) != 2 { // one for each term, the same in both layers
		t.Fatalf("%d tables of distances, want 2", len(e.Distances))
	}
	d := e.Distances[0]
	short, err := d.Rows(3)
	if err != nil {
		t.Fatal(err)
	}
	if want := []int32{6, 7, 8, 9, 10}; !slices.Equal(short, want) {
		t.Errorf("rows %v at distances −2 to 2, want %v", short, want)
	}
	for _, n := range []int{1, 2, 255, 256, 257, 600} {
		rows, err := d.Rows(n)
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) != 2*n-1 || rows[n-1] != 8 || n > 2 && !slices.Equal(rows[n-3:n+2], short) {
			t.Errorf("%d rows for %d tokens", len(rows), n)
		}
	}
	for _, n := range []int{0, 1 << 14} {
		if rows, err := d.Rows(n); err == nil {
			t.Errorf("%d rows for %d tokens", len(rows), n)
		}
	}
}

// Ifs that choose one branch whatever the batch is stand for it; others are refused.
func TestIfs(t *testing.T) {
	const name, differs = "/encoder/If", "is not the same for all inputs, batch sizes and lengths"
	for _, c := range []struct {
		name string
		edit func(t *testing.T, m *onnx.Model)
		want string
	}{
		{"by the length", func(t *testing.T, m *onnx.Model) {
			at := before(t, m, name)
			n := node(t, m, name)
			length := node(t, m, "/encoder/Gather").Outputs[0]
			n.Inputs[0] = at.add("Greater", []string{length, at.int(6)})
		}, differs},
		{"by a long length", func(t *testing.T, m *onnx.Model) {
			at := before(t, m, name)
			n := node(t, m, name)
			length := node(t, m, "/encoder/Gather").Outputs[0]
			n.Inputs[0] = at.add("Less", []string{length, at.int(100)})
		}, differs},
		{"by the words", func(t *testing.T, m *onnx.Model) {
			at := before(t, m, name)
			first := at.add("ReduceMax", []string{"input_ids"}, intAttr("keepdims", 0))
			node(t, m, name).Inputs[0] = at.to(onnx.Bool, first)
		}, differs},
		{"by a number", func(t *testing.T, m *onnx.Model) {
			node(t, m, name).Inputs[0] = before(t, m, name).int(1)
		}, "is int64[], want bool"},
		{"without a condition", func(t *testing.T, m *onnx.Model) { node(t, m, name).Inputs = nil }, "it has 0 inputs, want a condition"},
		{"without a branch", func(t *testing.T, m *onnx.Model) {
			n := node(t, m, name)
			n.Attributes = slices.DeleteFunc(n.Attributes, func(a *onnx.Attribute) bool { return a.Name == "then_branch" })
		}, "it has no then_branch"},
		{"with two outputs of one", func(t *testing.T, m *onnx.Model) {
			n := node(t, m, name)
			n.Outputs = append(n.Outputs, "another")
		}, "1 outputs, want 2"},
		{"with the other branch", func(t *testing.T, m *onnx.Model) {
			at := before(t, m, name)
			n := node(t, m, name)
			n.Inputs[0] = at.add("Not", []string{n.Inputs[0]})
		}, "the relative positions"},
		{"within another", func(t *testing.T, m *onnx.Model) {
			n := node(t, m, name)
			inner := *n
			inner.Name, inner.Outputs = "inner", []string{"chosen"}
			out := *n.Attribute("then_branch").G.Outputs[0]
			out.Name = "chosen"
			n.Attributes = slices.Clone(n.Attributes)
			for i, a := range n.Attributes {
				if a.Name == "then_branch" {
					n.Attributes[i] = &onnx.Attribute{Name: a.Name, Type: onnx.AttrGraph,
						G: &onnx.Graph{Name: "outer", Nodes: []*onnx.Node{&inner}, Outputs: []*onnx.ValueInfo{&out}}}
				}
			}
		}, ""},
		{"of an initialiser of the branch", func(t *testing.T, m *onnx.Model) {
			g := node(t, m, name).Attribute("then_branch").G
			i := slices.IndexFunc(g.Nodes, func(n *onnx.Node) bool { return n.OpType == "Constant" })
			c := *g.Nodes[i].Attribute("value").T
			c.Name = g.Nodes[i].Outputs[0]
			g.Initializers, g.Nodes = append(g.Initializers, &c), slices.Delete(g.Nodes, i, i+1)
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := disentangled(t, 17, random.Relative{Branches: true})
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
			needRuntime(t)
			agree(t, m, e, texts(3, small.VocabSize, 1, 7, 1, 16))
		})
	}
}

// As for other encoders: whatever is changed, it is refused or recognised as what onnxruntime computes.
func TestDisentangledMutantsAreRefusedOrRecognisedRightly(t *testing.T) {
	needRuntime(t)
	mutants := 200
	if testing.Short() {
		mutants = 40
	}
	testMutants(t, disentangled(t, 13, random.Relative{OwnMaps: true}), 1, mutants/2, small.VocabSize)
	testMutants(t, disentangled(t, 17, random.Relative{Branches: true, TwiceZeros: true}), 2, mutants/2, small.VocabSize)
}
