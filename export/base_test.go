package export_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/export"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/internal/testutil"
	"github.com/seed-aefebe89/graft/internal/testutil/sharing"
)

// A primed base reads back with the trained values and everything else as it was, whether the original keeps its
// weights inside, in another file, or in half precision.
func TestPrimedBaseKeepsTheLayout(t *testing.T) {
	for _, elem := range [][]string{
		{"bert", "model.opset11.eager.onnx"}, {"bert", "variants", "model.opset17.external.onnx"}, {"bert", "variants", "model.opset17.f16w.onnx"},
	} {
		t.Run(elem[len(elem)-1], func(t *testing.T) {
			path := testutil.Shared(t, append([]string{"fixtures", "onnx"}, elem...)...)
			m, err := importer.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			trained := map[*importer.Weight][]float32{}
			for i, w := range m.Weights {
				if i%3 == 1 {
					x, err := w.Tensor.Float32s()
					if err != nil {
						t.Fatal(err)
					}
					y := make([]float32, len(x))
					for k := range y {
						y[k] = x[k] + float32(k%7)*0.001
					}
					trained[w] = y
				}
			}
			dir := filepath.Join(t.TempDir(), "primed")
			if err := export.WriteBase(dir, m, trained); err != nil {
				t.Fatal(err)
			}
			got, err := importer.Open(filepath.Join(dir, filepath.Base(path)))
			if err != nil {
				t.Fatal(err)
			}
			defer got.Close()
			if len(got.Weights) != len(m.Weights) {
				t.Fatalf("%d weights, want %d", len(got.Weights), len(m.Weights))
			}
			for i, w := range m.Weights {
				want, ok := trained[w]
				if !ok {
					if want, err = w.Tensor.Float32s(); err != nil {
						t.Fatal(err)
					}
				}
				if ok != (strings.Contains(path, "f16w") && got.Weights[i].Tensor.Type != w.Tensor.Type) && strings.Contains(path, "f16w") {
					t.Errorf("%s has type %v, was %v, trained %t", w.Name, got.Weights[i].Tensor.Type, w.Tensor.Type, ok)
				}
				x, err := got.Weights[i].Tensor.Float32s()
				if err != nil {
					t.Fatal(err)
				}
				for k := range want {
					if x[k] != want[k] {
						t.Fatalf("%s[%d] is %v, want %v", w.Name, k, x[k], want[k])
					}
				}
			}
			_, err = os.Stat(filepath.Join(dir, "model.opset17.external.bin"))
			if external := strings.Contains(path, "external"); external != (err == nil) {
				t.Errorf("external data %t, want %t", err == nil, external)
			}
		})
	}
}

// Where layers share a weight that the file holds several times, all of its copies are trained.
func TestPrimedBaseKeepsCopiesEqual(t *testing.T) {
	m, err := importer.Open(sharing.Copied(t, testutil.Shared(t, "fixtures", "onnx", "albert", "model.opset17.sdpa.onnx")))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	trained, copies := map[*importer.Weight][]float32{}, 0
	for _, w := range m.Weights {
		n, err := w.Tensor.Len()
		if err != nil {
			t.Fatal(err)
		}
		trained[w] = make([]float32, n)
		trained[w][0] = 7
		copies += len(w.Copies)
	}
	if copies == 0 {
		t.Fatal("no weight has copies")
	}
	dir := filepath.Join(t.TempDir(), "primed")
	if err := export.WriteBase(dir, m, trained); err != nil {
		t.Fatal(err)
	}
	got, err := importer.Open(filepath.Join(dir, filepath.Base(m.Path)))
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	for _, w := range m.Weights {
		for _, c := range append(w.Copies, w.Tensor) {
			x, err := got.File.Graph.Initializer(c.Name).Float32s()
			if err != nil {
				t.Fatal(err)
			}
			if x[0] != 7 {
				t.Errorf("%s of %s was not trained", c.Name, w.Name)
			}
		}
	}
}

func TestABaseIsNeverWrittenOverItself(t *testing.T) {
	m, err := importer.Open(testutil.Shared(t, "fixtures", "onnx", "bert", "model.opset11.eager.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := export.WriteBase(m.Dir, m, nil); err == nil || !strings.Contains(err.Error(), "own folder") {
		t.Errorf("error %v", err)
	}
}
