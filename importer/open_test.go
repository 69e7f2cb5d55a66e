package importer_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx/random"
)

// folder writes a random encoder as Hugging Face lays it out.
func folder(tb testing.TB, c random.Config) string {
	tb.Helper()
	dir := tb.TempDir()
	if err := random.Folder(dir, 1, c); err != nil {
		tb.Fatal(err)
	}
	return dir
}

func TestOpenTakesFoldersAndFiles(t *testing.T) {
	dir := folder(t, small)
	nested := t.TempDir()
	if err := os.Mkdir(filepath.Join(nested, "onnx"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(dir, "model.onnx"), filepath.Join(nested, "onnx", "model.onnx")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, file string
		configured bool
	}{
		{dir, filepath.Join(dir, "model.onnx"), true},
		{filepath.Join(dir, "model.onnx"), filepath.Join(dir, "model.onnx"), true},
		{nested, filepath.Join(nested, "onnx", "model.onnx"), false},
	} {
		m, err := importer.Open(c.path)
		if err != nil {
			t.Fatal(err)
		}
		if m.Path != c.file || m.File.Path != c.file || (m.Config.NumHiddenLayers == 2) != c.configured || len(m.Layers) != 2 {
			t.Errorf("%s: %s, %+v", c.path, m.Path, m.Config)
		}
		if c.configured && (m.Config.ModelType != "bert" || m.Config.VocabSize != 40 || m.Config.HiddenSize != 12 ||
			m.Config.NumAttentionHeads != 3 || m.Config.IntermediateSize != 20 || m.Config.MaxPositionEmbeddings != 16) {
			t.Errorf("%+v", m.Config)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if _, err := m.Weights[0].Tensor.Float32s(); err == nil {
			t.Error("a weight can be read after Close")
		}
	}
}

func TestOpenNamesTheFileThatItCannotRead(t *testing.T) {
	good, err := os.ReadFile(filepath.Join(folder(t, small), "model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, b []byte) func(dir string) error {
		return func(dir string) error { return os.WriteFile(filepath.Join(dir, name), b, 0o644) }
	}
	for _, c := range []struct {
		name  string
		files []func(dir string) error
		open  string // in the folder
		want  string
	}{
		{"nothing", nil, "", "holds neither model.onnx nor"},
		{"files of other names", []func(string) error{write("a.onnx", good), write("b.onnx", good), write("c.txt", nil)}, "",
			"name one of its files: a.onnx, b.onnx"},
		{"no such file", nil, "model.onnx", "no such file"},
		{"an empty file", []func(string) error{write("model.onnx", nil)}, "", "model.onnx"},
		{"text", []func(string) error{write("model.onnx", []byte("version https://git-lfs.github.com/spec/v1\n"))}, "", "model.onnx"},
		{"a folder for the file", []func(string) error{func(dir string) error { return os.Mkdir(filepath.Join(dir, "model.onnx"), 0o755) }}, "",
			"holds neither"},
		{"a broken configuration", []func(string) error{write("model.onnx", good), write("config.json", []byte(`{"hidden_size": "x"}`))}, "",
			"config.json"},
		{"a configuration of nothing", []func(string) error{write("model.onnx", good), write("config.json", nil)}, "", "config.json"},
		{"a folder for the configuration", []func(string) error{write("model.onnx", good),
			func(dir string) error { return os.Mkdir(filepath.Join(dir, "config.json"), 0o755) }}, "", "config.json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, f := range c.files {
				if err := f(dir); err != nil {
					t.Fatal(err)
				}
			}
			m, err := importer.Open(filepath.Join(dir, c.open))
			if err == nil {
				m.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("%v, want an error of %s with %q", err, dir, c.want)
			}
		})
	}
}

// A download that ended early: an error at any length, never a panic, and never a smaller model.
func TestTruncatedFilesAreRefused(t *testing.T) {
	whole, err := os.ReadFile(filepath.Join(folder(t, small), "model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.onnx")
	for n := range 60 {
		at := n * len(whole) / 60
		if err := os.WriteFile(path, whole[:at], 0o644); err != nil {
			t.Fatal(err)
		}
		m, err := importer.Open(path)
		if err == nil {
			m.Close()
			t.Errorf("%d of %d bytes are a model", at, len(whole))
		} else if !strings.Contains(err.Error(), path) {
			t.Errorf("%d bytes: %v", at, err)
		}
	}
}

// An import costs memory for the graph, not for the weights: as much for a large vocabulary as for a small one.
func TestImportCopiesNoWeights(t *testing.T) {
	allocated := func(vocab int) uint64 {
		c := small
		c.VocabSize, c.HiddenSize, c.NumAttentionHeads = vocab, 96, 4
		dir := folder(t, c)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		m, err := importer.Open(dir)
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if n := len(m.Weights); n != len(expectedNames(small)) {
			t.Errorf("%d weights", n)
		}
		return after.TotalAlloc - before.TotalAlloc
	}
	little, much := allocated(100), allocated(100_000) // 38 MB of embeddings
	t.Logf("%d and %d bytes are allocated", little, much)
	if much > little+little/4+1<<16 || much > 8<<20 {
		t.Errorf("an import allocates %d bytes for 100 words and %d for 100,000", little, much)
	}
}
