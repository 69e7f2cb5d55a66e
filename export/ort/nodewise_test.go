package ort_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/cpu"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx/random"
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

// unrecognised are encoders with twists, alone and together, of an opset before functions of one node and one after.
func unrecognised(t *testing.T) (out []encoder) {
	t.Helper()
	for name, twist := range map[string]random.Twist{
		"distances": {Distances: true}, "temperature": {Temperature: true}, "scaled": {Scaled: true}, "gate": {Gate: true},
		"all": {Distances: true, Temperature: true, Scaled: true, Gate: true},
	} {
		for _, opset := range []int{12, 17} {
			m, err := random.Twisted(5, random.Config{NumHiddenLayers: 2, Opset: opset}, twist)
			if err != nil {
				t.Fatal(err)
			}
			b, err := m.Encode()
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "model.onnx")
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
			out = append(out, encoder{fmt.Sprintf("%s/opset%d", name, opset), path})
		}
	}
	return out
}

// Law 1 where nothing is recognised (law 5).
func TestExportedIsTrainedOfEncodersThatAreNotRecognised(t *testing.T) {
	needRuntime(t)
	for _, enc := range unrecognised(t) {
		t.Run(enc.name, func(t *testing.T) {
			m, err := importer.Open(enc.path)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			if m.Padded == nil {
				t.Fatal("it is recognised")
			}
			if len(m.Padded.Maps) != 12 || len(m.Padded.Ends) != 2 {
				t.Errorf("maps %v, ends %v", m.Padded.Maps, m.Padded.Ends)
			}
			exportedIsTrained(t, enc, m)
			slottedIsTheBase(t, enc, m)
		})
	}
}

// The same of encoders that are recognised, as if they were not: one of each family that the repository has, and all
// files, the shared ones too, where GRAFT_PARITY says "all".
func TestExportedIsTrainedNodeByNode(t *testing.T) {
	needRuntime(t)
	seen := map[string]bool{}
	for _, enc := range encoders(t) {
		family := filepath.Dir(enc.name)
		if os.Getenv("GRAFT_PARITY") != "all" && (seen[family] || !slices.Contains([]string{"random", "disentangled", "encoders"},
			strings.Split(family, "/")[0])) || strings.Contains(enc.name, "e5-small") {
			continue
		}
		seen[family] = true
		t.Run(enc.name, func(t *testing.T) {
			m := nodewise(t, enc.path)
			exportedIsTrained(t, enc, m)
			slottedIsTheBase(t, enc, m)
		})
	}
}

// exportedIsTrained trains each method a step and holds onnxruntime's logits for the exported delta to ours.
func exportedIsTrained(t *testing.T, enc encoder, m *importer.Model) {
	ctx := context.Background()
	seqs, _ := sentences(m)
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
		t.Logf("%s: %.2g of the largest logit", name, diff.Rel())
		if !(diff.Rel() <= tolerance(enc)) || diff.Top < 0.1 {
			t.Errorf("%s: the logits differ by %.2g of %.2g", name, diff.Abs, diff.Top)
		}
	}
}
