package graph_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/cpu"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/internal/testutil"
)

// sequences takes the real tokens out of a padded case.
func sequences(c testutil.Case) (seqs []*graph.Sequence, lengths []int) {
	for b := range c.Batch {
		s := &graph.Sequence{}
		for i := range c.Seq {
			k := b*c.Seq + i
			if m, ok := c.Inputs["attention_mask"]; ok && m[k] == 0 {
				continue
			}
			s.IDs = append(s.IDs, int32(c.Inputs["input_ids"][k]))
			if t, ok := c.Inputs["token_type_ids"]; ok {
				s.Types = append(s.Types, int32(t[k]))
			}
		}
		seqs, lengths = append(seqs, s), append(lengths, len(s.IDs))
	}
	return seqs, lengths
}

// difference is the largest difference between packed rows and the real rows of a padded [batch,seq,width] tensor, and
// the largest number there.
func difference(packed [][]float32, padded []float32, seq int, lengths []int) (diff, largest float64) {
	for b, n := range lengths {
		w := len(packed[b]) / n
		for i := range n * w {
			want := float64(padded[b*seq*w+i])
			diff = math.Max(diff, math.Abs(float64(packed[b][i])-want))
			largest = math.Max(largest, math.Abs(want))
		}
	}
	return diff, largest
}

func models(t *testing.T, patterns ...string) []string {
	var out []string
	root := testutil.Shared(t)
	for _, p := range patterns {
		fs, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(p)))
		if err != nil || len(fs) == 0 {
			t.Fatalf("%s: no file, %v", p, err)
		}
		out = append(out, fs...)
	}
	return out
}

// own are the encoders that importer/testdata holds with recorded states.
func own(t *testing.T) []string {
	fs, err := filepath.Glob(filepath.Join(testutil.Root(t), "importer", "testdata", "encoders", "*", "*.onnx"))
	if err != nil || len(fs) == 0 {
		t.Fatalf("there is no encoder of our own: %v", err)
	}
	return fs
}

// Every hidden state and output of the recorded cases, in float32 against PyTorch's float32: both round each of some
// dozen layers of sums of up to 1536 products, which leaves about 1e-5 of numbers of size 1; 1e-4 is the bound.
func TestForwardMatchesTheRecordedStates(t *testing.T) {
	for _, path := range models(t, "fixtures/onnx/bert*/*.onnx", "fixtures/onnx/bert/*/*.onnx", "fixtures/onnx/xlm-roberta*/*.onnx",
		"fixtures/onnx/electra/*.onnx", "fixtures/onnx/distilbert/*.onnx", "fixtures/onnx/albert/*.onnx", "fixtures/onnx/modernbert/*.onnx",
		"fixtures/onnx/deberta-v2/*1[47].eager.onnx", "fixtures/onnx/deberta-v2/torch113/*17.eager.onnx",
		"models/e5-mini/model.onnx", "models/e5-small/onnx/model.onnx") {
		dir := filepath.Dir(path)
		expected := filepath.Join(dir, "expected.npz")
		if _, err := os.Stat(expected); err != nil { // beside the folder of a variant
			expected = filepath.Join(dir, "..", "expected.npz")
		}
		name, _ := filepath.Rel(testutil.Shared(t), path)
		t.Run(name, func(t *testing.T) { matchesRecorded(t, path, expected) })
	}
}

// The same for encoders of our own, which need no shared files.
func TestForwardMatchesOurRecordedStates(t *testing.T) {
	for _, path := range own(t) {
		dir := filepath.Dir(path)
		t.Run(filepath.Base(dir)+"/"+filepath.Base(path), func(t *testing.T) {
			matchesRecorded(t, path, filepath.Join(dir, "expected.npz"))
		})
	}
}

// matchesRecorded holds a model to recorded cases.
func matchesRecorded(t *testing.T, path, expected string) {
	m, err := importer.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	p, err := graph.NewParams(m, nil, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	s := graph.NewProbe(p, []kernel.Kernels{cpu.New(), cpu.New()})
	worst, bound := 0.0, 1e-4
	if strings.Contains(path, "f16w") {
		bound = 2e-3 // the file's weights are rounded to 11 bits, the recorded states come from the others
	}
	for i, c := range testutil.Cases(t, expected) {
		seqs, lengths := sequences(c)
		got, err := s.Probe(context.Background(), seqs)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Hidden) != len(c.Hidden) {
			t.Fatalf("%d hidden states, want %d", len(got.Hidden), len(c.Hidden))
		}
		for k, h := range got.Hidden {
			d, big := difference(h, c.Hidden[k], c.Seq, lengths)
			worst = max(worst, d/max(1, big))
			if !(d <= bound*max(1, big)) {
				t.Errorf("case %d: hidden state %d differs by %.2g of %.2g", i, k, d, big)
			}
		}
		if len(m.Outputs) != len(c.Outputs) {
			t.Errorf("%d outputs, want %d", len(m.Outputs), len(c.Outputs))
		}
		for _, o := range m.Outputs {
			ls, seq := lengths, c.Seq
			if o.Pooled {
				ls, seq = slices.Repeat([]int{1}, c.Batch), 1
			}
			d, big := difference(got.Outputs[o.Name], c.Outputs[o.Name], seq, ls)
			if !(d <= bound*max(1, big)) {
				t.Errorf("case %d: output %q differs by %.2g of %.2g", i, o.Name, d, big)
			}
		}
	}
	t.Logf("largest difference %.2g", worst)
}
