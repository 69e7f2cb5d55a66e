package export_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/export"
	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/cpu"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/internal/testutil"
)

func open(t *testing.T, elem ...string) *importer.Model {
	t.Helper()
	m, err := importer.Open(testutil.Shared(t, elem...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// load puts a delta's values into parameters.
func load(t *testing.T, m *importer.Model, d *export.Delta) *graph.Params {
	t.Helper()
	p, err := graph.NewParams(m, d.Method, len(d.Labels), 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range d.Tensors {
		copy(p.Get(x.Name).Data, x.Data)
	}
	return p
}

// Deltas that Hugging Face PEFT and AdapterHub wrote give the logits that those libraries gave. The bound is that of
// the forward pass: 1e-4 of the largest logit, 1e-6 is usual.
func TestDeltasOfOtherLibrariesGiveTheirLogits(t *testing.T) {
	m := open(t, "fixtures", "onnx", "bert-tokencls", "model.opset17.eager.onnx")
	cases := testutil.Cases(t, testutil.Shared(t, "fixtures", "onnx", "bert-tokencls", "expected.npz"))
	for _, name := range []string{"peft-lora", "adapters-seq_bn"} {
		t.Run(name, func(t *testing.T) {
			d, err := export.ReadDelta(testutil.Shared(t, "fixtures", "peft", name), m, graph.Places(m.Encoder))
			if err != nil {
				t.Fatal(err)
			}
			p := load(t, m, d)
			s := graph.NewTagger(p, []kernel.Kernels{cpu.New()})
			want := testutil.Arrays(t, testutil.Shared(t, "fixtures", "peft", name, "expected.npz"))
			for _, i := range []int{0, 2} {
				c := cases[i]
				var seqs []*graph.Sequence
				for b := range c.Batch {
					q := &graph.Sequence{}
					for k := range c.Seq {
						if c.Inputs["attention_mask"][b*c.Seq+k] != 0 {
							q.IDs = append(q.IDs, int32(c.Inputs["input_ids"][b*c.Seq+k]))
							q.Types = append(q.Types, int32(c.Inputs["token_type_ids"][b*c.Seq+k]))
						}
					}
					seqs = append(seqs, q)
				}
				got, err := s.Logits(context.Background(), seqs)
				if err != nil {
					t.Fatal(err)
				}
				all := want[map[int]string{0: "c0_logits", 2: "c2_logits"}[i]]
				diff, big := 0.0, 0.0
				for b, x := range got {
					for k, v := range x {
						w := float64(all[b*c.Seq*9+k])
						diff, big = math.Max(diff, math.Abs(float64(v)-w)), math.Max(big, math.Abs(w))
					}
				}
				if !(diff <= 1e-4*big) || big == 0 {
					t.Errorf("case %d: the logits differ by %.2g of %.2g", i, diff, big)
				}
			}
		})
	}
}

func TestUnknownMethodsAreRefusedByName(t *testing.T) {
	m := open(t, "fixtures", "onnx", "bert-tokencls", "model.opset17.eager.onnx")
	for name, want := range map[string]string{
		"peft-ia3": "IA3", "peft-dora": "use_dora", "peft-vera": "VERA", "peft-prompt": "PROMPT_TUNING", "adapters-lora": "lora",
		"adapters-compacter": "bottleneck", "adapters-par_bn": "bottleneck", "adapters-seq_bn_inv": "bottleneck", "adapters-mam": "union",
	} {
		_, err := export.ReadDelta(testutil.Shared(t, "fixtures", "peft", name), m, graph.Places(m.Encoder))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", name, err, want)
		}
	}
}

func TestDeltasRoundTrip(t *testing.T) {
	m := open(t, "fixtures", "onnx", "bert", "model.opset14.sdpa.onnx")
	places := graph.Places(m.Encoder)
	base, err := export.DigestOf(m.File.Model)
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range []peft.Method{
		peft.LoRA{R: 3, Alpha: 7, Targets: []string{"query", "output.dense"}, Ranks: map[string]int{"query": 2}},
		peft.Bottleneck{Where: peft.LayerOutput, Size: 5, Activation: kernel.SiLU},
		peft.Bottleneck{Where: peft.Top, Size: 6, Activation: kernel.GELU},
	} {
		t.Run(method.Name(), func(t *testing.T) {
			p, err := graph.NewParams(m, method, 3, 2)
			if err != nil {
				t.Fatal(err)
			}
			d := &export.Delta{Name: "ner-xx", Method: method, Labels: []string{"O", "B-PER", "I-PER"}, Base: base, Record: []byte(`{"f1":0.5}`)}
			for i, q := range p.Of(graph.Adapter, graph.Head) {
				for k := range q.Data {
					q.Data[k] += float32(i) + float32(k)/1000
				}
				d.Tensors = append(d.Tensors, export.Tensor{Name: q.Name, Shape: q.Shape, Data: q.Data})
			}
			dir := filepath.Join(t.TempDir(), "folder")
			if err := export.WriteDelta(dir, d, m, places); err != nil {
				t.Fatal(err)
			}
			got, err := export.ReadDelta(dir, m, places)
			if err != nil {
				t.Fatal(err)
			}
			if got.Name != d.Name || !slices.Equal(got.Labels, d.Labels) || got.Base.SHA256 != base.SHA256 {
				t.Errorf("got %q %v", got.Name, got.Labels)
			}
			want, err := d.Slots(places)
			if err != nil {
				t.Fatal(err)
			}
			slots, err := got.Slots(places)
			if err != nil {
				t.Fatal(err)
			}
			b := export.EncodeAdapter(want, 3)
			if !slices.Equal(b, export.EncodeAdapter(slots, 3)) {
				t.Error("the .onnx_adapter of what was read differs from that of what was written")
			}
			decoded, model, err := export.DecodeAdapter(b)
			if err != nil || model != 3 || len(decoded) != len(want) {
				t.Fatalf("%d slots of %d, model %d, %v", len(decoded), len(want), model, err)
			}
			for i, s := range want {
				if s.Name != decoded[i].Name || !slices.Equal(s.Dims, decoded[i].Dims) || !slices.Equal(s.Data, decoded[i].Data) {
					t.Errorf("slot %q reads back as %q%v", s.Name, decoded[i].Name, decoded[i].Dims)
				}
			}
		})
	}
}

func TestAWrongBaseIsRefusedWithTheTensor(t *testing.T) {
	a := open(t, "fixtures", "onnx", "bert", "model.opset17.eager.onnx")
	base, err := export.DigestOf(a.File.Model)
	if err != nil {
		t.Fatal(err)
	}
	same, err := export.DigestOf(open(t, "fixtures", "onnx", "bert", "variants", "model.opset17.external.onnx").File.Model)
	if err != nil {
		t.Fatal(err)
	}
	if err := base.Check("d", same); err != nil {
		t.Errorf("the same model with external data: %v", err)
	}
	dir := filepath.Join(t.TempDir(), "primed")
	const name = "encoder.layer.1.output.LayerNorm.bias"
	i := slices.IndexFunc(a.Weights, func(w *importer.Weight) bool { return w.Name == name })
	if err := export.WriteBase(dir, a, map[*importer.Weight][]float32{a.Weights[i]: make([]float32, 32)}); err != nil {
		t.Fatal(err)
	}
	b, err := importer.Open(filepath.Join(dir, filepath.Base(a.Path)))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	other, err := export.DigestOf(b.File.Model)
	if err != nil {
		t.Fatal(err)
	}
	err = base.Check("ner-de", other)
	var wrong *export.WrongBase
	if !errors.As(err, &wrong) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "ner-de") {
		t.Errorf("error %v", err)
	}
}

func TestBrokenDeltaFoldersAreErrors(t *testing.T) {
	m := open(t, "fixtures", "onnx", "bert-tokencls", "model.opset17.eager.onnx")
	src := testutil.Shared(t, "fixtures", "peft", "peft-lora")
	for name, f := range map[string]func(dir string){
		"no adapter_config.json":  func(dir string) { os.Remove(filepath.Join(dir, "adapter_config.json")) },
		"truncated":               func(dir string) { os.Truncate(filepath.Join(dir, "adapter_model.safetensors"), 100) },
		"adapter_model":           func(dir string) { os.Remove(filepath.Join(dir, "adapter_model.safetensors")) },
		"unexpected end of JSON":  func(dir string) { os.Truncate(filepath.Join(dir, "adapter_config.json"), 40) },
		"no projection is called": func(dir string) { replace(t, filepath.Join(dir, "adapter_config.json"), `"query"`, `"quark"`) },
		"has shape":               func(dir string) { replace(t, filepath.Join(dir, "adapter_config.json"), `"r": 4`, `"r": 3`) },
	} {
		dir := t.TempDir()
		for _, file := range []string{"adapter_config.json", "adapter_model.safetensors"} {
			b, err := os.ReadFile(filepath.Join(src, file))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, file), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		f(dir)
		if _, err := export.ReadDelta(dir, m, graph.Places(m.Encoder)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want one with %q", err, name)
		}
	}
}

func replace(t *testing.T, path, old, new string) {
	b, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(b), old) {
		t.Fatalf("%s lacks %s, %v", path, old, err)
	}
	os.WriteFile(path, []byte(strings.Replace(string(b), old, new, 1)), 0o644)
}

func FuzzDecodeAdapter(f *testing.F) {
	f.Add(export.EncodeAdapter(export.Slots{{Name: "a", Dims: []int64{2, 3}, Data: make([]float32, 6)}, {Name: "b", Dims: []int64{0}, Data: nil}}, 1))
	f.Add([]byte("\x08\x00\x00\x00TORT"))
	f.Fuzz(func(t *testing.T, b []byte) {
		slots, model, err := export.DecodeAdapter(b)
		if err != nil {
			return
		}
		again, m2, err := export.DecodeAdapter(export.EncodeAdapter(slots, model))
		if err != nil || m2 != model || len(again) != len(slots) {
			t.Fatalf("what was decoded does not encode: %v", err)
		}
	})
}

// A base's strings and sparse initialisers are part of what it is.
func TestDigestsTellEveryKindOfTensorApart(t *testing.T) {
	digest := func(word string, at int64, value float32) string {
		t.Helper()
		words, err := onnx.NewTensor("words", []int64{1}, []string{word})
		if err != nil {
			t.Fatal(err)
		}
		v, err := onnx.NewTensor("sparse", []int64{1}, []float32{value})
		if err != nil {
			t.Fatal(err)
		}
		i, err := onnx.NewTensor("", []int64{1}, []int64{at})
		if err != nil {
			t.Fatal(err)
		}
		d, err := export.DigestOf(&onnx.Model{Graph: &onnx.Graph{Initializers: []*onnx.Tensor{words},
			SparseInitializers: []*onnx.SparseTensor{{Values: v, Indices: i, Dims: []int64{9}}}}})
		if err != nil || len(d.Tensors) != 2 {
			t.Fatal(d, err)
		}
		return d.SHA256
	}
	a := digest("a", 3, 1)
	if digest("a", 3, 1) != a {
		t.Error("equal models have different digests")
	}
	for i, other := range []string{digest("b", 3, 1), digest("a", 4, 1), digest("a", 3, 2)} {
		if other == a {
			t.Errorf("change %d is not seen", i)
		}
	}
}
