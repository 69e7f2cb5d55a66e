package importer_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/seed-aefebe89/graft/export/ort"
	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/portable"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/random"
	"github.com/seed-aefebe89/graft/internal/testutil"
)

// small is an encoder whose sizes are different numbers.
var small = random.Config{VocabSize: 40, HiddenSize: 12, NumHiddenLayers: 2, NumAttentionHeads: 3, IntermediateSize: 20,
	MaxPositionEmbeddings: 16}

// encoder is a small random model of an opset, in memory and complete.
func encoder(tb testing.TB, opset int) *onnx.Model {
	tb.Helper()
	c := small
	c.Opset = opset
	m, err := random.Encoder(1, c)
	if err != nil {
		tb.Fatal(err)
	}
	return clone(tb, m)
}

// clone is a copy of a model that shares nothing with it.
func clone(tb testing.TB, m *onnx.Model) *onnx.Model {
	tb.Helper()
	b, err := m.Encode()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := onnx.Decode(b)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// fixture is a model of the shared fixtures, in memory.
func fixture(tb testing.TB, elem ...string) *onnx.Model {
	tb.Helper()
	f, err := onnx.Open(testutil.Shared(tb, append([]string{"fixtures"}, elem...)...))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	return clone(tb, f.Model)
}

// fixtures are the paths below shared that match patterns.
func fixtures(tb testing.TB, patterns ...string) []string {
	tb.Helper()
	var out []string
	root := testutil.Shared(tb)
	for _, p := range patterns {
		fs, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(p)))
		if err != nil || len(fs) == 0 {
			tb.Fatalf("%s: no file, %v", p, err)
		}
		for _, f := range fs {
			rel, err := filepath.Rel(root, f)
			if err != nil {
				tb.Fatal(err)
			}
			out = append(out, filepath.ToSlash(rel))
		}
	}
	return out
}

// open imports a model of the shared files.
func open(tb testing.TB, path string) *importer.Model {
	tb.Helper()
	m, err := importer.Open(testutil.Shared(tb, path))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { m.Close() })
	return m
}

// recognise is the encoder of a model in memory.
func recognise(tb testing.TB, m *onnx.Model) *importer.Encoder {
	tb.Helper()
	e, err := importer.EncoderOf(m)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// node is the first node of a name.
func node(tb testing.TB, m *onnx.Model, name string) *onnx.Node {
	tb.Helper()
	for _, n := range m.Graph.Nodes {
		if n.Name == name {
			return n
		}
	}
	tb.Fatalf("there is no node %q", name)
	return nil
}

// editor adds nodes to a model, before a node.
type editor struct {
	tb testing.TB
	m  *onnx.Model
	at int
	n  int
}

func before(tb testing.TB, m *onnx.Model, name string) *editor {
	return &editor{tb: tb, m: m, at: slices.Index(m.Graph.Nodes, node(tb, m, name))}
}

// add adds a node and returns its output.
func (e *editor) add(op string, in []string, attributes ...*onnx.Attribute) string {
	e.n++
	out := fmt.Sprintf("added_%d_%d", e.at, e.n)
	n := &onnx.Node{OpType: op, Name: out, Inputs: in, Outputs: []string{out}, Attributes: attributes}
	e.m.Graph.Nodes = slices.Insert(e.m.Graph.Nodes, e.at, n)
	e.at++
	return out
}

// tensor adds an initialiser and returns its name.
func (e *editor) tensor(dims []int64, data any) string {
	e.tb.Helper()
	e.n++
	t, err := onnx.NewTensor(fmt.Sprintf("constant_%d_%d", e.at, e.n), dims, data)
	if err != nil {
		e.tb.Fatal(err)
	}
	e.m.Graph.Initializers = append(e.m.Graph.Initializers, t)
	return t.Name
}

func (e *editor) float(x float32) string { return e.tensor(nil, []float32{x}) }
func (e *editor) int(x int64) string     { return e.tensor(nil, []int64{x}) }
func (e *editor) ints(x ...int64) string { return e.tensor([]int64{int64(len(x))}, x) }
func (e *editor) to(t onnx.DataType, x string) string {
	return e.add("Cast", []string{x}, intAttr("to", int64(t)))
}

func intAttr(name string, v int64) *onnx.Attribute {
	return &onnx.Attribute{Name: name, Type: onnx.AttrInt, I: v}
}

func intsAttr(name string, v ...int64) *onnx.Attribute {
	return &onnx.Attribute{Name: name, Type: onnx.AttrInts, Ints: v}
}

// unmask takes the attention mask out of a small random encoder.
func unmask(tb testing.TB, m *onnx.Model) {
	m.Graph.Inputs = slices.DeleteFunc(m.Graph.Inputs, func(v *onnx.ValueInfo) bool { return v.Name == "attention_mask" })
	node(tb, m, "/Unsqueeze").Inputs[0] = "input_ids"
	sub := node(tb, m, "/Sub")
	sub.Inputs[1] = sub.Inputs[0] // zero
}

// setConstant replaces the value of a Constant node or an initialiser.
func setConstant(tb testing.TB, m *onnx.Model, name string, data any) {
	tb.Helper()
	set := func(at **onnx.Tensor) {
		t, err := onnx.NewTensor((*at).Name, (*at).Dims, data)
		if err != nil {
			tb.Fatal(err)
		}
		*at = t
	}
	for _, n := range m.Graph.Nodes {
		if n.Outputs[0] == name {
			set(&n.Attribute("value").T)
			return
		}
	}
	for i, t := range m.Graph.Initializers {
		if t.Name == name {
			set(&m.Graph.Initializers[i])
			return
		}
	}
	tb.Fatalf("there is no constant %q", name)
}

// setAttribute replaces a node's attribute.
func setAttribute(n *onnx.Node, a *onnx.Attribute) {
	for i, old := range n.Attributes {
		if old.Name == a.Name {
			n.Attributes[i] = a
			return
		}
	}
	n.Attributes = append(n.Attributes, a)
}

// text is a batch of random sequences.
type text struct{ ids, types [][]int32 }

// texts draws sequences of some lengths: ids below vocab and types below types, some of them id 1, the padding of XLM-R.
func texts(seed uint64, vocab, types int, lengths ...int) text {
	r := rand.New(rand.NewPCG(seed, 5))
	var t text
	for _, n := range lengths {
		ids, ts := make([]int32, n), make([]int32, n)
		for i := range n {
			ids[i], ts[i] = int32(2+r.IntN(vocab-2)), int32(r.IntN(types))
		}
		t.ids, t.types = append(t.ids, ids), append(t.types, ts)
	}
	return t
}

// needRuntime skips the test where there is no onnxruntime.
func needRuntime(tb testing.TB) {
	tb.Helper()
	if err := ort.Load(); err != nil {
		tb.Skip(err)
	}
}

// disagreement is the largest difference between what a recognised encoder computes and what onnxruntime does with the
// model, over all recognised outputs, relative to the largest number of each. The error is onnxruntime's, or ours.
func disagreement(m *onnx.Model, e *importer.Encoder, x text) (worst float64, err error) {
	var outputs []string
	for _, o := range e.Outputs {
		outputs = append(outputs, o.Name)
	}
	want, err := reference(m, outputs, x)
	if err != nil {
		return 0, &runtimeError{err}
	}
	p, err := graph.NewParams(&importer.Model{Encoder: e}, nil, 0, 1)
	if err != nil {
		return 0, err
	}
	var seqs []*graph.Sequence
	for i := range x.ids {
		seqs = append(seqs, &graph.Sequence{IDs: x.ids[i], Types: x.types[i]})
	}
	got, err := graph.NewProbe(p, []kernel.Kernels{portable.New()}).Probe(context.Background(), seqs)
	if err != nil {
		return 0, err
	}
	for _, o := range e.Outputs {
		w, ok := want[o.Name]
		if !ok {
			return 0, fmt.Errorf("onnxruntime gives no output %q", o.Name)
		}
		var diff, largest float64
		stride := len(w.Data) / len(seqs)
		for i, rows := range got.Outputs[o.Name] {
			if len(rows) > stride {
				return 0, fmt.Errorf("output %q has %d numbers for a sequence, where onnxruntime has %d", o.Name, len(rows), stride)
			}
			for k, v := range rows {
				y := w.Data[i*stride+k]
				d, big := math.Abs(float64(v-y)), math.Abs(float64(y))
				switch {
				case v == y || v != v && y != y: // also where both are no number
					d = 0
				case math.IsNaN(d):
					d = math.Inf(1)
				}
				diff = max(diff, d)
				if !math.IsInf(big, 0) && !math.IsNaN(big) {
					largest = max(largest, big)
				}
			}
		}
		worst = max(worst, diff/max(largest, 1e-3))
	}
	return worst, nil
}

// runtimeError is an error of onnxruntime, which refuses a model or an input.
type runtimeError struct{ error }

func reference(m *onnx.Model, outputs []string, x text) (map[string]ort.Output, error) {
	s, err := ort.Open(m, ort.Options{Threads: 1, Outputs: outputs})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.Run(context.Background(), ort.Pad(x.ids, x.types, 1), nil)
}

// tolerance of a comparison with onnxruntime, relative to the largest number: both compute in float32, in different
// orders, a few dozen layers of sums of up to some hundred products.
const tolerance = 1e-4

// agree fails the test unless the encoder computes what onnxruntime does. It needs onnxruntime.
func agree(tb testing.TB, m *onnx.Model, e *importer.Encoder, x text) {
	tb.Helper()
	d, err := disagreement(m, e, x)
	if err != nil {
		tb.Error(err)
	} else if !(d <= tolerance) {
		tb.Errorf("it differs from onnxruntime by %.2g of the largest number", d)
	}
}
