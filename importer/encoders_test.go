package importer_test

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/internal/testutil"
)

// own is an encoder of testdata, in memory.
func own(tb testing.TB, name string) *onnx.Model {
	tb.Helper()
	f, err := onnx.Open(filepath.Join(testutil.Root(tb), "importer", "testdata", "encoders", filepath.FromSlash(name)))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	return clone(tb, f.Model)
}

// What attention and the feed-forward part of our encoders are recognised as.
func TestPartsOfOurEncoders(t *testing.T) {
	type parts struct {
		window                          int  // of layer 1; layer 0 sees everything
		bias, interleaved, half, values bool // rotary embeddings by pairs of columns, by halves, of values too
		first, gate, rms                bool
		columns                         int  // of a head that rotary embeddings turn, if not all
		shared, slopes                  bool // one head of keys and values for all; ALiBi
	}
	modern := parts{window: 8, half: true, first: true, gate: true}
	for name, want := range map[string]parts{
		"mpnet/model.opset17.onnx": {bias: true}, "mpnet/model.dynamo18.onnx": {bias: true},
		"roformer/model.opset17.onnx": {interleaved: true}, "roformer/model.dynamo18.onnx": {interleaved: true},
		"roformer-value/model.opset17.onnx": {interleaved: true, values: true}, "rembert/model.opset17.onnx": {},
		"xlm-roberta-xl/model.opset17.onnx": {first: true}, "xlm-roberta-xl/model.dynamo18.onnx": {first: true},
		"modernbert-tokencls/model.opset17.onnx": modern, "modernbert-tokencls/model.dynamo18.onnx": modern,
		"modernbert-seqcls/model.opset17.onnx": modern, "modernbert-mlm/model.opset17.onnx": modern,
		"xlm-roberta-mlm/model.opset17.onnx": {}, "sentence-bert/model.opset17.onnx": {},
		"t5-gated/model.opset17.onnx": {bias: true, first: true, gate: true, rms: true}, "t5-gated/model.dynamo18.onnx": {bias: true, first: true, gate: true, rms: true},
		"megatron-bert/model.opset17.onnx": {first: true}, "jina-bert/model.opset17.onnx": {slopes: true, gate: true},
		"nomic-bert/model.opset17.onnx": {half: true, columns: 4, gate: true},
		"eurobert/model.opset17.onnx":   {half: true, shared: true, first: true, gate: true, rms: true}, "eurobert/model.dynamo18.onnx": {half: true, shared: true, first: true, gate: true, rms: true},
	} {
		t.Run(name, func(t *testing.T) {
			e := recognise(t, own(t, name))
			if len(e.Layers) != 2 || len(e.Hidden) != 3 {
				t.Fatalf("%d layers, %d hidden states", len(e.Layers), len(e.Hidden))
			}
			for i, l := range e.Layers {
				a := e.Ops[l.Attention].(*importer.Attention)
				got := parts{bias: a.Bias != nil, first: l.NormFirst, slopes: a.Slopes != nil, rms: e.Ops[l.Norm2].(*importer.LayerNorm).RMS}
				if i == 1 {
					got.window = a.Window
				}
				for k, v := range []importer.Value{a.Q, a.K, a.V} {
					if c, ok := e.Ops[v].(*importer.Concat); ok {
						v, got.shared = c.Parts[0].X, k == 2
						if c.Parts[0].N < 8 {
							got.columns = c.Parts[0].N
						}
					}
					r, ok := e.Ops[v].(*importer.Rotary)
					if !ok {
						continue
					}
					got.interleaved, got.half, got.values = r.Interleaved, !r.Interleaved, k == 2
					if r.Inverse || r.Heads != 2 && !(strings.HasPrefix(name, "eurobert") && k == 1 && r.Heads == 1) {
						t.Errorf("%+v", r)
					}
				}
				down := e.Ops[l.Down].(*importer.Linear)
				_, got.gate = e.Ops[down.X].(*importer.Mul)
				w := want
				w.window *= i
				if got != w {
					t.Errorf("layer %d is %+v, want %+v", i, got, w)
				}
				if ps := l.Projections(); len(ps) < 4 || len(ps) > 7 || slices.Contains(ps, importer.None) {
					t.Errorf("layer %d has the projections %v", i, ps)
				}
			}
		})
	}
}

// The tables of our encoders hold what their papers say, whatever length is asked for first: cosines and sines of
// position·10000^(−2i/d) with d = 8 (Su et al. 2021), in float32; 32 buckets of distances (Raffel et al. 2020), the
// positive ones, of keys that come later, from 16 on.
func TestTablesByPosition(t *testing.T) {
	e := recognise(t, own(t, "roformer/model.opset17.onnx"))
	r := e.Ops[e.Ops[e.Layers[1].Attention].(*importer.Attention).K].(*importer.Rotary)
	for _, n := range []int{1, 30, 3, 100} {
		cos, err := e.Tables[r.Cos].Rows(n)
		if err != nil {
			t.Fatal(err)
		}
		sin, err := e.Tables[r.Sin].Rows(n)
		if err != nil || len(sin) != 4*n || len(cos) != 4*n {
			t.Fatalf("%d and %d numbers for %d tokens: %v", len(cos), len(sin), n, err)
		}
		for k := range cos {
			s, c := math.Sincos(float64(k/4) * math.Pow(10000, -float64(k%4)/4))
			if math.Abs(float64(cos[k])-c) > 1e-6 || math.Abs(float64(sin[k])-s) > 1e-6 {
				t.Fatalf("position %d, pair %d: %v and %v, want %v and %v", k/4, k%4, cos[k], sin[k], c, s)
			}
		}
	}
	if _, err := e.Tables[r.Cos].Rows(100000); err == nil || !strings.Contains(err.Error(), "positions' table") {
		t.Errorf("a table of 160 positions gives 100000: %v", err)
	}
	e = recognise(t, own(t, "mpnet/model.dynamo18.onnx"))
	b := &e.Buckets[e.Ops[e.Layers[0].Attention].(*importer.Attention).Buckets]
	for _, n := range []int{1, 40, 20} {
		rows, err := b.Rows(n)
		if err != nil || len(rows) != 2*n-1 {
			t.Fatalf("%v, %v", rows, err)
		}
		for i, got := range rows {
			distance := i - (n - 1)
			want := max(distance, -distance)
			if want >= 8 {
				want = min(15, 8+int(math.Log(float64(want)/8)/math.Log(128/8)*8))
			}
			if distance > 0 {
				want += 16
			}
			if int(got) != want {
				t.Errorf("distance %d has bucket %d, want %d", distance, got, want)
			}
		}
	}
}

// Rotary embeddings and biases by what they compute: the same written otherwise is recognised and equals onnxruntime;
// something else is refused.
func TestPositionsAreRecognisedByWhatTheyCompute(t *testing.T) {
	const self = "/encoder/layer.1/attention/self/"
	input := func(name string, i int, f func(e *editor, x string) string) func(t *testing.T, m *onnx.Model) {
		return func(t *testing.T, m *onnx.Model) {
			n := node(t, m, name)
			n.Inputs[i] = f(before(t, m, name), n.Inputs[i])
		}
	}
	bucket := func(f func(e *editor, x string) string) func(t *testing.T, m *onnx.Model) {
		return input("/encoder/relative_attention_bias/Gather", 1, f)
	}
	for name, c := range map[string]struct {
		model string
		edit  func(t *testing.T, m *onnx.Model)
		want  string // of the error
	}{
		"sines negated":        {"roformer", input(self+"Mul_3", 1, func(e *editor, x string) string { return e.add("Neg", []string{x}) }), ""},
		"turned parts negated": {"roformer", input(self+"Mul_3", 0, func(e *editor, x string) string { return e.add("Neg", []string{x}) }), ""},
		"a sum of three": {"roformer", func(t *testing.T, m *onnx.Model) {
			e := before(t, m, self+"Add_1")
			n := node(t, m, self+"Add_1")
			half := e.add("Mul", []string{n.Inputs[1], e.float(0.5)})
			n.Inputs[0], n.Inputs[1] = e.add("Add", []string{n.Inputs[0], half}), half
		}, ""},
		"sines doubled": {"roformer", input(self+"Mul_3", 0, func(e *editor, x string) string { return e.add("Mul", []string{x, e.float(2)}) }),
			"the sines of its rotary embedding: none of"},
		"a part that is not turned": {"roformer", input(self+"Mul_3", 0, func(e *editor, x string) string { return e.add("Abs", []string{x}) }),
			"is not split into 2 heads of 8"},
		"angles by the tokens": {"roformer", input(self+"Mul_3", 1, func(e *editor, x string) string {
			mask := e.to(onnx.Float, e.add("Unsqueeze", []string{"input_ids", e.ints(1, 3)}))
			return e.add("Mul", []string{x, mask})
		}), "is not split into 2 heads of 8"},
		"other buckets": {"mpnet", bucket(func(e *editor, x string) string {
			return e.add("Sub", []string{e.int(31), x})
		}), ""},
		"buckets by the query": {"mpnet", bucket(func(e *editor, x string) string {
			return e.add("Min", []string{e.add("CumSum", []string{x, e.int(0)}), e.int(31)})
		}), "query"},
		"buckets by the length": {"mpnet", bucket(func(e *editor, x string) string {
			length := e.add("Shape", []string{x}, intAttr("start", 0), intAttr("end", 1))
			return e.add("Mod", []string{e.add("Add", []string{x, length}), e.int(32)})
		}), "something else for longer sequences"},
		"a bias of keys and queries swapped": {"mpnet", func(t *testing.T, m *onnx.Model) {
			setAttribute(node(t, m, "/encoder/Transpose"), intsAttr("perm", 2, 1, 0))
		}, "is not by head, query and key"},
	} {
		t.Run(name, func(t *testing.T) {
			m := own(t, c.model+"/model.opset17.onnx")
			c.edit(t, m)
			e, err := importer.EncoderOf(m)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v, want an error with %q", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			needRuntime(t)
			agree(t, m, e, texts(3, 60, 1, 9, 1, 14))
		})
	}
}

// A mean of tokens is a row for each sequence; its division by its norm is recognised too, however that is written.
func TestMeansOfTokens(t *testing.T) {
	for name, edit := range map[string]func(e *editor, x string) string{
		"as it is": nil,
		"divided by its norm": func(e *editor, x string) string {
			sum := e.add("ReduceSum", []string{e.add("Mul", []string{x, x}), e.ints(1)}, intAttr("keepdims", 1))
			return e.add("Div", []string{x, e.add("Max", []string{e.add("Sqrt", []string{sum}), e.float(1e-12)})})
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := own(t, "sentence-bert/model.opset17.onnx")
			if edit != nil {
				e := &editor{tb: t, m: m, at: len(m.Graph.Nodes)}
				m.Graph.Outputs[0].Name = edit(e, m.Graph.Outputs[0].Name)
			}
			e := recognise(t, m)
			v := e.Outputs[0].Value
			if n, ok := e.Ops[v].(*importer.Normalise); ok {
				if n.Eps != 1e-12 {
					t.Errorf("eps %g", n.Eps)
				}
				v = n.X
			} else if edit != nil {
				t.Errorf("%T", e.Ops[v])
			}
			if _, ok := e.Ops[v].(*importer.Mean); !ok || !e.Outputs[0].Pooled || e.Outputs[0].Width != 16 || len(e.Layers) != 2 {
				t.Errorf("%T, %+v", e.Ops[v], e.Outputs)
			}
			needRuntime(t)
			agree(t, m, e, texts(3, 60, 1, 9, 1, 14))
		})
	}
}
