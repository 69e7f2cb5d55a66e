package lower_test

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/internal/testutil"
)

// batch are the inputs of an encoder for two sequences, of which the second is padded.
func batch(m *onnx.Model, seq, vocab int) map[string]*fold.Array {
	r := rand.New(rand.NewPCG(1, 2))
	in := map[string]*fold.Array{}
	for _, v := range m.Graph.Inputs {
		x := make([]int64, 2*seq)
		for i := range x {
			real := i < seq || i-seq < seq*2/3
			switch {
			case v.Name == "position_ids":
				x[i] = int64(i % seq)
			case v.Name == "attention_mask" && real:
				x[i] = 1
			case v.Name == "input_ids" && real:
				x[i] = int64(5 + r.IntN(vocab-5))
			}
		}
		in[v.Name] = fold.Ints(x, 2, seq)
	}
	return in
}

// Every fixture runs node by node as it runs in onnxruntime; what is recognised runs packed elsewhere.
func TestEncodersRunNodeByNode(t *testing.T) {
	needRuntime(t)
	shared := testutil.Shared(t)
	var files []string
	for _, p := range []string{"fixtures/onnx/*/*.onnx", "fixtures/onnx-tools/*/*.onnx"} {
		fs, err := filepath.Glob(filepath.Join(shared, p))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, fs...)
	}
	for _, f := range files {
		rel, err := filepath.Rel(shared, f)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(rel, func(t *testing.T) {
			file, err := onnx.Open(f)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			in := batch(file.Model, 9, 40)
			var names []string
			for _, o := range file.Graph.Outputs {
				names = append(names, o.Name)
			}
			model := file.Model
			if strings.Contains(f, ".q") { // activations that the file rounds are not rounded here
				if model, err = importer.Dequantised(model); err != nil {
					t.Fatal(err)
				}
			}
			want, err := runtime(model, in, names)
			if err != nil {
				t.Skip(err)
			}
			n, err := lowered(file.Model, in)
			if err != nil {
				t.Fatal(err)
			}
			got, err := n.Run(context.Background(), in)
			if err != nil {
				t.Fatal(err)
			}
			tolerance := 1e-5
			if strings.Contains(f, "fp16") { // onnxruntime rounds each result to 2⁻¹¹ of it, a dozen in a row here
				tolerance = 1e-2
			}
			for i, w := range want {
				if d := differs(got[i], w, tolerance); d != "" {
					t.Errorf("output %q: %s", names[i], d)
				}
			}
		})
	}
}
