package random_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/internal/orttest"
	"github.com/seed-aefebe89/graft/importer/onnx/random"
	"github.com/seed-aefebe89/graft/internal/testutil"
)

func encode(t *testing.T, m *onnx.Model) []byte {
	t.Helper()
	b, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func encoder(t *testing.T, seed uint64, c random.Config) *onnx.Model {
	t.Helper()
	m, err := random.Encoder(seed, c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// opsets of the fixtures.
var opsets = []int{11, 14, 17, 20}

func fixture(t *testing.T, opset int) *onnx.File {
	t.Helper()
	f, err := onnx.Open(testutil.Shared(t, "fixtures", "onnx", "bert", fmt.Sprintf("model.opset%d.eager.onnx", opset)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestEncoderIsTheExportersGraphNodeForNode(t *testing.T) {
	for _, opset := range opsets {
		t.Run(fmt.Sprint("opset", opset), func(t *testing.T) {
			want, got := fixture(t, opset), encoder(t, 1, random.Config{Opset: opset})
			if len(got.Graph.Nodes) != len(want.Graph.Nodes) {
				t.Errorf("%d nodes, want %d", len(got.Graph.Nodes), len(want.Graph.Nodes))
			}
			for i := range min(len(got.Graph.Nodes), len(want.Graph.Nodes)) {
				g := encode(t, &onnx.Model{Graph: &onnx.Graph{Nodes: got.Graph.Nodes[i : i+1]}})
				w := encode(t, &onnx.Model{Graph: &onnx.Graph{Nodes: want.Graph.Nodes[i : i+1]}})
				if !bytes.Equal(g, w) {
					t.Fatalf("node %d is %v%v → %v\n%q, want %v%v → %v\n%q", i,
						got.Graph.Nodes[i], got.Graph.Nodes[i].Inputs, got.Graph.Nodes[i].Outputs, g,
						want.Graph.Nodes[i], want.Graph.Nodes[i].Inputs, want.Graph.Nodes[i].Outputs, w)
				}
			}
			var names [2][]string
			for i, m := range []*onnx.Model{got, want.Model} {
				for _, x := range m.Graph.Initializers {
					names[i] = append(names[i], x.String())
				}
				for _, v := range slices.Concat(m.Graph.Inputs, m.Graph.Outputs) {
					names[i] = append(names[i], v.Name+" "+v.Type.String())
				}
				version, _ := m.Opset("")
				names[i] = append(names[i], m.Graph.Name, fmt.Sprint(m.IRVersion, version))
			}
			if !slices.Equal(names[0], names[1]) {
				t.Errorf("initialisers, inputs and outputs are\n%s\nwant\n%s",
					strings.Join(names[0], "\n"), strings.Join(names[1], "\n"))
			}
		})
	}
}

func save(t *testing.T, m *onnx.Model) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := os.WriteFile(path, encode(t, m), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAnEncoderWithTheFixturesWeightsIsTheFixture(t *testing.T) {
	orttest.Require(t)
	for _, opset := range opsets {
		f, m := fixture(t, opset), encoder(t, 1, random.Config{Opset: opset})
		m.Graph.Initializers = f.Graph.Initializers
		in := orttest.Inputs(500, 11)
		want, err := orttest.Run(f.Path, 2, 11, in)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := orttest.Run(save(t, m), 2, 11, in); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("opset %d: the outputs differ (%v)", opset, err)
		}
	}
}

func TestEncodersAgreeOverAllOpsets(t *testing.T) {
	orttest.Require(t)
	var want map[string]orttest.Output
	for opset := 11; opset <= 20; opset++ {
		got, err := orttest.Run(save(t, encoder(t, 7, random.Config{Opset: opset})), 2, 11, orttest.Inputs(500, 11))
		if err != nil {
			t.Fatalf("opset %d: %v", opset, err)
		}
		if want == nil {
			want = got
			continue
		}
		for name := range want {
			w, g := want[name].Data.([]float32), got[name].Data.([]float32)
			for i := range w {
				// Outputs are of the order of 1; LayerNorm and GELU are computed in other steps.
				if math.Abs(float64(w[i]-g[i])) > 2e-5 {
					t.Fatalf("opset %d: %s[%d] = %v, want %v", opset, name, i, g[i], w[i])
				}
			}
		}
	}
}

func TestOutputsHaveTheFixturesShapes(t *testing.T) {
	orttest.Require(t)
	b, err := os.ReadFile(testutil.Shared(t, "fixtures", "onnx", "bert", "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	type array struct {
		Shape []int64         `json:"shape"`
		Data  json.RawMessage `json:"data"`
	}
	var expected struct {
		Cases []struct{ Inputs, Outputs map[string]array }
	}
	if err := json.Unmarshal(b, &expected); err != nil || len(expected.Cases) == 0 {
		t.Fatalf("%d cases, %v", len(expected.Cases), err)
	}
	path := save(t, encoder(t, 1, random.Config{}))
	for i, c := range expected.Cases {
		in := map[string][]int64{}
		for name, a := range c.Inputs {
			var ids []int64
			if err := json.Unmarshal(a.Data, &ids); err != nil {
				t.Fatal(err)
			}
			in[name] = ids
		}
		shape := c.Inputs["input_ids"].Shape
		out, err := orttest.Run(path, int(shape[0]), int(shape[1]), in)
		if err != nil {
			t.Fatal(err)
		}
		if len(out) != len(c.Outputs) {
			t.Errorf("case %d: %d outputs, want %d", i, len(out), len(c.Outputs))
		}
		for name, want := range c.Outputs {
			if !slices.Equal(out[name].Shape, want.Shape) {
				t.Errorf("case %d: %s has shape %v, want %v", i, name, out[name].Shape, want.Shape)
			}
		}
	}
}

func TestASeedGivesTheSameWeightsEverywhere(t *testing.T) {
	word := "embeddings.word_embeddings.weight"
	floats := func(m *onnx.Model, name string) []float32 {
		x, err := m.Graph.Initializer(name).Float32s()
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	a := encoder(t, 1, random.Config{})
	if !bytes.Equal(encode(t, a), encode(t, encoder(t, 1, random.Config{}))) {
		t.Error("the same seed gives other bytes")
	}
	b := encoder(t, 1, random.Config{Opset: 11, NoPooler: true, NumHiddenLayers: 2})
	if !slices.Equal(floats(a, word), floats(b, word)) ||
		!slices.Equal(floats(a, "onnx::MatMul_359"), floats(b, "onnx::MatMul_284")) { // layer 0's query
		t.Error("another opset gives other weights")
	}
	if slices.Equal(floats(a, word), floats(encoder(t, 2, random.Config{}), word)) {
		t.Error("another seed gives the same weights")
	}
	half := floats(encoder(t, 1, random.Config{Spread: 0.5}), word)
	for i, x := range floats(a, word) {
		if half[i] != x/2 {
			t.Fatalf("weight %d is %v at half the spread, and %v", i, half[i], x)
		}
	}
	var sum, squares float64
	for _, x := range floats(a, word) {
		sum += float64(x)
		squares += float64(x) * float64(x)
	}
	n := float64(500 * 32) // so the standard error of the mean is 0.004, and that of the deviation 0.003
	if mean, deviation := sum/n, math.Sqrt(squares/n); math.Abs(mean) > 0.016 || math.Abs(deviation-0.5) > 0.012 {
		t.Errorf("embeddings have mean %v, standard deviation %v, want 0 and 0.5", mean, deviation)
	}
}

func TestConfigsAreChecked(t *testing.T) {
	for name, c := range map[string]random.Config{
		"opset 10":       {Opset: 10},
		"opset 24":       {Opset: 24},
		"heads":          {NumAttentionHeads: 5},
		"negative":       {VocabSize: -1},
		"negative heads": {NumAttentionHeads: -4},
		"spread":         {Spread: math.NaN()},
		"epsilon":        {LayerNormEps: -1},
		"layers":         {NumHiddenLayers: 1 << 40},
		"positions":      {MaxPositionEmbeddings: 1 << 40},
		"too large":      {VocabSize: math.MaxInt, HiddenSize: 4},
	} {
		if m, err := random.Encoder(1, c); err == nil {
			t.Errorf("%s: got %v", name, m)
		}
		if err := random.Folder(t.TempDir(), 1, c); err == nil {
			t.Errorf("%s: Folder gave no error", name)
		}
	}
}
