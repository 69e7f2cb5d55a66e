package onnx_test

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/internal/orttest"
	"github.com/seed-aefebe89/graft/importer/onnx/random"
	"github.com/seed-aefebe89/graft/internal/testutil"
)

// rewrite encodes the model at path into a new folder, with its external data beside it, and returns the new path.
func rewrite(t *testing.T, path string) string {
	t.Helper()
	f, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dir := t.TempDir()
	for _, x := range f.Tensors() {
		if x.External == nil {
			continue
		}
		b, err := os.ReadFile(filepath.Join(f.Dir(), x.External.Location))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, x.External.Location), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, err := os.Create(filepath.Join(dir, filepath.Base(path)))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := f.WriteTo(out); err != nil {
		t.Fatal(err)
	}
	return out.Name()
}

// message is an error's text without the path in it.
func message(err error, path string) string {
	if err == nil {
		return ""
	}
	return strings.ReplaceAll(err.Error(), path, "model")
}

func TestOnnxruntimeTakesRewrittenEdgeCasesAsTheOriginals(t *testing.T) {
	orttest.Require(t)
	paths, err := filepath.Glob("testdata/edge/*.onnx")
	if err != nil || len(paths) == 0 {
		t.Fatal("no edge cases", err)
	}
	for _, path := range paths {
		again := rewrite(t, path)
		if was, is := message(orttest.Load(path), path), message(orttest.Load(again), again); was != is {
			t.Errorf("%s: the original gave %q, the rewritten model %q", path, was, is)
		}
	}
}

func TestOnnxruntimeComputesTheSameFromRewrittenEncoders(t *testing.T) {
	orttest.Require(t)
	for _, folder := range []string{"fixtures/onnx", "fixtures/onnx-tools", "models"} {
		root := testutil.Shared(t, filepath.FromSlash(folder))
		err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".onnx") {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			if testing.Short() && info.Size() > 1<<20 {
				return nil
			}
			name, _ := filepath.Rel(root, path)
			t.Run(folder+"/"+filepath.ToSlash(name), func(t *testing.T) { compareRuns(t, path) })
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func compareRuns(t *testing.T, path string) {
	again := rewrite(t, path)
	in := orttest.Inputs(400, 13)
	was, wasErr := orttest.Run(path, 2, 13, in)
	is, isErr := orttest.Run(again, 2, 13, in)
	if message(wasErr, path) != message(isErr, again) {
		t.Fatalf("the original gave %v, the rewritten model %v", wasErr, isErr)
	}
	if wasErr == nil && len(was) == 0 {
		t.Error("no outputs")
	}
	if !reflect.DeepEqual(was, is) {
		t.Error("the outputs differ")
	}
	if wasErr != nil {
		t.Logf("refused alike: %v", wasErr)
	}
}

// A slotted graph is such a model: small, its external data pointing into the file of another one.
func TestOnnxruntimeReadsExternalDataAtTheLocationsOfAnotherModel(t *testing.T) {
	dir := t.TempDir()
	if err := random.Folder(dir, 5, random.Config{}); err != nil {
		t.Fatal(err)
	}
	f, err := onnx.Open(filepath.Join(dir, "model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	small, graph := *f.Model, *f.Graph
	small.Graph, graph.Initializers = &graph, nil
	for _, x := range f.Graph.Initializers {
		at, ok := x.Location()
		if !ok {
			t.Fatalf("%v has no location", x)
		}
		place := onnx.External{Location: filepath.Base(at.File), Offset: at.Offset, Length: at.Length}
		y, err := onnx.NewExternalTensor(x.Name, x.Type, x.Dims, place)
		if err != nil {
			t.Fatal(err)
		}
		graph.Initializers = append(graph.Initializers, y)
	}
	b, err := small.Encode()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "small.onnx")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	g, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	for i, x := range f.Graph.Initializers {
		want, err := x.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := g.Graph.Initializers[i].Bytes(); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v holds other elements (%v)", x, err)
		}
	}
	t.Run("run", func(t *testing.T) {
		orttest.Require(t)
		in := orttest.Inputs(500, 9)
		want, err := orttest.Run(f.Path, 2, 9, in)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := orttest.Run(path, 2, 9, in); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("the outputs differ (%v)", err)
		}
	})
}
