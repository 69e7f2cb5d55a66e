package importer

import (
	"path/filepath"
	"testing"

	"github.com/seed-aefebe89/graft/internal/testutil"
)

func TestDump(t *testing.T) {
	for _, p := range []string{"fixtures/onnx/*/*.onnx", "fixtures/onnx/*/*/*.onnx", "fixtures/onnx-tools/*/*.onnx", "models/*/model.onnx", "models/*/onnx/model.onnx"} {
		fs, _ := filepath.Glob(testutil.Shared(t) + "/" + p)
		for _, f := range fs {
			m, err := Open(f)
			if err != nil {
				s := err.Error()
				t.Log("ERR", s[:min(len(s), 300)])
				continue
			}
			t.Log(f, len(m.Ops), len(m.Weights), len(m.Layers), m.Hidden, m.Outputs)
			m.Close()
		}
	}
}
