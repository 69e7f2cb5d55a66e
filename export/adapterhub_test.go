package export_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/export"
	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/internal/safetensors"
)

// bottleneck writes a delta of a method for a fixture and returns its folder.
func bottleneck(t *testing.T, m *importer.Model, where peft.PlaceKind) string {
	t.Helper()
	method := peft.Bottleneck{Where: where, Size: 4, Activation: kernel.ReLU}
	p, err := graph.NewParams(m, method, 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	d := &export.Delta{Name: "ner", Method: method, Labels: []string{"O", "B-PER", "I-PER"}}
	for _, q := range p.Of(graph.Adapter, graph.Head) {
		d.Tensors = append(d.Tensors, export.Tensor{Name: q.Name, Shape: q.Shape, Data: q.Data})
	}
	dir := filepath.Join(t.TempDir(), "ner")
	places := graph.Places(m.Encoder)
	if err := export.WriteDelta(dir, d, m, places); err != nil {
		t.Fatal(err)
	}
	if _, err := export.ReadDelta(dir, m, places); err != nil {
		t.Fatal(err)
	}
	return dir
}

// AdapterHub reads a head only where its class is the model's, takes a number for a scaling only with a decimal point, and
// passes over tensors whose module it does not find, so that all three are held to what it writes itself.
func TestAdapterHubFindsWhatWeWrite(t *testing.T) {
	for name, want := range map[string]struct{ class, tensor string }{
		"bert":        {"BertForTokenClassification", "bert.encoder.layer.2.output.adapters.ner.adapter_down.0.weight"},
		"xlm-roberta": {"XLMRobertaForTokenClassification", "roberta.encoder.layer.2.output.adapters.ner.adapter_down.0.weight"},
		"electra":     {"ElectraForTokenClassification", "electra.encoder.layer.2.output.adapters.ner.adapter_down.0.weight"},
		"distilbert":  {"DistilBertForTokenClassification", "distilbert.transformer.layer.2.output_adapters.adapters.ner.adapter_down.0.weight"},
		"albert":      {"AlbertForTokenClassification", "albert.encoder.albert_layer_groups.0.albert_layers.0.output_adapters.adapters.ner.adapter_down.0.weight"},
	} {
		m := open(t, "fixtures", "onnx", name, "model.opset17.eager.onnx")
		for _, where := range []peft.PlaceKind{peft.LayerOutput, peft.Top} {
			t.Run(fmt.Sprint(name, " ", where), func(t *testing.T) {
				dir := bottleneck(t, m, where)
				f, err := safetensors.Read(filepath.Join(dir, "adapter.safetensors"))
				if err != nil {
					t.Fatal(err)
				}
				if !slices.ContainsFunc(f.Tensors, func(x safetensors.Tensor) bool { return x.Name == want.tensor }) {
					t.Errorf("there is no tensor %q but %q …", want.tensor, f.Tensors[0].Name)
				}
				for _, file := range []string{"adapter_config.json", "head_config.json"} {
					b, err := os.ReadFile(filepath.Join(dir, file))
					if err != nil {
						t.Fatal(err)
					}
					var c struct {
						Class  string `json:"model_class"`
						Config *struct {
							Scaling      json.RawMessage
							Architecture *string
						}
					}
					if err := json.Unmarshal(b, &c); err != nil {
						t.Fatal(err)
					}
					if c.Class != want.class {
						t.Errorf("%s: model_class %q, want %q", file, c.Class, want.class)
					}
					if c.Config == nil {
						continue
					}
					if string(c.Config.Scaling) != "1.0" {
						t.Errorf("scaling %s, want 1.0", c.Config.Scaling)
					}
					// One adapter after the last of layers that share their weights is beyond the library.
					if own := c.Config.Architecture != nil; own != (name == "albert" && where == peft.Top) {
						t.Errorf("own architecture: %t", own)
					}
				}
			})
		}
	}
}

func TestNamedHeadsAreRead(t *testing.T) {
	m := open(t, "fixtures", "onnx", "bert", "model.opset17.eager.onnx")
	dir := bottleneck(t, m, peft.LayerOutput)
	path := filepath.Join(dir, "model_head.safetensors")
	f, err := safetensors.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range f.Tensors {
		f.Tensors[i].Name = strings.Replace(x.Name, "classifier.", "heads.mine.1.", 1)
	}
	w, err := os.Create(path + ".new")
	if err != nil {
		t.Fatal(err)
	}
	if err := safetensors.Write(w, f.Tensors, nil); err != nil {
		t.Fatal(err)
	}
	w.Close()
	os.Rename(path+".new", path)
	os.Remove(filepath.Join(dir, export.ManifestFile))
	config := func(kind string, layers int) {
		s := fmt.Sprintf(`{"name":"mine","config":{"head_type":%q,"layers":%d,"label2id":{"O":0,"B-LOC":1,"I-LOC":2}}}`, kind, layers)
		if err := os.WriteFile(filepath.Join(dir, "head_config.json"), []byte(s), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	config("tagging", 1)
	d, err := export.ReadDelta(dir, m, graph.Places(m.Encoder))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(d.Labels, []string{"O", "B-LOC", "I-LOC"}) {
		t.Errorf("labels %v", d.Labels)
	}
	for _, c := range []struct {
		kind   string
		layers int
	}{{"classification", 1}, {"tagging", 2}} {
		config(c.kind, c.layers)
		if _, err := export.ReadDelta(dir, m, graph.Places(m.Encoder)); err == nil || !strings.Contains(err.Error(), "tagging") {
			t.Errorf("%s with %d layers: error %v", c.kind, c.layers, err)
		}
	}
}
