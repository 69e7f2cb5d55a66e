package ort_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/export"
	"github.com/seed-aefebe89/graft/export/ort"
	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/cpu"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/random"
	"github.com/seed-aefebe89/graft/internal/parity"
	"github.com/seed-aefebe89/graft/internal/parity/exported"
	"github.com/seed-aefebe89/graft/internal/testutil"
	"github.com/seed-aefebe89/graft/internal/testutil/sharing"
)

func needRuntime(t testing.TB) {
	t.Helper()
	if err := ort.Load(); err != nil {
		t.Skip(err)
	}
}

func methods(m *importer.Model) map[string]peft.Method {
	var targets []string
	for _, v := range []importer.Value{m.Layers[0].Query, m.Layers[0].Value, m.Layers[0].AttentionOutput, m.Layers[0].Up, m.Layers[0].Down} {
		targets = append(targets, m.Ops[v].(*importer.Linear).Module())
	}
	return map[string]peft.Method{
		"lora":     peft.LoRA{R: 4, Alpha: 9, Targets: targets},
		"pfeiffer": peft.Bottleneck{Where: peft.LayerOutput, Size: 6, Activation: kernel.ReLU},
		"top":      peft.Bottleneck{Where: peft.Top, Size: 6, Activation: kernel.GELU},
	}
}

// delta takes what was trained out of the parameters.
func delta(p *graph.Params, name string) *export.Delta {
	d := &export.Delta{Name: name, Method: p.Method}
	for _, q := range p.Of(graph.Adapter, graph.Head) {
		d.Tensors = append(d.Tensors, export.Tensor{Name: q.Name, Shape: q.Shape, Data: q.Data})
	}
	for i := range p.Labels {
		d.Labels = append(d.Labels, fmt.Sprint("L", i))
	}
	return d
}

// encoder is a model to hold against onnxruntime.
type encoder struct{ name, path string }

// made are encoders that no file holds, random ones of every opset among them, and the demo's. internal/app holds the
// files of encoders to onnxruntime, with and without an exported delta.
func made(t *testing.T) []encoder {
	t.Helper()
	root := testutil.Root(t)
	out := []encoder{{"demo/e5-mini", filepath.Join(root, "testdata", "demo", "e5-mini", "model.onnx")}}
	for _, opset := range []int{11, 12, 13, 14, 15, 16, 17, 18, 19, 20} {
		dir := t.TempDir()
		if err := random.Folder(dir, uint64(opset), random.Config{NumHiddenLayers: 2, Opset: opset}); err != nil {
			t.Fatal(err)
		}
		out = append(out, encoder{fmt.Sprintf("random/opset%d", opset), filepath.Join(dir, "model.onnx")})
	}
	out = append(out, disentangled(t)...)
	albert := filepath.Join(filepath.Dir(root), "shared", "fixtures", "onnx", "albert", "model.opset17.sdpa.onnx")
	if _, err := os.Stat(albert); err == nil {
		out = append(out, encoder{"fixtures/onnx/albert with copies of its weights", sharing.Copied(t, albert)})
	}
	return out
}

// rewritten are random encoders whose nodes stand backwards, and that take no mask: whoever runs them must not pad.
func rewritten(t *testing.T) (out []encoder) {
	t.Helper()
	for name, edit := range map[string]func(g *onnx.Graph){
		"nodes backwards": func(g *onnx.Graph) { slices.Reverse(g.Nodes) },
		"no mask": func(g *onnx.Graph) {
			g.Inputs = slices.DeleteFunc(g.Inputs, func(v *onnx.ValueInfo) bool { return v.Name == "attention_mask" })
			for _, n := range g.Nodes {
				for i, in := range n.Inputs {
					if in == "attention_mask" {
						n.Inputs[i] = "ones"
					}
				}
			}
			one, err := onnx.NewTensor("", []int64{1}, []int64{1})
			if err != nil {
				t.Fatal(err)
			}
			g.Nodes = append([]*onnx.Node{
				{OpType: "Shape", Name: "size", Inputs: []string{"input_ids"}, Outputs: []string{"size"}},
				{OpType: "ConstantOfShape", Name: "ones", Inputs: []string{"size"}, Outputs: []string{"ones"},
					Attributes: []*onnx.Attribute{{Name: "value", Type: onnx.AttrTensor, T: one}}},
			}, g.Nodes...)
		},
	} {
		m, err := random.Encoder(7, random.Config{NumHiddenLayers: 2})
		if err != nil {
			t.Fatal(err)
		}
		edit(m.Graph)
		b, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "model.onnx")
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Fatal(err)
		}
		out = append(out, encoder{"random/" + name, path})
	}
	return out
}

// encoders are those, the project's own, and the shared fixtures where they are.
func encoders(t *testing.T) []encoder {
	t.Helper()
	root := testutil.Root(t)
	out := append(made(t), rewritten(t)...)
	ours, err := filepath.Glob(filepath.Join(root, "importer", "testdata", "encoders", "*", "*.onnx"))
	if err != nil || len(ours) == 0 {
		t.Fatalf("there is no encoder of our own: %v", err)
	}
	for _, f := range ours {
		rel, _ := filepath.Rel(filepath.Join(root, "importer", "testdata"), f)
		out = append(out, encoder{rel, f})
	}
	shared := filepath.Join(filepath.Dir(root), "shared")
	for _, p := range []string{"fixtures/onnx/bert*/*.onnx", "fixtures/onnx/bert/*/*.onnx", "fixtures/onnx/xlm-roberta/*.onnx",
		"fixtures/onnx/xlm-roberta/torch113/*.onnx", "fixtures/onnx/electra/*.onnx", "fixtures/onnx/distilbert/*.onnx",
		"fixtures/onnx/distilbert/torch113/*.onnx", "fixtures/onnx/albert/*.onnx", "fixtures/onnx-tools/bert/*.onnx",
		"fixtures/onnx-tools/albert/*.onnx", "fixtures/onnx-tools/xlm-roberta/*.onnx", "fixtures/onnx-tools/of-fixtures/[abx]*.optimised.onnx",
		"fixtures/onnx-tools/of-fixtures/bert.q*.onnx", "fixtures/onnx-tools/of-fixtures/bert.fp16-io32.onnx",
		"fixtures/onnx/modernbert/*.onnx", "fixtures/onnx-tools/modernbert/*.onnx",
		"fixtures/onnx/deberta-v2/*1[47].eager.onnx", "fixtures/onnx/deberta-v2/torch113/*17.eager.onnx",
		"fixtures/onnx-tools/deberta-v2/*.onnx", "fixtures/onnx-tools/of-fixtures/deberta-v2.optimised.onnx",
		"models/mini/model.onnx", "models/e5-small/onnx/model.onnx"} {
		fs, _ := filepath.Glob(filepath.Join(shared, filepath.FromSlash(p)))
		for _, f := range fs {
			if testing.Short() && strings.Contains(f, "e5-small") {
				continue
			}
			rel, _ := filepath.Rel(shared, f)
			out = append(out, encoder{rel, f})
		}
	}
	return out
}

// Every output of the graph against onnxruntime's, both in float32: sums of up to some thousand products in another
// order, a dozen layers deep, leave 1e-6 to 1e-5 of the largest number; 1e-4 is the bound.
func TestForwardMatchesOnnxruntime(t *testing.T) {
	needRuntime(t)
	ctx := context.Background()
	for _, enc := range made(t) {
		t.Run(enc.name, func(t *testing.T) {
			m, err := importer.Open(enc.path)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			var names []string
			for _, o := range m.Outputs {
				names = append(names, o.Name)
			}
			o := ort.Options{Threads: 1, Outputs: names}
			s, err := ort.OpenFile(enc.path, m.File.Model, o)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			seqs, batch := sentences(m)
			want, err := s.Run(ctx, batch, nil)
			if err != nil {
				t.Fatal(err)
			}
			p, err := graph.NewParams(m, nil, 0, 1)
			if err != nil {
				t.Fatal(err)
			}
			got, err := graph.NewProbe(p, []kernel.Kernels{cpu.New(), cpu.New()}).Probe(ctx, seqs)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range m.Outputs {
				diff, big := 0.0, 0.0
				for i, x := range got.Outputs[o.Name] {
					row := want[o.Name].Data[i*o.Width:]
					if !o.Pooled {
						row = want[o.Name].Data[i*batch.Length*o.Width:]
					}
					for k, v := range x {
						diff = math.Max(diff, math.Abs(float64(v-row[k])))
						big = math.Max(big, math.Abs(float64(row[k])))
					}
				}
				t.Logf("%s: %.2g of the largest number", o.Name, diff/big)
				if !(diff <= tolerance(enc)*big) || big == 0 {
					t.Errorf("output %q differs by %.2g of %.2g", o.Name, diff, big)
				}
			}
		})
	}
}

// Law 1: a delta is trained for one exaggerated step, exported, and run in onnxruntime, whose logits must be ours: both
// sum in float32, in different orders, which leaves 1e-5 or less of the largest logit here; 1e-4 is the bound.
func TestExportedIsTrained(t *testing.T) {
	needRuntime(t)
	ctx := context.Background()
	worst := 0.0
	for _, enc := range encoders(t) {
		if strings.Contains(enc.name, "e5-small") {
			continue // as bert, and large
		}
		m, err := importer.Open(enc.path)
		if err != nil {
			t.Errorf("%s: %v", enc.name, err)
			continue
		}
		seqs, _ := sentences(m)
		for name, method := range methods(m) {
			t.Run(enc.name+"/"+name, func(t *testing.T) {
				p, err := graph.NewParams(m, method, 5, 3)
				if err != nil {
					t.Fatal(err)
				}
				ks := []kernel.Kernels{cpu.New(), cpu.New()}
				if err := parity.Exaggerate(ctx, p, ks, seqs); err != nil {
					t.Fatal(err)
				}
				diff, err := exported.Parity(ctx, p, delta(p, "test"), ks, seqs, quantised(enc))
				if err != nil {
					t.Fatal(err)
				}
				worst = max(worst, diff.Rel())
				t.Logf("%.2g of the largest logit", diff.Rel())
				if !(diff.Rel() <= tolerance(enc)) || diff.Top < 0.1 {
					t.Errorf("the logits differ by %.2g of %.2g", diff.Abs, diff.Top)
				}
			})
		}
		m.Close()
	}
	t.Logf("largest difference %.2g of the largest logit", worst)
}

// quantised tells whether an encoder's activations are rounded.
func quantised(e encoder) bool { return strings.Contains(e.name, "bert.q") }

// tolerance of a comparison with onnxruntime, relative to the largest number: 1e-4, and more where onnxruntime computes
// in half precision, which has 2⁻¹¹ of each number.
func tolerance(e encoder) float64 {
	if strings.Contains(e.name, "fp16") {
		return 1e-2
	}
	return 1e-4
}

// sentences are three sequences of random tokens, as our networks take them and padded as onnxruntime does.
func sentences(m *importer.Model) ([]*graph.Sequence, *ort.Batch) {
	r := rand.New(rand.NewPCG(1, 2))
	vocab := 500
	if m.Padded != nil && m.Config.VocabSize > 0 {
		vocab = m.Config.VocabSize
	}
	for _, o := range m.Ops {
		if e, ok := o.(*importer.Embedding); ok {
			vocab = e.Tables[0].Shape[0]
		}
	}
	var seqs []*graph.Sequence
	var ids [][]int32
	for _, n := range []int{9, 1, 14} {
		q := &graph.Sequence{}
		for range n {
			q.IDs = append(q.IDs, int32(3+r.IntN(vocab-3)))
			q.Targets = append(q.Targets, int32(r.IntN(5)))
		}
		seqs, ids = append(seqs, q), append(ids, q.IDs)
	}
	return seqs, ort.Pad(ids, nil, int64(m.Config.PadTokenID))
}

// Law 2: without a delta the slotted graph is the base, bit for bit.
func TestSlottedGraphIsTheBase(t *testing.T) {
	needRuntime(t)
	for _, enc := range made(t) {
		t.Run(enc.name, func(t *testing.T) {
			m, err := importer.Open(enc.path)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			slottedIsTheBase(t, enc, m)
		})
	}
}

// slottedIsTheBase holds the slotted graph of a model without a delta to the model.
func slottedIsTheBase(t *testing.T, enc encoder, m *importer.Model) {
	ctx := context.Background()
	slotted, err := export.NewSlotted(m, graph.Places(m.Encoder), export.SlotOptions{Activations: kernel.Activations()})
	if err != nil {
		t.Fatal(err)
	}
	var outputs []string
	for _, o := range m.File.Graph.Outputs {
		outputs = append(outputs, o.Name)
	}
	base, err := ort.OpenFile(enc.path, m.File.Model, ort.Options{Threads: 1, Outputs: outputs})
	if err != nil {
		t.Fatal(err)
	}
	defer base.Close()
	s, err := ort.Open(slotted.Model, ort.Options{Threads: 1, Folder: slotted.Folder, Outputs: outputs})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, batch := sentences(m)
	want, err := base.Run(ctx, batch, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Run(ctx, batch, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range outputs {
		worst := 0.0
		for i, v := range want[o].Data {
			worst = math.Max(worst, math.Abs(float64(v-got[o].Data[i])))
		}
		// A fused operator and what it is written out in round differently, some dozen times on the way.
		// Of half precision onnxruntime chooses by the nodes around which steps it computes in float32.
		bound := 0.0
		if slotted.Expanded > 0 {
			bound = 1e-5
		}
		if strings.Contains(enc.name, "fp16") {
			bound = tolerance(enc)
		}
		if worst > bound || len(want[o].Data) == 0 {
			t.Errorf("output %q differs by %.2g", o, worst)
		}
	}
	b, err := slotted.Model.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if st, _ := os.Stat(enc.path); strings.Contains(enc.name, "e5-mini") && int64(len(b)) > st.Size()/20 {
		t.Errorf("the slotted graph takes %d bytes beside a base of %d", len(b), st.Size())
	}
}
