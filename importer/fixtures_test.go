package importer_test

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/internal/safetensors"
	"github.com/seed-aefebe89/graft/internal/testutil"
	"github.com/seed-aefebe89/graft/internal/testutil/sharing"
)

// known are the fixtures that are recognised as a whole, with the number of their layers.
var known = map[string]int{
	"fixtures/onnx/bert*/*.onnx": 3, "fixtures/onnx/bert/*/*.onnx": 3, "fixtures/onnx/xlm-roberta*/*.onnx": 3,
	"fixtures/onnx/xlm-roberta/*/*.onnx": 3, "fixtures/onnx/electra/*.onnx": 3, "fixtures/onnx/distilbert/*.onnx": 3,
	"fixtures/onnx/distilbert/*/*.onnx": 3, "fixtures/onnx/albert/*.onnx": 3, "fixtures/onnx-tools/bert/*.onnx": 2,
	"fixtures/onnx-tools/albert/*.onnx": 2, "fixtures/onnx-tools/of-fixtures/[abx]*.optimised.onnx": 3,
	"fixtures/onnx-tools/of-fixtures/bert.q*.onnx": 3,
	"fixtures/onnx-tools/xlm-roberta/*.onnx":       2, "models/mini/model.onnx": 4, "models/e5-mini/model.onnx": 4,
	"models/e5-small/onnx/model.onnx": 12, "fixtures/onnx/modernbert/*.onnx": 4, "fixtures/onnx-tools/modernbert/*.onnx": 3,
	"fixtures/onnx/deberta-v2/*1[47].eager.onnx": 3, "fixtures/onnx/deberta-v2/*/*17.eager.onnx": 3,
	"fixtures/onnx-tools/deberta-v2/*.onnx": 2, "fixtures/onnx-tools/of-fixtures/deberta-v2.optimised.onnx": 3,
}

// each calls f for every known fixture.
func each(t *testing.T, f func(t *testing.T, path string, m *importer.Model, layers int)) {
	for pattern, layers := range known {
		for _, path := range fixtures(t, pattern) {
			t.Run(path, func(t *testing.T) {
				n := layers
				if strings.Contains(path, "bert-mid") {
					n = 6
				}
				f(t, path, open(t, path), n)
			})
		}
	}
}

func TestLayersOfTheFixtures(t *testing.T) {
	each(t, func(t *testing.T, path string, m *importer.Model, layers int) {
		checkLayers(t, m.Encoder, layers)
		if m.Config.NumHiddenLayers != 0 && m.Config.NumHiddenLayers != layers {
			t.Errorf("config.json has %d layers", m.Config.NumHiddenLayers)
		}
		outputs := len(m.File.Graph.Outputs)
		if len(m.Outputs) != outputs {
			t.Errorf("%d of %d outputs are recognised", len(m.Outputs), outputs)
		}
		for _, l := range m.Layers {
			a := m.Ops[l.Attention].(*importer.Attention)
			q := m.Ops[l.Query].(*importer.Linear)
			terms := 1 // whose number DeBERTa scales by
			if a.Keys != nil && a.Queries != nil {
				terms = 3
			}
			if want := 1 / math.Sqrt(float64(terms*q.In()/a.Heads)); math.Abs(float64(a.Scale)-want) > 1e-6*want {
				t.Errorf("scale %v of heads of %d, want %v", a.Scale, q.In()/a.Heads, want)
			}
			if h := m.Config.NumAttentionHeads; h != 0 && h != a.Heads {
				t.Errorf("%d heads, config.json has %d", a.Heads, h)
			}
		}
		for _, o := range m.Ops { // operands come first
			w := o.Where()
			if _, table := o.(*importer.PositionTable); w.Output == "" || len(w.Nodes) == 0 && !table {
				t.Errorf("%T has no origin", o)
			}
		}
	})
}

// Names are unique, whatever the file has; PyTorch's dynamo exporter keeps one of several equal biases, so that a weight
// cannot be called after its bias.
func TestNamesAreUniqueAndTellTheModule(t *testing.T) {
	each(t, func(t *testing.T, path string, m *importer.Model, layers int) {
		seen := map[string]bool{}
		for _, w := range m.Weights {
			if seen[w.Name] {
				t.Errorf("two weights are named %q", w.Name)
			}
			seen[w.Name] = true
		}
		if strings.Contains(path, "albert") { // its layers share their weights
			return
		}
		for i, l := range m.Layers {
			parts := [...]string{"query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense"}
			if strings.Contains(path, "distilbert") {
				parts = [...]string{"q_lin", "k_lin", "v_lin", "out_lin", "lin1", "lin2"}
			}
			if strings.Contains(path, "deberta") {
				parts[0], parts[1], parts[2] = "query_proj", "key_proj", "value_proj"
			}
			prefix := "layer."
			if strings.Contains(path, "modernbert") {
				parts = [...]string{"attn.Wqkv", "attn.Wqkv", "attn.Wqkv", "attn.Wo", "mlp.Wi", "mlp.Wo"}
				prefix = "layers."
			}
			for k, v := range []importer.Value{l.Query, l.Key, l.Value, l.AttentionOutput, l.Up, l.Down} {
				name := m.Ops[v].(*importer.Linear).Module()
				if !strings.Contains(name, prefix+string(rune('0'+i%10))) && i < 10 || !strings.HasSuffix(name, parts[k]) {
					t.Errorf("layer %d: %s is called %q", i, parts[k], name)
				}
			}
		}
	})
}

// Every parameter has the name that Hugging Face's state dict gives it, and its values.
func TestNamesAndValuesAreThoseOfTheStateDict(t *testing.T) {
	compared := 0
	each(t, func(t *testing.T, path string, m *importer.Model, layers int) {
		dir := filepath.Dir(testutil.Shared(t, path))
		if base := filepath.Base(dir); base == "variants" {
			dir = filepath.Dir(dir)
		}
		file := filepath.Join(dir, "model.safetensors")
		if _, err := os.Stat(file); err != nil {
			t.Skip("no model.safetensors is beside it")
		}
		f, err := safetensors.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		linear := map[*importer.Weight]bool{} // whether it stands as [in, out]
		for _, o := range m.Ops {
			if l, ok := o.(*importer.Linear); ok {
				linear[l.W] = !l.Trans
			}
		}
		for _, w := range m.Weights {
			x, err := f.Get(strings.TrimSuffix(w.Name, "_f16")) // which one file adds to the names of what it casts
			if err != nil {
				t.Errorf("the state dict has no %q", w.Name)
				continue
			}
			want, err := x.Float32s()
			if err != nil {
				t.Fatal(err)
			}
			got, err := w.Tensor.Float32s()
			if err != nil {
				t.Fatal(err)
			}
			shape := slices.Clone(w.Shape)
			if linear[w] {
				got = turned(got, w.Shape[0], w.Shape[1])
				shape[0], shape[1] = shape[1], shape[0]
			}
			if !slices.Equal(shape, x.Shape) {
				t.Errorf("%q is %v, want %v", w.Name, shape, x.Shape)
			} else if d := largest(got, want); d > tolerated(path) {
				t.Errorf("%q differs by %g", w.Name, d)
			}
		}
		compared++
	})
	if compared < 20 {
		t.Errorf("only %d fixtures have a state dict", compared)
	}
}

// tolerated is how much a file's weights may differ from the state dict's: one holds them in float16.
func tolerated(path string) float64 {
	if strings.Contains(path, "f16w") {
		return 2e-3
	}
	return 0
}

// turned is the transpose of a matrix.
func turned(x []float32, rows, cols int) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i%cols*rows+i/cols] = v
	}
	return out
}

func largest(a, b []float32) float64 {
	d := 0.
	for i := range a {
		d = math.Max(d, math.Abs(float64(a[i]-b[i])))
	}
	return d
}

// A weight that layers share and that the file holds once for each of them is one weight, under the name that it has
// where it is shared.
func TestCopiesOfAWeightAreOne(t *testing.T) {
	path := testutil.Shared(t, "fixtures", "onnx", "albert", "model.opset17.sdpa.onnx")
	shared, copied := open(t, path), open(t, sharing.Copied(t, path))
	for i, w := range shared.Weights {
		if got := copied.Weights[i].Name; got != w.Name {
			t.Errorf("weight %d is %q, want %q", i, got, w.Name)
		}
	}
	if n := len(copied.Weights); n != len(shared.Weights) {
		t.Errorf("%d weights, want %d", n, len(shared.Weights))
	}
}
