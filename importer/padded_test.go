package importer_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/random"
)

// twisted is a random encoder that is not recognised.
func twisted(tb testing.TB, c random.Config) *onnx.Model {
	tb.Helper()
	c.NumHiddenLayers = 2
	m, err := random.Twisted(3, c, random.Twist{Temperature: true})
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// head puts a linear map of five classes, and perhaps more, between the first output and the outside.
func head(t *testing.T, m *onnx.Model, ops ...string) {
	t.Helper()
	w, err := onnx.NewTensor("classifier.weight", []int64{32, 5}, make([]float32, 160))
	if err != nil {
		t.Fatal(err)
	}
	m.Graph.Initializers = append(m.Graph.Initializers, w)
	last := m.Graph.Outputs[0].Name
	for i, op := range append(ops, "MatMul") {
		n := &onnx.Node{OpType: op, Name: "/head/" + op, Inputs: []string{last}, Outputs: []string{"head " + op}}
		if i == len(ops) {
			n.Inputs, n.Outputs = append(n.Inputs, w.Name), []string{"logits"}
		}
		m.Graph.Nodes, last = append(m.Graph.Nodes, n), n.Outputs[0]
	}
	m.Graph.Outputs = []*onnx.ValueInfo{{Name: "logits"}}
}

func TestTheHiddenStateIsToldByNameWidthAndShape(t *testing.T) {
	renamed := func(t *testing.T, m *onnx.Model) {
		for _, n := range m.Graph.Nodes {
			for _, names := range [][]string{n.Inputs, n.Outputs} {
				for i, v := range names {
					if v == "last_hidden_state" {
						names[i] = "state"
					}
				}
			}
		}
		m.Graph.Outputs[0].Name = "state"
	}
	for _, c := range []struct {
		name   string
		config importer.Config
		edit   func(t *testing.T, m *onnx.Model)
		want   string // the value, or a part of the error
		width  int
	}{
		{"by name", importer.Config{HiddenSize: 5}, func(*testing.T, *onnx.Model) {}, "last_hidden_state", 32},
		{"by width", importer.Config{HiddenSize: 32}, renamed, "state", 32},
		{"as the only one", importer.Config{}, renamed, "state", 32},
		{"below a head", importer.Config{HiddenSize: 32}, func(t *testing.T, m *onnx.Model) { renamed(t, m); head(t, m) }, "state", 32},
		{"below a head's function", importer.Config{HiddenSize: 32},
			func(t *testing.T, m *onnx.Model) { renamed(t, m); head(t, m, "Tanh") }, "head Tanh", 32},
		{"below a pooler", importer.Config{HiddenSize: 32},
			func(t *testing.T, m *onnx.Model) { renamed(t, m); m.Graph.Outputs = m.Graph.Outputs[1:] }, "state", 32},
		{"below a head without a configuration", importer.Config{}, func(t *testing.T, m *onnx.Model) { head(t, m) },
			`no output is a hidden state [batch, sequence, hidden_size]; the outputs are "logits" float[2 7 5]`, 0},
		{"of another width", importer.Config{HiddenSize: 33}, renamed, "no output is a hidden state [batch, sequence, 33]", 0},
		{"a fixed size", importer.Config{HiddenSize: 32}, func(_ *testing.T, m *onnx.Model) {
			m.Graph.Inputs[0].Type.Tensor.Shape.Dims[0] = onnx.FixedDim(1)
		}, "fixed size", 0},
	} {
		m := twisted(t, random.Config{})
		c.edit(t, m)
		e, err := importer.PaddedOf(m, c.config)
		switch {
		case c.width == 0:
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: error %v, want %s", c.name, err, c.want)
			}
		case err != nil:
			t.Errorf("%s: %v", c.name, err)
		case e.Padded.Hidden != c.want || e.Padded.Width != c.width:
			t.Errorf("%s: %q of %d columns", c.name, e.Padded.Hidden, e.Padded.Width)
		}
	}
}

// Linear maps and layers have the names that Hugging Face gives their modules, whatever the file calls their weights.
func TestMapsAndLayersAreNamed(t *testing.T) {
	for _, opset := range []int{11, 17} {
		e, err := importer.PaddedOf(twisted(t, random.Config{Opset: opset}), importer.Config{})
		if err != nil {
			t.Fatal(err)
		}
		var got, want []string
		for _, m := range e.Padded.Maps {
			got = append(got, m.Module)
			if m.In != 32 && m.In != 64 || m.Layer < 0 {
				t.Errorf("%+v", m)
			}
		}
		for _, layer := range []string{"encoder.layer.0.", "encoder.layer.1."} {
			for _, name := range []string{"attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
				"intermediate.dense", "output.dense"} {
				want = append(want, layer+name)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("opset %d: maps %v, want %v", opset, got, want)
		}
		var ends []string
		for _, end := range e.Padded.Ends {
			ends = append(ends, end.Module)
		}
		if !slices.Equal(ends, []string{"encoder.layer.0.output", "encoder.layer.1.output"}) {
			t.Errorf("opset %d: ends %v", opset, ends)
		}
		names := map[string]bool{}
		for _, w := range e.Weights {
			names[w.Name] = true
		}
		for _, name := range []string{"encoder.layer.1.attention.self.query.weight", "encoder.layer.1.attention.self.temperature",
			"embeddings.word_embeddings.weight"} {
			if !names[name] {
				t.Errorf("opset %d: there is no weight %q", opset, name)
			}
		}
	}
}

// Without names of modules there are no ends of layers, and maps are called after what there is.
func TestNamelessGraphsHaveMapsAndNoEnds(t *testing.T) {
	m := twisted(t, random.Config{})
	for _, n := range m.Graph.Nodes {
		n.Name = ""
	}
	e, err := importer.PaddedOf(m, importer.Config{})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, m := range e.Padded.Maps {
		if m.Module == "" || seen[m.Module] {
			t.Errorf("%+v", m)
		}
		seen[m.Module] = true
	}
	if len(seen) != 12 || len(e.Padded.Ends) != 0 {
		t.Errorf("maps %v, ends %v", e.Padded.Maps, e.Padded.Ends)
	}
}

// A model that is recognised is not taken node by node; one that is not, is, and says why.
func TestOpenTakesWhatIsNotRecognisedNodeByNode(t *testing.T) {
	m := twisted(t, random.Config{})
	b, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := importer.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	if got.Padded == nil || got.Padded.Reason == nil || len(got.Ops) > 0 || len(got.Weights) == 0 {
		t.Errorf("%+v", got.Encoder)
	}
}
