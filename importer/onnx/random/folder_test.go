package random_test

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/internal/orttest"
	"github.com/seed-aefebe89/graft/importer/onnx/random"
)

func TestFolderHoldsTheModelAndItsConfiguration(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "encoders", "small")
	c := random.Config{VocabSize: 90, HiddenSize: 24, NumHiddenLayers: 5, NumAttentionHeads: 3, IntermediateSize: 40,
		MaxPositionEmbeddings: 33, TypeVocabSize: 1, NoPooler: true}
	if err := random.Folder(dir, 3, c); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "model.onnx")
	f, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for name, want := range map[string][]int64{
		"embeddings.word_embeddings.weight": {90, 24}, "embeddings.position_embeddings.weight": {33, 24},
		"embeddings.token_type_embeddings.weight": {1, 24}, "encoder.layer.4.intermediate.dense.bias": {40},
	} {
		if x := f.Graph.Initializer(name); x == nil || !slices.Equal(x.Dims, want) {
			t.Errorf("%s is %v, want %v", name, x, want)
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(b, &config); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"model_type": "bert", "vocab_size": 90., "hidden_size": 24., "num_hidden_layers": 5., "num_attention_heads": 3.,
		"intermediate_size": 40., "max_position_embeddings": 33., "type_vocab_size": 1.,
		"layer_norm_eps": 1e-12, "hidden_act": "gelu",
	} {
		if config[name] != want {
			t.Errorf("%s is %v, want %v", name, config[name], want)
		}
	}
	t.Run("runs", func(t *testing.T) {
		orttest.Require(t)
		in := orttest.Inputs(90, 33)
		clear(in["token_type_ids"])
		out, err := orttest.Run(path, 2, 33, in)
		if err != nil || len(out) != 1 || !slices.Equal(out["last_hidden_state"].Shape, []int64{2, 33, 24}) {
			t.Errorf("%v, %v", out, err)
		}
	})
}

func TestFolderReportsWhereItCannotWrite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := random.Folder(filepath.Join(file, "below"), 1, random.Config{}); err == nil {
		t.Error("no error for a folder below a file")
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "model.onnx"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := random.Folder(dir, 1, random.Config{}); err == nil {
		t.Error("no error where model.onnx is a folder")
	}
}

// The sizes of XLM-R base: 1.1 GB of weights.
func TestALargeEncoderIsWrittenInLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("draws 278 million numbers")
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	m, err := random.Encoder(1, random.Config{VocabSize: 250_002, HiddenSize: 768, NumHiddenLayers: 12,
		NumAttentionHeads: 12, IntermediateSize: 3072, MaxPositionEmbeddings: 514, TypeVocabSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	n, err := m.WriteTo(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if n < 4*278_043_648 { // the parameters that transformers counts for it
		t.Errorf("wrote %d bytes", n)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 32<<20 {
		t.Errorf("allocated %d bytes while writing %d", got, n)
	}
}
