package app

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/export/ort"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/internal/atomicfile"
	"github.com/seed-aefebe89/graft/internal/testutil"
)

// strange are the edge cases that graft does not run, and what it says of them; of one onnxruntime says the same.
var strange = map[string]string{
	"if.onnx":          `its condition "c" is an input of the model`,
	"init_bf16.onnx":   "", // adds what does not broadcast
	"init_string.onnx": "string",
	"seq_in.onnx":      `an input "x" of the type seq(tensor(float))`,
}

// The codec's edge cases are no encoders. They run node by node as in onnxruntime, and so do they written anew; what
// onnxruntime refuses is refused.
func TestEdgeCasesRunAsInOnnxruntime(t *testing.T) {
	needRuntime(t)
	dir := filepath.Join(testutil.Root(t), "importer", "onnx", "testdata", "edge")
	paths, err := filepath.Glob(filepath.Join(dir, "*.onnx"))
	if err != nil || len(paths) < 40 {
		t.Fatal(len(paths), err)
	}
	for _, path := range paths {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			m, err := importer.Map(path)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			again := rewritten(t, m)
			refusal := loads(path, m.File.Model)
			for _, p := range []string{path, again} {
				c, err := RunCheck(context.Background(), p, CheckOptions{Seed: 2, Threads: 1})
				if reason, known := strange[name]; known {
					if err == nil || c.Status != "refused" || !strings.Contains(c.Reason, reason) {
						t.Errorf("%+v", c)
					}
				} else if err != nil || c.Way != nodewiseWay || len(c.Outputs) != len(m.File.Graph.Outputs) {
					t.Errorf("%+v", c)
				}
			}
			if (refusal != nil) != (name == "init_bf16.onnx") {
				t.Errorf("onnxruntime says %v", refusal)
			}
			if refusal == nil {
				sameInOnnxruntime(t, path, again)
			} else if _, err := nodewiseRuns(m); err == nil || !strings.Contains(err.Error(), "do not broadcast") {
				t.Errorf("onnxruntime says %v, graft %v", refusal, err)
			}
		})
	}
}

func loads(path string, m *onnx.Model) error {
	s, err := ort.OpenFile(path, m, ort.Options{Threads: 1})
	if err != nil {
		return err
	}
	return s.Close()
}

// rewritten encodes a model into a new folder, with its external data beside it.
func rewritten(t *testing.T, m *importer.Model) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range m.File.ExternalFiles() {
		b, err := os.ReadFile(filepath.Join(m.File.Dir(), f))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, f), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, filepath.Base(m.Path))
	if err := atomicfile.Write(path, func(w io.Writer) error { _, err := m.File.WriteTo(w); return err }); err != nil {
		t.Fatal(err)
	}
	return path
}

// sameInOnnxruntime runs two files on the same batches, which must give the same bits. What graft cannot feed or read, a
// string or a sequence, is left out.
func sameInOnnxruntime(t *testing.T, path, again string) {
	t.Helper()
	var runs []*reference
	var batches []*checkBatch
	for _, p := range []string{path, again} {
		m, err := importer.Map(p)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		c := &Check{model: m, plain: m.File.Model, options: CheckOptions{Threads: 1}}
		if batches, err = c.batches(); err != nil {
			t.Log(err)
			return
		}
		r, err := c.openReference(m.File.Model, nil, nil, false)
		if err != nil {
			t.Fatal(err)
		}
		defer r.session.Close()
		runs = append(runs, r)
	}
	if slices.ContainsFunc(batches, func(b *checkBatch) bool { return b.inputs["c"] != nil }) {
		return // a scalar condition, which the binding cannot feed
	}
	for _, b := range batches {
		was, err := runs[0].run(context.Background(), b)
		if err != nil {
			t.Log(err)
			return
		}
		is, err := runs[1].run(context.Background(), b)
		if err != nil {
			t.Fatal(err)
		}
		for name, a := range was {
			if !a.Equal(is[name]) {
				t.Errorf("output %q differs", name)
			}
		}
	}
}
