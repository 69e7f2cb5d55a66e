// Package sharing makes models whose layers share weights, for tests.
package sharing

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// Copied writes a model whose layers share their weights as torch's dynamo exporter does: where the TorchScript exporter
// refers to a shared matrix by an Identity, each layer has a copy. It returns the path of the file,
// with the configuration beside it.
func Copied(t testing.TB, path string) string {
	t.Helper()
	f, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	f.Graph.Nodes = slices.DeleteFunc(f.Graph.Nodes, func(node *onnx.Node) bool {
		i := slices.IndexFunc(f.Graph.Initializers, func(x *onnx.Tensor) bool { return node.OpType == "Identity" && x.Name == node.Inputs[0] })
		if i >= 0 {
			c := *f.Graph.Initializers[i]
			c.Name = node.Outputs[0]
			f.Graph.Initializers = append(f.Graph.Initializers, &c)
			n++
		}
		return i >= 0
	})
	if n == 0 {
		t.Fatalf("%s shares no weights", path)
	}
	b, err := f.Model.Encode()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config, err := os.ReadFile(filepath.Join(filepath.Dir(path), "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"model.copies.onnx": b, "config.json": config} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "model.copies.onnx")
}
