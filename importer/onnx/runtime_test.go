package onnx_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/internal/orttest"
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
