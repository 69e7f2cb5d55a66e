package importer_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/seed-aefebe89/graft/export"
	"github.com/seed-aefebe89/graft/export/ort"
	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/cpu"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/random"
	"github.com/seed-aefebe89/graft/internal/parity"
)

// Large is the environment variable that has tests write files of gigabytes.
const Large = "GRAFT_LARGE"

// huge writes a model of more than 2 GiB, whose weights lie in two other files, mostly holes, and returns its path.
func huge(t *testing.T) string {
	t.Helper()
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
	return path
}

// A model of more than 2 GiB is imported, digested and exported with a trained delta, which runs in onnxruntime; all of it
// in little memory beside the mapped files.
func TestModelsOverTwoGigabytes(t *testing.T) {
	m, err := importer.Open(huge(t))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	checkLayers(t, m.Encoder, 1)
	places := graph.Places(m.Encoder)
	runtime.GC()
	was, start := private(t), time.Now()
	digest, err := export.DigestOf(m.File.Model)
	if err != nil {
		t.Fatal(err)
	}
	more := private(t) - was
	t.Logf("its digest takes %v and %d KB of private memory", time.Since(start), more>>10)
	if more > 16<<20 {
		t.Errorf("digesting takes %d bytes", more)
	}
	layer := m.Layers[0]
	method := peft.LoRA{R: 4, Alpha: 8, Targets: []string{m.Ops[layer.Query].(*importer.Linear).Module(), m.Ops[layer.Value].(*importer.Linear).Module()}}
	p, err := graph.NewParams(m, method, 3, 1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, ks := context.Background(), []kernel.Kernels{cpu.New()}
	seqs := []*graph.Sequence{{IDs: []int32{1, 1<<20 - 1, 7}, Targets: []int32{0, 2, 1}}, {IDs: []int32{1 << 19}, Targets: []int32{1}}}
	if err := parity.Exaggerate(ctx, p, ks, seqs); err != nil {
		t.Fatal(err)
	}
	want, err := graph.NewTagger(p, ks).Logits(ctx, seqs)
	if err != nil {
		t.Fatal(err)
	}
	d := &export.Delta{Name: "step", Method: method, Labels: []string{"a", "b", "c"}}
	for _, q := range p.Of(graph.Adapter, graph.Head) {
		d.Tensors = append(d.Tensors, export.Tensor{Name: q.Name, Shape: q.Shape, Data: q.Data})
	}
	dir := t.TempDir()
	f, err := export.WriteFolder(dir, m, places, digest, []*export.Delta{d})
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(f.Slotted()); err != nil || st.Size() > 1<<20 {
		t.Errorf("the slotted graph: %v, %v", st, err)
	}
	needRuntime(t)
	s, err := ort.OpenFolder(f, "step", 3, "", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got, err := s.Logits(ctx, [][]int32{seqs[0].IDs, seqs[1].IDs}, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var diff parity.Difference
	for i, x := range want {
		for k, v := range x {
			diff.Add(float64(v), float64(got[i][k]))
		}
	}
	if diff.Rel() > 1e-4 || diff.Top < 0.01 { // as in every comparison of float32 with onnxruntime
		t.Errorf("the logits differ by %.2g of %.2g", diff.Rel(), diff.Top)
	}
}

// A primed base of more than 2 GiB is written with its external data, in little memory.
func TestBasesOverTwoGigabytesAreWritten(t *testing.T) {
	if os.Getenv(Large) == "" {
		t.Skipf("writes 2.4 GB: set %s", Large)
	}
	m, err := importer.Open(huge(t))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	w := m.Ops[m.Layers[0].Query].(*importer.Linear).W
	trained := make([]float32, w.Shape[0]*w.Shape[1])
	for i := range trained {
		trained[i] = float32(i % 11)
	}
	runtime.GC()
	was := private(t)
	dir := t.TempDir()
	if err := export.WriteBase(dir, m, map[*importer.Weight][]float32{w: trained}); err != nil {
		t.Fatal(err)
	}
	if more := private(t) - was; more > 64<<20 {
		t.Errorf("writing takes %d bytes of private memory", more)
	}
	again, err := importer.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if got, err := again.Ops[again.Layers[0].Query].(*importer.Linear).W.Float32s(); err != nil || !slices.Equal(got, trained) {
		t.Errorf("what was trained is not kept: %v", err)
	}
	original, err := export.DigestOf(m.File.Model)
	if err != nil {
		t.Fatal(err)
	}
	is, err := export.DigestOf(again.File.Model)
	if err != nil {
		t.Fatal(err)
	}
	differ := 0
	for name, sum := range original.Tensors {
		differ += b2i(is.Tensors[name] != sum)
	}
	if differ != 1 || original.Graph != is.Graph {
		t.Errorf("%d tensors differ, want the trained one alone", differ)
	}
}
