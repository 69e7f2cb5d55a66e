package importer_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/internal/safetensors"
)

// Every weight of the encoders that scripts/architectures.py wrote to the folder that GRAFT_ARCHITECTURES names has the
// name and the values that the state dict beside it has, but where a tool has dropped the names. It tells how many encoders
// are recognised.
func TestNamesInArchitectures(t *testing.T) {
	root := os.Getenv("GRAFT_ARCHITECTURES")
	if root == "" {
		t.Skip("GRAFT_ARCHITECTURES names no folder of encoders")
	}
	files, err := filepath.Glob(filepath.Join(root, "*", "*", "model.onnx"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there is no encoder below %s: %v", root, err)
	}
	recognised := 0
	for _, file := range files {
		dir := filepath.Dir(file)
		name, _ := filepath.Rel(root, dir)
		m, err := importer.Open(file)
		if err != nil {
			continue
		}
		recognised++
		if !strings.HasSuffix(dir, "-nameless") {
			t.Run(name, func(t *testing.T) { sameNames(t, m, filepath.Join(dir, "model.safetensors")) })
		}
		m.Close()
	}
	t.Logf("%d of %d are recognised", recognised, len(files))
}

// sameNames checks the names and values of a model's weights against a state dict.
func sameNames(t *testing.T, m *importer.Model, file string) {
	f, err := safetensors.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range m.Ops {
		l, linear := o.(*importer.Linear)
		for _, w := range weightsOf(m.Encoder, o) {
			x, err := f.Get(w.Name)
			if err != nil {
				t.Errorf("the state dict has no %q, of shape %v", w.Name, w.Shape)
				continue
			}
			want, err := x.Float32s()
			if err != nil {
				t.Fatal(err)
			}
			got, err := w.Float32s()
			if err != nil {
				t.Fatal(err)
			}
			shape := slices.Clone(w.Shape)
			if linear && w == l.W && !l.Trans {
				got = turned(got, w.Shape[0], w.Shape[1])
				slices.Reverse(shape)
			}
			// Half precision keeps 11 bits, int8 a 256th of the largest of a matrix.
			tolerance := 0.0
			if strings.Contains(file, "fp16") {
				tolerance = 1e-3
			} else if strings.Contains(file, "int8") {
				tolerance = 2e-2
			}
			if len(got) != len(want) || !slices.Equal(shape, x.Shape) {
				t.Errorf("%q is %v, want %v", w.Name, shape, x.Shape)
			} else if d := largest(got, want); d > tolerance {
				t.Errorf("%q differs by %g", w.Name, d)
			}
		}
	}
}

// weightsOf are the weights of an operation of an encoder.
func weightsOf(e *importer.Encoder, o importer.Op) []*importer.Weight {
	return e.WeightsOf(importer.Value(slices.Index(e.Ops, o)))
}
