package importer_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// nested is a model of one If whose branch holds an If, and so on.
func nested(depth int) []byte {
	bytes := func(b []byte, n protowire.Number, v []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), v)
	}
	graph := []byte{}
	for range depth {
		attribute := bytes(bytes(nil, 1, []byte("then_branch")), 6, graph)
		graph = bytes(nil, 1, bytes(bytes(nil, 4, []byte("If")), 5, attribute))
	}
	return bytes(nil, 7, graph)
}

// A file that asks for what it does not hold is refused with a reason, before anything large is allocated for it.
func TestHostileFilesAreRefusedAtOnce(t *testing.T) {
	const table = "embeddings.word_embeddings.weight"
	outside := func(at onnx.External) func(t *testing.T, m *onnx.Model, dir string) {
		return func(t *testing.T, m *onnx.Model, dir string) {
			if err := os.WriteFile(filepath.Join(dir, "weights.bin"), make([]byte, 40*12*4), 0o644); err != nil {
				t.Fatal(err)
			}
			for i, w := range m.Graph.Initializers {
				if w.Name == table {
					x, err := onnx.NewExternalTensor(w.Name, w.Type, w.Dims, at)
					if err != nil {
						t.Fatal(err)
					}
					m.Graph.Initializers[i] = x
				}
			}
		}
	}
	dims := func(d ...int64) func(t *testing.T, m *onnx.Model, dir string) {
		return func(t *testing.T, m *onnx.Model, dir string) { m.Graph.Initializer(table).Dims = d }
	}
	for _, c := range []struct {
		name, want string
		edit       func(t *testing.T, m *onnx.Model, dir string)
	}{
		{"a cycle", "the graph has a cycle", func(t *testing.T, m *onnx.Model, dir string) {
			node(t, m, self+"Softmax").Inputs[0] = self + "MatMul_1_output_0"
		}},
		{"a folder above", "leaves the model's folder", outside(onnx.External{Location: "../weights.bin", Length: 40 * 12 * 4})},
		{"a folder above, by way of one below", "leaves the model's folder", outside(onnx.External{Location: "x/../../weights.bin"})},
		{"an absolute path", "leaves the model's folder", outside(onnx.External{Location: "/etc/hosts", Length: 40 * 12 * 4})},
		{"a link that leads outside", "path escapes from parent", func(t *testing.T, m *onnx.Model, dir string) {
			other := t.TempDir()
			outside(onnx.External{Location: "link.bin"})(t, m, other)
			if err := os.Symlink(filepath.Join(other, "weights.bin"), filepath.Join(dir, "link.bin")); err != nil {
				t.Skip("no symbolic links here:", err)
			}
		}},
		{"an offset past the end", "run past its end", outside(onnx.External{Location: "weights.bin", Offset: 8, Length: 40 * 12 * 4})},
		{"an offset past any end", "run past its end", outside(onnx.External{Location: "weights.bin", Offset: 1 << 62, Length: 40 * 12 * 4})},
		{"no such file", "no such file", outside(onnx.External{Location: "others.bin", Length: 40 * 12 * 4})},
		{"more rows than bytes", "raw_data has 1920 bytes, want 48000000000", dims(1e9, 12)},
		{"more elements than addresses", "more elements than an address space", dims(1<<40, 1<<40)},
		{"a billion billion elements", "more elements than an address space", dims(1e9, 1e9)},
		{"a negative dimension", "dimension 0 is -1", dims(-1, 12)},
		{"a scale for each of a billion columns", "want [12]", func(t *testing.T, m *onnx.Model, dir string) {
			n := node(t, m, self+"query/MatMul")
			e := before(t, m, self+"query/MatMul")
			w := e.tensor([]int64{12, 12}, make([]int8, 144))
			scale := e.tensor([]int64{2}, []float32{1, 1})
			m.Graph.Initializers[len(m.Graph.Initializers)-1].Dims = []int64{1e9}
			n.Inputs[1] = e.add("DequantizeLinear", []string{w, scale})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			m := encoder(t, 17)
			c.edit(t, m, dir)
			b, err := m.Encode()
			if err != nil {
				t.Fatal(err)
			}
			refused(t, dir, b, c.want)
		})
	}
	t.Run("branches 10,000 deep", func(t *testing.T) { refused(t, t.TempDir(), nested(10000), "nest deeper than") })
}

// The codec's edge cases are no encoders; the importer says so.
func TestEdgeCasesAreRefused(t *testing.T) {
	paths, err := filepath.Glob("onnx/testdata/edge/*.onnx")
	if err != nil || len(paths) < 40 {
		t.Fatal(len(paths), err)
	}
	for _, path := range paths {
		m, err := importer.Open(path)
		if err == nil {
			m.Close()
			t.Errorf("%s is imported as an encoder", path)
		} else if !strings.Contains(err.Error(), filepath.Base(path)) {
			t.Errorf("%s: the error %q does not name it", path, err)
		}
	}
}
