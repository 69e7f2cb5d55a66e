package importer_test

import (
	"math/rand/v2"
	"testing"

	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/random"
)

// tiny is the least encoder of an opset, so that a fuzzer meets more of graph than of weights.
func tiny(tb testing.TB, opset int) *onnx.Model {
	m, err := random.Encoder(1, random.Config{VocabSize: 6, HiddenSize: 4, NumHiddenLayers: 1, NumAttentionHeads: 2,
		IntermediateSize: 3, MaxPositionEmbeddings: 8, Opset: opset})
	if err != nil {
		tb.Fatal(err)
	}
	return clone(tb, m)
}

// tinyRelative is the least encoder with disentangled attention, and an If.
func tinyRelative(tb testing.TB) *onnx.Model {
	m, err := random.Disentangled(1, random.Config{VocabSize: 6, HiddenSize: 4, NumHiddenLayers: 1, NumAttentionHeads: 2,
		IntermediateSize: 3, MaxPositionEmbeddings: 8}, random.Relative{Buckets: 2, Branches: true})
	if err != nil {
		tb.Fatal(err)
	}
	return clone(tb, m)
}

// use imports a model and uses what comes of it: there is no panic, and what there is holds together.
func use(t *testing.T, m *onnx.Model) {
	usePadded(t, m)
	e, err := importer.EncoderOf(m)
	if err != nil {
		return
	}
	if len(e.Outputs) == 0 {
		t.Error("an encoder without an output")
	}
	for i, o := range e.Ops {
		if o.Where().Output == "" {
			t.Errorf("operation %d has no name", i)
		}
		if l, ok := o.(*importer.Linear); ok && (l.In() <= 0 || l.Out() <= 0 || int(l.X) >= i) {
			t.Errorf("operation %d: %+v", i, l)
		}
	}
	names := map[string]bool{}
	for _, w := range e.Weights {
		if w.Name == "" || names[w.Name] {
			t.Errorf("a weight is named %q", w.Name)
		}
		names[w.Name] = true
	}
	for _, w := range e.Weights {
		if n, err := w.Tensor.Len(); err == nil && n < 1<<16 {
			if x, err := w.Float32s(); err == nil && len(x) != n {
				t.Errorf("%q has %d elements, want %d", w.Name, len(x), n)
			}
		}
	}
	for i := range e.Tables {
		for _, n := range []int{-1, 0, 1, 5} {
			if x, err := e.Tables[i].Rows(n); err == nil && (n < 1 || len(x) != n*e.Tables[i].Width) {
				t.Errorf("table %d gives %d numbers for %d tokens", i, len(x), n)
			}
		}
	}
	for i := range e.Buckets {
		for _, n := range []int{-1, 0, 5, 1} {
			if x, err := e.Buckets[i].Rows(n); err == nil && (n < 1 || len(x) != 2*n-1) {
				t.Errorf("buckets %d are %d for %d tokens", i, len(x), n)
			}
		}
	}
	for i, d := range e.Distances {
		for _, n := range []int{-1, 0, 1, 5} {
			rows, err := d.Rows(n)
			if err == nil && len(rows) != 2*n-1 {
				t.Errorf("distances %d gives %d rows for %d tokens", i, len(rows), n)
			}
		}
	}
	for i := range e.Indexes {
		for _, n := range []int{0, 1, 5} {
			rows, err := e.Indexes[i].Rows(make([]int32, n), nil)
			if err == nil && len(rows) != n {
				t.Errorf("index %d gives %d rows for %d tokens", i, len(rows), n)
			}
		}
	}
}

// usePadded is use of a model that is taken node by node.
func usePadded(t *testing.T, m *onnx.Model) {
	e, err := importer.PaddedOf(m, importer.Config{HiddenSize: 24})
	if err != nil {
		return
	}
	p := e.Padded
	if p.Hidden == "" || p.Width <= 0 {
		t.Errorf("the hidden state %q has %d columns", p.Hidden, p.Width)
	}
	sizes := map[string][2]int{}
	for _, x := range p.Maps {
		s, known := sizes[x.Module]
		if now := [2]int{x.In, x.Out}; x.Module == "" || x.Product == "" || x.Input == "" || known && s != now {
			t.Errorf("a map %+v, before of %v", x, s)
		}
		sizes[x.Module] = [2]int{x.In, x.Out}
	}
	for _, end := range p.Ends {
		if end.Value == "" {
			t.Error("an end without a value")
		}
	}
	before := len(e.Weights)
	for _, n := range []int{1, 2, 6} {
		prog, err := p.Program(n, 3)
		if err == nil && len(prog.Outputs) != 1 {
			t.Errorf("a program of %d outputs", len(prog.Outputs))
		}
	}
	if len(e.Weights) != before {
		t.Errorf("%d weights, before %d", len(e.Weights), before)
	}
}

// FuzzModel imports models that are changed byte by byte.
func FuzzModel(f *testing.F) {
	for _, opset := range []int{11, 17, 20} {
		b, err := tiny(f, opset).Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, nodes := range []func(e *editor, x string) []string{
		func(e *editor, x string) []string {
			w, b := e.tensor([]int64{24, 72}, numbers(24*72)), e.tensor([]int64{72}, numbers(72))
			return []string{e.contrib("Attention", []string{x, w, b, e.to(onnx.Int32, "attention_mask")}, intAttr("num_heads", 3))}
		},
		func(e *editor, x string) []string {
			w, s := e.tensor([]int64{2, 2, 8}, make([]uint8, 32)), e.tensor([]int64{4}, numbers(4))
			return []string{e.contrib("MatMulNBits", []string{x, w, s}, intAttr("K", 24), intAttr("N", 2), intAttr("block_size", 16))}
		},
		func(e *editor, x string) []string {
			w := e.add("DequantizeLinear", []string{e.tensor([]int64{24, 2}, make([]int8, 48)), e.tensor([]int64{2}, numbers(2))})
			return []string{e.add("MatMul", []string{x, w})}
		},
		func(e *editor, x string) []string {
			y := e.add("If", []string{e.tensor(nil, []bool{true})}, &onnx.Attribute{Name: "then_branch", Type: onnx.AttrGraph, G: &onnx.Graph{
				Nodes:   []*onnx.Node{{OpType: "F", Domain: "org.example", Inputs: []string{x}, Outputs: []string{"y"}}},
				Outputs: []*onnx.ValueInfo{{Name: "y"}}}})
			e.m.Functions = []*onnx.Function{{Name: "F", Domain: "org.example", Inputs: []string{"a"}, Outputs: []string{"b"},
				Nodes:       []*onnx.Node{{OpType: "RMSNormalization", Inputs: []string{"a", "a"}, Outputs: []string{"b"}}},
				OpsetImport: []onnx.OperatorSet{{Version: 23}}}}
			return []string{y}
		},
	} {
		b, err := alone(f, 23, nodes).Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	b, err := tinyRelative(f).Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := onnx.Decode(b); err == nil {
			use(t, m)
		}
	})
}

// FuzzMutants imports models that are changed node by node.
func FuzzMutants(f *testing.F) {
	base := map[uint8]*onnx.Model{}
	for i, opset := range []int{11, 13, 17, 20} {
		base[uint8(i)] = tiny(f, opset)
	}
	for i, name := range []string{"mpnet", "roformer", "xlm-roberta-xl", "modernbert-tokencls"} {
		base[uint8(4+i)] = own(f, name+"/model.opset17.onnx")
	}
	base[8] = tinyRelative(f)
	twisted, err := random.Twisted(1, random.Config{VocabSize: 6, HiddenSize: 4, NumHiddenLayers: 1, NumAttentionHeads: 2,
		IntermediateSize: 3, MaxPositionEmbeddings: 8}, random.Twist{Distances: true, Temperature: true, Scaled: true, Gate: true})
	if err != nil {
		f.Fatal(err)
	}
	base[9] = clone(f, twisted)
	for i := range base {
		for seed := range uint64(8) {
			f.Add(i, seed, uint8(1+seed))
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, seed uint64, changes uint8) {
		m := clone(t, base[which%10])
		x := mutator{rand.New(rand.NewPCG(seed, 0)), m}
		for range changes % 12 {
			x.mutate()
		}
		use(t, m)
	})
}
