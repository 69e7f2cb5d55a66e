package app

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/export/ort"
	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/random"
	"github.com/seed-aefebe89/graft/internal/parity"
)

func needRuntime(t *testing.T) {
	t.Helper()
	if err := ort.Load(); err != nil {
		t.Skip(err)
	}
}

// everything asks for all that a check looks at.
var everything = CheckOptions{Seed: 3, Gradients: true, Export: true, Threads: 2}

func checked(t *testing.T, path string, o CheckOptions) *Check {
	t.Helper()
	c, err := RunCheck(context.Background(), path, o)
	if err != nil {
		t.Errorf("%s: %v", path, err)
	} else if c.Status != "equal" || len(c.Outputs) == 0 {
		t.Errorf("%s: %+v", path, c)
	}
	return c
}

// edited writes a random encoder after an edit, and returns its path.
func edited(t *testing.T, edit func(m *onnx.Model)) string {
	t.Helper()
	m, err := random.Encoder(2, random.Config{NumHiddenLayers: 2})
	if err != nil {
		t.Fatal(err)
	}
	edit(m)
	b, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return textFile(t, "model.onnx", string(b))
}

// insert puts a node behind the graph and its value in place of the first output.
func insert(nodes ...*onnx.Node) func(m *onnx.Model) {
	return func(m *onnx.Model) {
		last := m.Graph.Outputs[0].Name
		for i, n := range nodes {
			n.Inputs = append([]string{last}, n.Inputs...)
			last = fmt.Sprint("inserted ", i)
			n.Outputs = []string{last}
			m.Graph.Nodes = append(m.Graph.Nodes, n)
		}
		m.Graph.Outputs = []*onnx.ValueInfo{{Name: last, Type: m.Graph.Outputs[0].Type}}
	}
}

func TestCheckFindsRandomEncodersEqual(t *testing.T) {
	needRuntime(t)
	opsets := []int{11, 12, 13, 14, 15, 16, 17, 18, 19, 20}
	if testing.Short() {
		opsets = []int{11, 17}
	}
	for _, opset := range opsets {
		dir := t.TempDir()
		if err := random.Folder(dir, uint64(opset), random.Config{NumHiddenLayers: 2, Opset: opset}); err != nil {
			t.Fatal(err)
		}
		c := checked(t, dir, everything)
		if c.Way != "fused" || c.Reason != "" || len(c.Outputs) != 2 || len(c.Layers) != 3 || c.Gradients == nil || c.Export == nil || c.Slotted == nil || c.Slotted.MaxAbs != 0 || c.Drift != nil ||
			c.MaxRel == 0 || c.MaxAbs == 0 {
			t.Errorf("opset %d: %+v", opset, c)
		}
	}
}

func TestCheckRunsNodeByNodeWhatIsNotRecognised(t *testing.T) {
	needRuntime(t)
	path := edited(t, insert(&onnx.Node{OpType: "Sin"}, &onnx.Node{OpType: "Sqrt", Name: "root"})) // NaN in both
	c := checked(t, path, CheckOptions{Seed: 3, Gradients: false})
	if c.Way != "node by node" || !strings.Contains(c.Reason, "Sqrt \"root\"") || len(c.Layers) > 0 {
		t.Errorf("%+v", c)
	}
	path = edited(t, insert(&onnx.Node{OpType: "Sin"}))
	if c := checked(t, path, CheckOptions{Gradients: true}); c.Gradients == nil || c.Gradients.MaxRel == 0 {
		t.Errorf("gradients %+v", c.Gradients)
	}
	for name, path := range map[string]string{"a sine behind it": path, "a twist": twisted(t)} {
		if c := checked(t, path, everything); c.Way != "node by node" || c.Gradients == nil || c.Gradients.MaxRel == 0 || c.Export == nil || c.Export.MaxRel == 0 {
			t.Errorf("%s: %+v", name, c)
		}
	}
	path = edited(t, func(m *onnx.Model) {
		for _, in := range m.Graph.Inputs {
			in.Type.Tensor.Shape.Dims[0] = onnx.FixedDim(2)
		}
	})
	if c := checked(t, path, CheckOptions{Gradients: true}); c.Gradients == nil || c.Gradients.MaxRel == 0 {
		t.Errorf("gradients %+v", c.Gradients)
	}
	if c, err := RunCheck(context.Background(), path, everything); err == nil || c.Status != "refused" || !strings.Contains(c.Reason, "cannot be trained") {
		t.Errorf("an export of it: %v, %+v", err, c)
	}
}

// twisted writes an encoder that is not recognised, and returns its path.
func twisted(t *testing.T) string {
	t.Helper()
	m, err := random.Twisted(2, random.Config{NumHiddenLayers: 2}, random.Twist{Distances: true, Gate: true})
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return textFile(t, "model.onnx", string(b))
}

// An output that is no part of the encoder is computed node by node beside it, or the reason told.
func TestCheckLooksAtFurtherOutputs(t *testing.T) {
	needRuntime(t)
	further := func(m *onnx.Model, n *onnx.Node) {
		n.Inputs, n.Outputs = []string{m.Graph.Outputs[0].Name}, []string{"further"}
		m.Graph.Nodes = append(m.Graph.Nodes, n)
		m.Graph.Outputs = append(m.Graph.Outputs, &onnx.ValueInfo{Name: "further", Type: m.Graph.Outputs[0].Type})
	}
	c := checked(t, edited(t, func(m *onnx.Model) { further(m, &onnx.Node{OpType: "Cos"}) }), CheckOptions{})
	if c.Way != "fused" || len(c.Outputs) != 3 || c.Outputs[2].Name != "further" || c.Outputs[2].MaxAbs == 0 {
		t.Errorf("%+v", c)
	}
	c = checked(t, edited(t, func(m *onnx.Model) {
		to := &onnx.Attribute{Name: "to", Type: onnx.AttrInt, I: int64(onnx.Int64)}
		whole := &onnx.Node{OpType: "Cast", Inputs: []string{m.Graph.Outputs[0].Name}, Outputs: []string{"whole"}, Attributes: []*onnx.Attribute{to}}
		m.Graph.Nodes = append(m.Graph.Nodes, whole, &onnx.Node{OpType: "Pow", Inputs: []string{"whole", "whole"}, Outputs: []string{"further"}})
		m.Graph.Outputs = append(m.Graph.Outputs, &onnx.ValueInfo{Name: "further"})
	}), CheckOptions{})
	if c.Way != "fused" || len(c.Outputs) != 2 || !strings.Contains(c.Reason, "no arithmetic of integers") {
		t.Errorf("%+v", c)
	}
}

// A file may fix the sizes of its inputs, which recognition refuses.
func TestCheckTakesFixedSizes(t *testing.T) {
	needRuntime(t)
	path := edited(t, func(m *onnx.Model) {
		for _, in := range m.Graph.Inputs {
			in.Type.Tensor.Shape.Dims[0] = onnx.FixedDim(2)
			in.Type.Tensor.Shape.Dims[1] = onnx.FixedDim(16)
		}
	})
	if c := checked(t, path, CheckOptions{}); c.Way != "node by node" || !strings.Contains(c.Reason, "fixed size") {
		t.Errorf("%+v", c)
	}
}

// The sine of large multiples of a result tells its last digits, in which two orders of adding differ.
func TestCheckTellsADifference(t *testing.T) {
	needRuntime(t)
	path := edited(t, func(m *onnx.Model) {
		factor, err := onnx.NewTensor("factor", nil, []float32{1e6})
		if err != nil {
			t.Fatal(err)
		}
		m.Graph.Initializers = append(m.Graph.Initializers, factor)
		insert(&onnx.Node{OpType: "Mul", Inputs: []string{"factor"}}, &onnx.Node{OpType: "Sin"})(m)
	})
	c, err := RunCheck(context.Background(), path, CheckOptions{})
	if err == nil || c.Status != "different" || c.MaxRel < 1e-4 || c.Reason != err.Error() {
		t.Errorf("error %v, %+v", err, c)
	}
}

func TestCheckRefusesBrokenModels(t *testing.T) {
	whole, err := os.ReadFile(edited(t, func(*onnx.Model) {}))
	if err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"no such file":         filepath.Join(t.TempDir(), "none.onnx"),
		"an empty folder":      t.TempDir(),
		"an empty file":        textFile(t, "model.onnx", ""),
		"text":                 textFile(t, "model.onnx", "this is no model"),
		"half a model":         textFile(t, "model.onnx", string(whole[:len(whole)/2])),
		"an unknown operator":  edited(t, insert(&onnx.Node{OpType: "Wiggle"})),
		"a cycle":              edited(t, func(m *onnx.Model) { m.Graph.Nodes[30].Inputs[0] = m.Graph.Nodes[30].Outputs[0] }),
		"a node without input": edited(t, func(m *onnx.Model) { m.Graph.Nodes[30].Inputs = nil }),
		"no outputs":           edited(t, func(m *onnx.Model) { m.Graph.Outputs = nil }),
		"an unknown input":     edited(t, func(m *onnx.Model) { m.Graph.Inputs[1].Name = "pixels" }),
		"an input of no type":  edited(t, func(m *onnx.Model) { m.Graph.Inputs[0].Type = nil }),
		"an enormous input":    edited(t, func(m *onnx.Model) { m.Graph.Inputs[0].Type.Tensor.Shape.Dims[0] = onnx.FixedDim(1 << 40) }),
	} {
		c, err := RunCheck(context.Background(), path, everything)
		if err == nil || c == nil || c.Status != "refused" || c.Reason != err.Error() {
			t.Errorf("%s: error %v, %+v", name, err, c)
		}
	}
}

func TestCheckTellsWhatOnnxruntimeRefuses(t *testing.T) {
	needRuntime(t)
	path := edited(t, func(m *onnx.Model) { m.IRVersion = 99 })
	c, err := RunCheck(context.Background(), path, CheckOptions{})
	if err == nil || c.Status != "refused" || !strings.Contains(c.Reason, "onnxruntime refuses the model") {
		t.Errorf("error %v, %+v", err, c)
	}
}

func TestChecksStopWhenTheirContextEnds(t *testing.T) {
	needRuntime(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := RunCheck(ctx, tiny(t), CheckOptions{}); err == nil {
		t.Error("it runs on")
	}
}

// The JSON has its keys, and holds no number that JSON cannot.
func TestChecksAreJSON(t *testing.T) {
	far := parity.Difference{Abs: math.Inf(1)}
	c := &Check{Status: "different", Outputs: []CheckValue{valueOf("y", far)}, Tolerance: 1e-4}
	if err := c.judge(); err == nil || c.Status != "different" {
		t.Errorf("an infinite difference is %s, %v", c.Status, err)
	}
	refused, _ := RunCheck(context.Background(), filepath.Join(t.TempDir(), "none.onnx"), CheckOptions{})
	for _, c := range []*Check{c, refused} {
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"path", "status", "way", "max_abs", "max_rel", "reason", "outputs"} {
			if got[key] == nil {
				t.Errorf("%s has no %s", b, key)
			}
		}
	}
}

// In the hub's cache the files of a model are links to files of other names; external data lies in one of them.
func TestChecksReadTheHubsCache(t *testing.T) {
	needRuntime(t)
	cache := t.TempDir()
	for _, d := range []string{"blobs", "snapshots/1"} {
		if err := os.MkdirAll(filepath.Join(cache, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var data []byte
	path := edited(t, func(m *onnx.Model) {
		for i, w := range m.Graph.Initializers {
			b, err := w.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			at := onnx.External{Location: "model.onnx_data", Offset: int64(len(data)), Length: int64(len(b))}
			if len(b) < 1024 {
				continue
			}
			data = append(data, b...)
			if m.Graph.Initializers[i], err = onnx.NewExternalTensor(w.Name, w.Type, w.Dims, at); err != nil {
				t.Fatal(err)
			}
		}
	})
	model, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"model.onnx": model, "model.onnx_data": data} {
		blob := filepath.Join("blobs", fmt.Sprintf("%x", sha256.Sum256(b)))
		if err := os.WriteFile(filepath.Join(cache, blob), b, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join("..", "..", blob), filepath.Join(cache, "snapshots", "1", name)); err != nil {
			t.Skip("no symbolic links here:", err)
		}
	}
	if c := checked(t, filepath.Join(cache, "snapshots", "1"), everything); c.Export == nil || c.Slotted == nil {
		t.Errorf("%+v", c)
	}
}
