package ort_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-aefebe89/graft/importer/onnx/random"
)

// disentangled are encoders with disentangled attention of every kind.
func disentangled(t *testing.T) []encoder {
	t.Helper()
	var out []encoder
	for _, c := range []struct {
		name  string
		opset int
		random.Relative
	}{
		{"shared maps", 13, random.Relative{}},
		{"own maps", 17, random.Relative{OwnMaps: true}},
		{"position keys alone", 17, random.Relative{NoQueries: true, Buckets: 5}},
		{"position queries alone", 14, random.Relative{NoKeys: true, OwnMaps: true}},
		{"plain embeddings of positions", 17, random.Relative{NoNorm: true}},
		{"an If", 20, random.Relative{Branches: true, Buckets: 14}},              // 28 rows
		{"zeros for padding", 16, random.Relative{TwiceZeros: true, Buckets: 7}}, // as many rows as a probe has tokens
		{"no relative positions", 17, random.Relative{NoKeys: true, NoQueries: true}},
	} {
		m, err := random.Disentangled(5, random.Config{NumHiddenLayers: 2, Opset: c.opset}, c.Relative)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "model.onnx")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.WriteTo(f); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		out = append(out, encoder{fmt.Sprintf("disentangled/%s/opset%d", c.name, c.opset), path})
	}
	return out
}
