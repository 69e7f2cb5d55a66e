package ort_test

import (
	"context"
	"testing"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/cpu"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/internal/parity"
	"github.com/seed-aefebe89/graft/internal/parity/exported"
)

// nodewise opens an encoder that is recognised as if it were not.
func nodewise(t *testing.T, path string) *importer.Model {
	t.Helper()
	m, err := importer.Map(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	if err := m.NodeByNode(); err != nil {
		t.Fatal(err)
	}
	return m
}

// nodewiseMethods are the methods for an encoder that runs node by node; LoRA is at every linear map.
func nodewiseMethods(m *importer.Model) map[string]peft.Method {
	var targets []string
	for _, p := range m.Padded.Maps {
		targets = append(targets, p.Module)
	}
	out := map[string]peft.Method{
		"lora": peft.LoRA{R: 4, Alpha: 9, Targets: targets},
		"top":  peft.Bottleneck{Where: peft.Top, Size: 6, Activation: kernel.GELU},
	}
	if len(m.Padded.Ends) > 0 {
		out["pfeiffer"] = peft.Bottleneck{Where: peft.LayerOutput, Size: 6, Activation: kernel.ReLU}
	}
	return out
}

// Law 1 without recognition (law 5).
func TestExportedIsTrainedNodeByNode(t *testing.T) {
	needRuntime(t)
	ctx := context.Background()
	worst := 0.0
	for _, enc := range encoders(t) {
		t.Run(enc.name, func(t *testing.T) {
			m := nodewise(t, enc.path)
			seqs, _ := sentences(m)
			t.Logf("%d maps, %d ends", len(m.Padded.Maps), len(m.Padded.Ends))
			for name, method := range nodewiseMethods(m) {
				p, err := graph.NewParams(m, method, 5, 3)
				if err != nil {
					t.Fatal(err)
				}
				ks := []kernel.Kernels{cpu.New(), cpu.New()}
				if err := parity.Exaggerate(ctx, p, ks, seqs); err != nil {
					t.Fatal(err)
				}
				diff, err := exported.Parity(ctx, p, delta(p, "test"), ks, seqs, quantised(enc))
				if err != nil {
					t.Fatal(err)
				}
				worst = max(worst, diff.Rel())
				if !(diff.Rel() <= tolerance(enc)) || diff.Top < 0.1 {
					t.Errorf("%s: the logits differ by %.2g of %.2g", name, diff.Abs, diff.Top)
				}
			}
		})
	}
	t.Logf("largest difference %.2g of the largest logit", worst)
}
