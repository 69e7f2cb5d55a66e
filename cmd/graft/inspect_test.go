package main

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/export/ort"
	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/build"
	"github.com/seed-aefebe89/graft/internal/app"
)

func TestInspectTakesAFileWithoutAConfiguration(t *testing.T) {
	model, _ := folder(t)
	whole := inspected(t, model)
	alone := filepath.Join(t.TempDir(), "encoder.onnx")
	b, err := os.ReadFile(filepath.Join(model, "model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, alone, string(b))
	r := inspected(t, alone)
	if r.ModelType != "" || whole.ModelType != "bert" {
		t.Errorf("the types are %q and %q", r.ModelType, whole.ModelType)
	}
	if r.Layers != 2 || r.HiddenSize != 32 || r.SHA256 != whole.SHA256 || !slices.Equal(r.Places, whole.Places) || r.Parameters != whole.Parameters {
		t.Errorf("without a configuration %+v, with it %+v", r, whole)
	}
	if r.Fused["MatMul"] == 0 || r.Fused["MatMul"] > r.Operators["MatMul"] || len(r.Unsupported) > 0 {
		t.Errorf("fused %v of %v, unsupported %v", r.Fused, r.Operators, r.Unsupported)
	}
}

func inspected(t *testing.T, model string) app.Inspection {
	t.Helper()
	var r app.Inspection
	if err := json.Unmarshal([]byte(must(t, "inspect", "--json", model)), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestARefusedModelIsDescribedAsFarAsItsFileTells(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.onnx")
	in, err := build.Info("input_ids", onnx.Int64, "batch", "sequence")
	if err != nil {
		t.Fatal(err)
	}
	y, err := build.Info("c", onnx.Float, "batch", "sequence")
	if err != nil {
		t.Fatal(err)
	}
	g := &onnx.Graph{Name: "g", Inputs: []*onnx.ValueInfo{in}, Outputs: []*onnx.ValueInfo{y}, Nodes: []*onnx.Node{
		{OpType: "Wiggle", Inputs: []string{"input_ids"}, Outputs: []string{"a"}},
		{OpType: "Wiggle", Domain: "org.example", Inputs: []string{"a"}, Outputs: []string{"b"}},
		{OpType: "Neg", Inputs: []string{"b"}, Outputs: []string{"c"}},
	}}
	m := &onnx.Model{IRVersion: 8, ProducerName: "hand", OpsetImport: []onnx.OperatorSet{{Version: 14}, {Domain: "org.example", Version: 1}}, Graph: g}
	write(t, path, string(encoded(t, m)))
	out, err := graft("inspect", "--json", path)
	if err == nil || !strings.Contains(err.Error(), "Wiggle") {
		t.Fatalf("error %v", err)
	}
	var r app.Inspection
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if r.Refused != err.Error() || r.Exporter != "hand" || len(r.Unsupported) != 2 || r.Unsupported["Wiggle"] != 1 || r.Unsupported["org.example.Wiggle"] != 1 ||
		r.Operators["Neg"] != 1 || r.SHA256 == "" {
		t.Errorf("inspect prints %s", out)
	}
	if out, err := graft("inspect", path); err == nil || !strings.Contains(out, "unsupported") || strings.Contains(out, "places") {
		t.Errorf("inspect prints %s, %v", out, err)
	}
	if _, err := graft("inspect", "--svg", "-", path); err == nil {
		t.Error("a refused model was drawn")
	}
}

func TestInspectDraws(t *testing.T) {
	model, _ := folder(t)
	svg, dot := filepath.Join(t.TempDir(), "a.svg"), filepath.Join(t.TempDir(), "a.dot")
	must(t, "inspect", "--svg", svg, "--dot", dot, model)
	b, err := os.ReadFile(svg)
	if err != nil {
		t.Fatal(err)
	}
	if out := must(t, "inspect", "--svg", "-", model); out != string(b) {
		t.Error("the picture on standard output is another one")
	}
	if !strings.Contains(string(b), ">2 ×<") {
		t.Errorf("two equal layers are not drawn once: %s", b)
	}
	for d := xml.NewDecoder(strings.NewReader(string(b))); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if b, err := os.ReadFile(dot); err != nil || !strings.HasPrefix(string(b), "digraph") {
		t.Errorf("%v: %s", err, b)
	}
}

func TestInspectChecksAModel(t *testing.T) {
	if err := ort.Load(); err != nil {
		t.Skip(err)
	}
	model, _ := folder(t)
	out := must(t, "inspect", "--check", "--gradients", "--export-check", model)
	for _, want := range []string{"equal", "fused", "last_hidden_state", "layer 1", "lora_", "logits"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	var r app.Check
	if err := json.Unmarshal([]byte(must(t, "inspect", "--check", "--json", "--seed", "8", model)), &r); err != nil {
		t.Fatal(err)
	}
	if r.Status != "equal" || r.Way != "fused" || len(r.Outputs) != 2 || r.MaxRel > 1e-4 || r.MaxRel == 0 || r.Gradients != nil {
		t.Errorf("%+v", r)
	}
	broken := filepath.Join(t.TempDir(), "model.onnx")
	write(t, broken, "no model")
	out, err := graft("inspect", "--check", "--json", broken)
	if err == nil {
		t.Error("a broken model passes")
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.Status != "refused" || r.Reason == "" {
		t.Errorf("%v: %s", err, out)
	}
	for _, args := range [][]string{{"--gradients"}, {"--export-check"}, {"--check", "--svg", "-"}, {"--check", "--places"}} {
		if _, err := graft(append(append([]string{"inspect"}, args...), model)...); err == nil {
			t.Errorf("inspect %v runs", args)
		}
	}
}

func TestInspectSaysWhatRunsNodeByNode(t *testing.T) {
	model, _ := folder(t)
	f, err := onnx.Open(filepath.Join(model, "model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	g := f.Graph
	hidden := g.Outputs[0].Name
	path := filepath.Join(model, "onnx", "model.onnx")
	add := func(op, out string) {
		g.Nodes = append(g.Nodes, &onnx.Node{OpType: op, Inputs: []string{g.Outputs[0].Name}, Outputs: []string{out}})
		g.Outputs = []*onnx.ValueInfo{{Name: out, Type: g.Outputs[0].Type}}
		write(t, path, string(encoded(t, f.Model)))
	}
	add("Sin", "sine")
	if err := os.Remove(filepath.Join(model, "model.onnx")); err != nil {
		t.Fatal(err)
	}
	out := must(t, "inspect", path)
	for _, want := range []string{"bert, hidden 32", "runs node by node, on padded batches", ", Sin 1", "sine", "lora, rank 8, query and value", "pfeiffer"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if _, err := graft("inspect", "--svg", "-", path); err == nil || !strings.Contains(err.Error(), "no blocks to draw") {
		t.Errorf("drawing it: %v", err)
	}
	if _, err := graft("bench", "--model", model, "--methods", "forward"); err == nil || !strings.Contains(err.Error(), "only encoders whose layers are recognised") {
		t.Errorf("measuring it: %v", err)
	}

	// Without a hidden state among its outputs, or below them, there is nothing to train.
	g.Nodes, g.Outputs[0] = g.Nodes[:len(g.Nodes)-1], &onnx.ValueInfo{Name: hidden, Type: g.Outputs[0].Type}
	if err := os.Remove(filepath.Join(model, "config.json")); err != nil {
		t.Fatal(err)
	}
	add("Sin", "logits")
	out, err = graft("inspect", path)
	if err == nil || !strings.Contains(err.Error(), "Sin") || !strings.Contains(err.Error(), "no output is a hidden state") ||
		!strings.Contains(out, "runs node by node, with --check alone") {
		t.Errorf("error %v and\n%s", err, out)
	}
	if out, err := graft("train", "--model", model, "--train", path, "--dev", path, "--out", t.TempDir()); err == nil ||
		!strings.Contains(err.Error(), "no output is a hidden state") {
		t.Errorf("training it: %v, %s", err, out)
	}
}
