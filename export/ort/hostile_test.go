package ort_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/export"
	"github.com/seed-aefebe89/graft/export/ort"
	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/random"
)

// A graph that is given from memory names files of its folder alone: not those of others, by whatever way.
func TestExternalDataStaysInItsFolder(t *testing.T) {
	needRuntime(t)
	dir, other := t.TempDir(), t.TempDir()
	secret := filepath.Join(other, "secret.bin")
	for _, f := range []string{secret, filepath.Join(dir, "weights.bin")} {
		if err := os.WriteFile(f, make([]byte, 1<<16), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(secret, filepath.Join(dir, "link.bin")); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	up, err := filepath.Rel(dir, secret)
	if err != nil {
		t.Fatal(err)
	}
	for location, want := range map[string]string{"weights.bin": "", "link.bin": "path escapes", secret: "path escapes",
		filepath.ToSlash(up): "path escapes", "none.bin": "no such file"} {
		m, err := random.Encoder(1, random.Config{NumHiddenLayers: 1})
		if err != nil {
			t.Fatal(err)
		}
		for i, w := range m.Graph.Initializers {
			if n, err := w.Len(); err != nil || n < 1000 {
				continue
			}
			if m.Graph.Initializers[i], err = onnx.NewExternalTensor(w.Name, w.Type, w.Dims, onnx.External{Location: location}); err != nil {
				t.Fatal(err)
			}
		}
		s, err := ort.Open(m, ort.Options{Threads: 1, Folder: dir})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", location, err, want)
		}
		if err == nil {
			s.Close()
		}
	}
}

// Whatever stands in an .onnx_adapter, loading it is an error or a delta, and no crash of the library.
func TestBrokenAdaptersAreRefused(t *testing.T) {
	needRuntime(t)
	whole := export.EncodeAdapter(export.Slots{{Name: "a", Dims: []int64{2, 3}, Data: make([]float32, 6)}}, 7)
	for _, b := range [][]byte{nil, {0}, []byte("no adapter"), whole[:len(whole)/2], make([]byte, 1<<10)} {
		if a, err := ort.LoadAdapter(b); err == nil {
			a.Close()
			t.Errorf("%d bytes are an adapter", len(b))
		}
	}
	for i := range whole {
		b := append([]byte{}, whole...)
		b[i] ^= 0xff
		if a, err := ort.LoadAdapter(b); err == nil {
			a.Close()
		}
	}
}
