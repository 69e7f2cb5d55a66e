package importer_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/export"
	"github.com/seed-aefebe89/graft/export/ort"
	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
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

// A model of more than 2 GiB keeps its weights in other files, here mostly holes of two. It is imported, gets its slots
// and runs in onnxruntime.
func TestModelsOverTwoGigabytes(t *testing.T) {
	if testing.Short() || math.MaxInt == math.MaxInt32 {
		t.Skip("runs a model of 2.4 GB")
	}
	dir := t.TempDir()
	m, err := random.Encoder(1, random.Config{VocabSize: 1 << 20, HiddenSize: 576, NumHiddenLayers: 1, NumAttentionHeads: 9,
		IntermediateSize: 1024, MaxPositionEmbeddings: 16})
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]int64
	for i, w := range m.Graph.Initializers {
		n, err := w.Len()
		if err != nil {
			t.Fatal(err)
		}
		if len(w.Dims) < 2 {
			continue
		}
		which := b2i(w.Name == "embeddings.word_embeddings.weight")
		at := onnx.External{Location: fmt.Sprintf("weights.%d.bin", which), Offset: ends[which], Length: int64(4 * n)}
		if m.Graph.Initializers[i], err = onnx.NewExternalTensor(w.Name, w.Type, w.Dims, at); err != nil {
			t.Fatal(err)
		}
		ends[which] += (at.Length + 4095) / 4096 * 4096
	}
	for i, size := range ends {
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("weights.%d.bin", i)))
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Truncate(size); err != nil {
			t.Skip("no sparse files here:", err)
		}
		f.Close()
	}
	if ends[1] < 1<<31 {
		t.Fatalf("the table has %d bytes", ends[1])
	}
	b, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "model.onnx")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	x, err := importer.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	checkLayers(t, x.Encoder, 1)
	slotted, err := export.NewSlotted(x, graph.Places(x.Encoder), export.SlotOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := slotted.Model.Encode(); err != nil || len(b) > 1<<20 {
		t.Errorf("the slotted graph has %d bytes, %v", len(b), err)
	}
	needRuntime(t)
	s, err := ort.Open(slotted.Model, ort.Options{Threads: 1, Folder: slotted.Folder, Outputs: []string{"last_hidden_state"}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out, err := s.Run(context.Background(), ort.Pad([][]int32{{1, 1<<20 - 1}}, nil, 0), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range out["last_hidden_state"].Data {
		if v != v {
			t.Fatal("it gives no numbers")
		}
	}
}
