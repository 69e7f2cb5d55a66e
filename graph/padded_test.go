package graph_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/cpu"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/random"
	"github.com/seed-aefebe89/graft/internal/testutil"
)

// nodewise opens a model that is recognised as if it were not.
func nodewise(t testing.TB, path string) *importer.Model {
	t.Helper()
	m, err := importer.Map(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	if err := m.NodeByNode(); err != nil {
		t.Fatal(err)
	}
	return m
}

// named are some parameters by name.
func named(ps []*graph.Param) map[string]int {
	out := map[string]int{}
	for i, p := range ps {
		out[p.Name] = i
	}
	return out
}

// Recognised and packed, or node by node and padded, an encoder has the same places, parameters, loss and gradients: in
// float32, with sums of up to some hundred products in another order, a few layers deep and back; 1e-4 of the largest
// number is the bound.
func TestNodeByNodeTrainsAsRecognised(t *testing.T) {
	paths := own(t)
	for _, opset := range []int{11, 17, 20} {
		dir := t.TempDir()
		if err := random.Folder(dir, 3, random.Config{NumHiddenLayers: 2, Opset: opset}); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, filepath.Join(dir, "model.onnx"))
	}
	if !testing.Short() {
		paths = append(paths, sharedEncoders(t)...)
	}
	for _, path := range paths {
		t.Run(filepath.Join(filepath.Base(filepath.Dir(path)), filepath.Base(path)), func(t *testing.T) {
			a, err := importer.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			if a.Padded != nil {
				t.Fatal(a.Padded.Reason)
			}
			b := nodewise(t, path)
			if graph.HiddenSize(a.Encoder) != graph.HiddenSize(b.Encoder) {
				t.Fatalf("hidden states of %d columns, node by node %d", graph.HiddenSize(a.Encoder), graph.HiddenSize(b.Encoder))
			}
			if len(a.Outputs) == 0 || !slices.ContainsFunc(a.Outputs, func(o importer.Output) bool { return o.Value == a.Last }) {
				return // a head covers the hidden state, and which value counts as such is another
			}
			for _, method := range []peft.Method{methods(a)["lora"], methods(a)["top"]} {
				t.Run(method.Name(), func(t *testing.T) { trainsAlike(t, a, b, method) })
			}
		})
	}
}

// sharedEncoders are shared fixtures, one of each kind; none where they are not.
func sharedEncoders(t *testing.T) (paths []string) {
	for _, f := range []string{"bert/model.opset11.eager.onnx", "xlm-roberta/model.opset17.sdpa.onnx", "albert/model.opset17.eager.onnx",
		"distilbert/model.opset14.eager.onnx", "electra/model.opset17.eager.onnx", "modernbert/model.opset17.sdpa.onnx",
		"deberta-v2/model.opset17.eager.onnx", "bert/variants/model.opset17.external.onnx", "../onnx-tools/modernbert/model.dynamo18.sdpa.onnx"} {
		paths = append(paths, testutil.Shared(t, "fixtures", "onnx", f))
	}
	return paths
}

// trainsAlike compares a step of a recognised model with one of the same node by node.
func trainsAlike(t *testing.T, a, b *importer.Model, method peft.Method) {
	vocab := a.Config.VocabSize
	if vocab == 0 {
		vocab = 500
	}
	seqs, count := labelled(vocab, 4, 6, 1, 17, 9, 12)
	type result struct {
		loss   float64
		params []*graph.Param
		grads  [][]float32
		logits [][]float32
	}
	run := func(m *importer.Model) (r result) {
		p := newParams(t, m, method)
		r.params = p.Of(graph.Adapter, graph.Head)
		for _, w := range p.Encoding(true) {
			w.Thaw()
			r.params = append(r.params, w)
		}
		s := graph.NewTrainer(p, threads(2), r.params)
		var err error
		if r.loss, err = s.Step(context.Background(), seqs, 1/float32(count)); err != nil {
			t.Fatal(err)
		}
		for i, q := range r.params {
			g := make([]float32, q.Size())
			if err := s.Grad(i, g); err != nil {
				t.Fatal(err)
			}
			r.grads = append(r.grads, g)
		}
		if r.logits, err = graph.NewTagger(p, threads(2)).Logits(context.Background(), seqs); err != nil {
			t.Fatal(err)
		}
		return r
	}
	x, y := run(a), run(b)
	if math.Abs(x.loss-y.loss) > 1e-5*x.loss {
		t.Errorf("the loss is %v, node by node %v", x.loss, y.loss)
	}
	for i := range x.logits {
		if d := distance(y.logits[i], x.logits[i]); !(d < 1e-4) {
			t.Errorf("the logits of sequence %d differ by %.2g", i, d)
		}
	}
	at := named(y.params)
	for i, p := range x.params {
		k, ok := at[p.Name]
		if !ok {
			t.Errorf("node by node there is no %s parameter %q", p.Group, p.Name)
			continue
		}
		if !slices.Equal(p.Shape, y.params[k].Shape) {
			t.Errorf("%q has the shape %v, node by node %v", p.Name, p.Shape, y.params[k].Shape)
			continue
		}
		if d := distance(y.grads[k], x.grads[i]); !(d < 1e-4) && norm(x.grads[i]) > 1e-6 {
			t.Errorf("the gradient of %q differs by %.2g", p.Name, d)
		}
	}
	at = named(x.params)
	for _, p := range y.params { // recognition makes a table of rotations of a weight, which is then none
		if _, ok := at[p.Name]; !ok && !strings.Contains(p.Name, "embed_positions") {
			t.Errorf("there is a parameter %q node by node alone", p.Name)
		}
	}
}

func norm(x []float32) (s float64) {
	for _, v := range x {
		s = math.Max(s, math.Abs(float64(v)))
	}
	return s
}

// folder is a random encoder's, of two layers, after a change to its graph.
func folder(t testing.TB, c random.Config, edit func(m *onnx.Model)) string {
	t.Helper()
	c.NumHiddenLayers = 2
	m, err := random.Encoder(3, c)
	if err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		edit(m)
	}
	b, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// logitsOf are those of a tagger with LoRA on the queries.
func logitsOf(t testing.TB, m *importer.Model, n int, batches ...[]*graph.Sequence) [][]float32 {
	t.Helper()
	p := newParams(t, m, peft.LoRA{R: 2, Alpha: 2, Targets: []string{"query"}})
	s := graph.NewTagger(p, threads(n))
	var out [][]float32
	for _, seqs := range batches {
		ls, err := s.Logits(context.Background(), seqs)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, ls...)
	}
	return out
}

// What stands beside a sequence in its batch, and what fills it up, changes nothing but the order of some sums: 1e-5 of the
// largest logit is the bound, and more shapes than a session keeps programs for give the same bits when they come again.
func TestPaddedResultsDoNotDependOnTheBatch(t *testing.T) {
	m := nodewise(t, folder(t, random.Config{}, nil))
	var all []*graph.Sequence
	var alone [][]*graph.Sequence
	for n := 1; n < 120; n += 6 {
		q, _ := labelled(500, 4, n)
		all, alone = append(all, q...), append(alone, q)
	}
	want := logitsOf(t, m, 1, append(alone, alone...)...)
	for i, w := range want[:len(all)] {
		if !slices.Equal(w, want[len(all)+i]) {
			t.Errorf("sequence %d has other logits the second time", i)
		}
	}
	for _, n := range []int{1, 3} {
		for i, got := range logitsOf(t, m, n, all) {
			if d := distance(got, want[i]); !(d < 1e-5) {
				t.Errorf("%d threads, %d tokens: the logits differ by %.2g from those of the sequence alone", n, len(all[i].IDs), d)
			}
		}
	}
}

// The same bits on repeats and in sessions of their own, for each number of threads.
func TestPaddedStepsAreDeterministic(t *testing.T) {
	m := nodewise(t, folder(t, random.Config{}, nil))
	seqs, _ := labelled(500, 4, 6, 1, 9, 17, 3, 30)
	for _, n := range []int{1, 2, 3, 7} {
		p := newParams(t, m, peft.LoRA{R: 2, Alpha: 2, Targets: []string{"query", "output.dense"}})
		train := append(p.Of(graph.Adapter, graph.Head), p.Encoding(true)...)
		for _, q := range train {
			q.Thaw()
		}
		s := graph.NewTrainer(p, threads(n), train)
		want := gradients(t, s, train, seqs)
		for k := range 4 {
			if k == 2 {
				s = graph.NewTrainer(p, threads(n), train)
			}
			for i, g := range gradients(t, s, train, seqs) {
				if !slices.Equal(g, want[i]) {
					t.Fatalf("%d threads: value %d differs in repeat %d", n, i, k)
				}
			}
		}
	}
}

// A model that takes no attention mask is given sequences of one length at a time, and none is filled up; here it computes
// what it does with a mask.
func TestWithoutAMaskNothingIsFilledUp(t *testing.T) {
	masked := nodewise(t, folder(t, random.Config{}, nil))
	m := nodewise(t, folder(t, random.Config{}, func(m *onnx.Model) {
		one, err := onnx.NewTensor("", []int64{1}, []int64{1})
		if err != nil {
			t.Fatal(err)
		}
		m.Graph.Inputs = slices.DeleteFunc(m.Graph.Inputs, func(v *onnx.ValueInfo) bool { return v.Name == "attention_mask" })
		m.Graph.Nodes = append([]*onnx.Node{
			{OpType: "Shape", Name: "size", Inputs: []string{"input_ids"}, Outputs: []string{"size"}},
			{OpType: "ConstantOfShape", Name: "ones", Inputs: []string{"size"}, Outputs: []string{"attention_mask"},
				Attributes: []*onnx.Attribute{{Name: "value", Type: onnx.AttrTensor, T: one}}},
		}, m.Graph.Nodes...)
	}))
	if m.Padded.Masked || !masked.Padded.Masked {
		t.Fatal("the attention mask is not seen")
	}
	seqs, _ := labelled(500, 4, 6, 1, 9, 6, 9, 9, 9, 9)
	want := logitsOf(t, masked, 2, seqs)
	for i, got := range logitsOf(t, m, 2, seqs) {
		if d := distance(got, want[i]); !(d < 1e-5) {
			t.Errorf("the logits of sequence %d differ by %.2g", i, d)
		}
	}
}

// Sequences may be as long as there are positions, also where no multiple of eight is.
func TestSequencesMayBeAsLongAsThereArePositions(t *testing.T) {
	m := nodewise(t, folder(t, random.Config{MaxPositionEmbeddings: 13}, nil))
	long := nodewise(t, folder(t, random.Config{MaxPositionEmbeddings: 13, Opset: 11}, nil))
	a, _ := labelled(500, 4, 13, 5, 9)
	want := logitsOf(t, m, 2, a[:1], a[1:2], a[2:], a)
	for i, got := range logitsOf(t, long, 2, a[:1], a[1:2], a[2:], a) {
		if d := distance(got, want[i]); !(d < 1e-5) {
			t.Errorf("the logits of sequence %d differ by %.2g", i, d)
		}
	}
	p := newParams(t, m, nil)
	for name, c := range map[string]struct {
		seqs []*graph.Sequence
		want string
	}{
		"too long":       {[]*graph.Sequence{{IDs: make([]int32, 14)}}, "1 sequences of 14 tokens, which may be longer than the model takes"},
		"too large":      {[]*graph.Sequence{{IDs: []int32{500}}}, "the index 500 is outside of 500"},
		"negative":       {[]*graph.Sequence{{IDs: []int32{3, -1}}}, "token 1 has the number -1"},
		"without tokens": {[]*graph.Sequence{{}}, "has no token"},
		"no sequence":    {nil, "the batch is empty"},
		"a row too many": {[]*graph.Sequence{{IDs: []int32{3}, Rows: []int32{1}}}, "row 1 is outside"},
	} {
		if _, err := graph.NewTagger(p, threads(2)).Logits(context.Background(), c.seqs); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// Values that are computed again are the same, and take less memory; what is told of it before the first step holds after.
func TestPaddedMemoryIsTold(t *testing.T) {
	m := nodewise(t, folder(t, random.Config{}, nil))
	many := nodewise(t, func() string {
		dir := t.TempDir()
		if err := random.Folder(dir, 3, random.Config{NumHiddenLayers: 8}); err != nil {
			t.Fatal(err)
		}
		return dir
	}())
	seqs, _ := labelled(500, 4, 6, 1, 9, 30)
	run := func(m *importer.Model, memory graph.Memory) ([][]float32, graph.Footprint) {
		p := newParams(t, m, peft.LoRA{R: 2, Alpha: 2, Targets: []string{"query"}})
		p.Memory = memory
		train := p.Of(graph.Adapter, graph.Head)
		s := graph.NewTrainer(p, threads(2), train)
		s.Reserve(slices.Values([][]*graph.Sequence{seqs, seqs[:2]}))
		before, err := graph.FootprintOf(p, s)
		if err != nil {
			t.Fatal(err)
		}
		g := gradients(t, s, train, seqs)
		after, err := graph.FootprintOf(p, s)
		if err != nil {
			t.Fatal(err)
		}
		if before != after || before.Arena == 0 || before.Mapped == 0 {
			t.Errorf("the footprint is %+v, after a step %+v", before, after)
		}
		return g, before
	}
	run(m, graph.Memory{Unpacked: true})
	want, much := run(many, graph.Memory{})
	got, little := run(many, graph.Memory{Recompute: true})
	for i := range want {
		if !slices.Equal(got[i], want[i]) {
			t.Fatalf("value %d differs", i)
		}
	}
	if little.Arena > much.Arena*7/10 {
		t.Errorf("the arenas take %d bytes with recomputation, %d without", little.Arena, much.Arena)
	}
}

// In bfloat16 as in TestBFloat16IsCloseToFloat32OnEveryLevel, with a layer or two instead of six.
func TestPaddedProductsTakeBFloat16(t *testing.T) {
	m := nodewise(t, folder(t, random.Config{}, nil))
	seqs, count := labelled(500, 4, 16, 3, 21)
	run := func(precision kernel.Precision) (float64, []float32) {
		p := newParams(t, m, peft.LoRA{R: 2, Alpha: 2, Targets: []string{"query"}})
		p.Precision = precision
		return step(t, p, cpu.New(), seqs, count, p.Of(graph.Adapter, graph.Head))
	}
	loss, want := run(kernel.Float32)
	near, got := run(kernel.BFloat16)
	if d := distance(got, want); d == 0 || !(d < 0.1) || !(math.Abs(near-loss) < 0.02*loss) {
		t.Errorf("the loss is %v, in bfloat16 %v; the gradients differ by %.2g", loss, near, d)
	}
}
