package importer_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel/cpu"
	"github.com/seed-aefebe89/graft/graph/lower"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/internal/app"
)

// entries are the ways into graft that a model's file takes. What trains, exports or serves a model imports it first. A
// picture needs no weights.
var entries = []struct {
	name       string
	weightless bool
	open       func(path string) error
}{
	{"import", false, func(path string) error {
		m, err := importer.Open(path)
		if err != nil {
			return err
		}
		_, err = graph.NewParams(m, nil, 0, 1)
		return errors.Join(err, m.Close())
	}},
	{"node by node", false, func(path string) error {
		f, err := onnx.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		n, err := importer.NewNodewise(f.Model)
		if err != nil {
			return err
		}
		in := map[string]*fold.Array{}
		for _, name := range []string{"input_ids", "attention_mask", "token_type_ids"} {
			in[name] = fold.Ints(make([]int64, 14), 2, 7)
		}
		s, err := lower.NewSession(n, cpu.New(), in)
		if err != nil {
			return err
		}
		return s.Feed(in)
	}},
	{"inspect", false, func(path string) error { _, err := app.Inspect(path); return err }},
	{"inspect --check", false, func(path string) error {
		_, err := app.RunCheck(context.Background(), path, app.CheckOptions{Gradients: true, Threads: 1})
		return err
	}},
	{"inspect --svg", true, func(path string) error { _, err := app.Picture(path); return err }},
}

// ceiling bounds what each entry may allocate for a hostile file of a few kilobytes: decoding, expanding and looking for
// blocks take some; what the file asks for would take gigabytes.
const ceiling = 100 << 20

// refused opens a file in every way, and wants errors without large allocations; that of the import has want.
func refused(t *testing.T, dir string, b []byte, want string) {
	t.Helper()
	path := filepath.Join(dir, "model.onnx")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := e.open(path)
		runtime.ReadMemStats(&after)
		switch {
		case err == nil && !e.weightless:
			t.Errorf("%s: no error", e.name)
		case e.name == "import" && !strings.Contains(err.Error(), want):
			t.Errorf("%v, want an error with %q", err, want)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > ceiling+32*uint64(len(b)) {
			t.Errorf("%s: it allocated %d MB for %d KB", e.name, got>>20, len(b)>>10)
		}
		t.Logf("%-16s %5d KB %v", e.name, (after.TotalAlloc-before.TotalAlloc)>>10, err)
	}
}
