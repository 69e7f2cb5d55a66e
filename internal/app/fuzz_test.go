package app

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-aefebe89/graft/export"
	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel/cpu"
	"github.com/seed-aefebe89/graft/graph/lower"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/random"
	"github.com/seed-aefebe89/graft/internal/parity"
)

// fuzzSeeds are the least encoders of some opsets.
func fuzzSeeds(f *testing.F) (out [][]byte) {
	least := random.Config{VocabSize: 8, HiddenSize: 4, NumHiddenLayers: 1, NumAttentionHeads: 2, IntermediateSize: 4,
		MaxPositionEmbeddings: 32}
	add := func(m *onnx.Model, err error) {
		if err != nil {
			f.Fatal(err)
		}
		b, err := m.Encode()
		if err != nil {
			f.Fatal(err)
		}
		out = append(out, b)
	}
	for _, opset := range []int{11, 13, 17, 20} {
		least.Opset = opset
		add(random.Encoder(uint64(opset), least))
	}
	least.Opset = 17
	add(random.Disentangled(3, least, random.Relative{Buckets: 2}))
	add(random.Twisted(3, least, random.Twist{Distances: true, Temperature: true, Scaled: true, Gate: true}))
	return out
}

// FuzzRun takes the bytes of a model all the way: imported, run on batches, trained for a step, given its slots; or node by
// node. There is an error or a result, and nothing panics or hangs.
func FuzzRun(f *testing.F) {
	for _, b := range fuzzSeeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<16 {
			return
		}
		path := filepath.Join(t.TempDir(), "model.onnx")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		m, err := importer.Map(path)
		if err != nil {
			return
		}
		defer m.Close()
		ctx := context.Background()
		c := &Check{model: m, options: CheckOptions{Seed: 1}, kernels: Threads(1)}
		if c.plain, err = importer.Dequantised(m.File.Model); err != nil {
			return
		}
		batches, err := c.batches()
		if err != nil {
			return
		}
		if m.Import() != nil || m.Padded != nil {
			if !nodeByNode(ctx, m, batches[0]) || m.Encoder == nil || graph.Builds(m) != nil {
				return
			}
		}
		p, err := c.lora()
		if err != nil {
			return
		}
		for _, w := range append(p.Base, p.Of(graph.Adapter, graph.Head)...) {
			if w.Size() > 1<<16 {
				return
			}
		}
		for _, x := range batches {
			if _, err := graph.NewProbe(p, c.kernels).Probe(ctx, x.seqs); err != nil {
				return
			}
		}
		if err := parity.Exaggerate(ctx, p, c.kernels, batches[0].seqs); err != nil {
			return
		}
		s, err := export.NewSlotted(m, graph.Places(m.Encoder), export.SlotOptions{})
		if err != nil {
			return
		}
		slotted, err := s.Model.Encode()
		if err != nil {
			return
		}
		if _, err := onnx.Decode(slotted); err != nil {
			t.Errorf("the slotted graph does not decode: %v", err)
		}
	})
}

// nodeByNode runs what is small, and tells whether it did.
func nodeByNode(ctx context.Context, m *importer.Model, b *checkBatch) bool {
	n, err := importer.NewNodewise(m.File.Model)
	if err != nil {
		return false
	}
	if _, err := builds(n, b); err != nil {
		return false
	}
	s, err := lower.NewSession(n, cpu.New(), b.inputs)
	if err != nil || s.Program.Bound(1<<18) != nil {
		return false
	}
	_, err = s.Run(ctx, b.inputs)
	return err == nil
}
