package importer_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/export/ort"
	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx/random"
)

// base is an encoder of XLM-R base's size: 278 million random weights, 1.1 GB.
func base(tb testing.TB) string {
	tb.Helper()
	if testing.Short() {
		tb.Skip("writes a model of 1.1 GB")
	}
	dir := tb.TempDir()
	c := random.Config{VocabSize: 250002, HiddenSize: 768, NumHiddenLayers: 12, NumAttentionHeads: 12, IntermediateSize: 3072,
		MaxPositionEmbeddings: 514}
	if err := random.Folder(dir, 1, c); err != nil {
		tb.Fatal(err)
	}
	return filepath.Join(dir, "model.onnx")
}

// private is the memory in bytes that is this process's own: neither mapped files nor shared.
func private(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		t.Skip("no private memory is told here:", err)
	}
	n := 0
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "Private_Dirty:" {
			kb, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			n += kb << 10
		}
	}
	return n
}

// Importing costs the graph, not the weights, which stay in the mapped file.
func TestImportTakesLittleMemory(t *testing.T) {
	path := base(t)
	runtime.GC()
	was := private(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	m, err := importer.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	p, err := graph.NewParams(m, nil, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	more := private(t) - was
	t.Logf("%d bytes allocated, %d more are private, for %d weights", after.TotalAlloc-before.TotalAlloc, more, graph.Count(p.Base))
	if more > 64<<20 {
		t.Errorf("%d bytes of private memory", more)
	}
}

// BenchmarkImport and BenchmarkLoad compare our import to onnxruntime's session load of the same file.
func BenchmarkImport(b *testing.B) {
	path := base(b)
	for b.Loop() {
		m, err := importer.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := graph.NewParams(m, nil, 0, 1); err != nil {
			b.Fatal(err)
		}
		m.Close()
	}
}

func BenchmarkLoad(b *testing.B) {
	needRuntime(b)
	path := base(b)
	m, err := importer.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	for b.Loop() {
		s, err := ort.OpenFile(path, m.File.Model, ort.Options{Threads: 1})
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}
