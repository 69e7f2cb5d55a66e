//go:build gpu && cgo && linux

package graph_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx/random"
	"github.com/seed-aefebe89/graft/internal/testutil"
)

// Networks that run node by node come to the host's losses, gradients of adapters and of the base, logits and hidden
// states on a GPU.
func TestNodeByNodeOnAGPU(t *testing.T) {
	c, dir := random.Config{NumHiddenLayers: 2}, t.TempDir()
	if err := random.Folder(dir, 3, c); err != nil {
		t.Fatal(err)
	}
	file, err := random.Twisted(3, c, random.Twist{Distances: true, Temperature: true, Scaled: true, Gate: true})
	if err != nil {
		t.Fatal(err)
	}
	b, err := file.Encode()
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "model.onnx"), b, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	twisted, err := importer.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer twisted.Close()
	if twisted.Padded == nil {
		t.Fatal("the twisted encoder is recognised")
	}
	recognised := nodewise(t, filepath.Join(testutil.Root(t), "importer", "testdata", "encoders", "rembert", "model.opset17.onnx"))
	for name, m := range map[string]*importer.Model{"twisted": twisted, "rembert": recognised} {
		for _, method := range []peft.Method{
			peft.LoRA{R: 3, Alpha: 6, Targets: []string{"query", "value"}}, peft.Bottleneck{Where: peft.Top, Size: 5, Activation: kernel.GELU},
		} {
			t.Run(name+"/"+method.Name(), func(t *testing.T) {
				k := countReplays(aGPU(t))
				want := results(t, m, method, threads(1), true)
				got := results(t, m, method, []kernel.Kernels{k}, true)
				agreeAbove(t, got, want, 1e-2) // as in onAGPU
				if k.recorded == 0 || k.replayed < k.recorded {
					t.Errorf("%d recordings, %d replays", k.recorded, k.replayed)
				}
			})
		}
	}
}
