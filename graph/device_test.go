package graph_test

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/cpu"
	"github.com/seed-aefebe89/graft/graph/kernel/kerneltest"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx/random"
)

// aDevice is one with memory of its own.
func aDevice(t testing.TB) *kerneltest.Device { return kerneltest.NewDevice(t, cpu.New(), 1<<27) }

// Whole networks of every architecture give the host's losses, gradients, logits, hidden states and outputs on a device
// with memory of its own, for batches that were rounded up.
func TestNetworksOnADevice(t *testing.T) {
	for _, path := range []string{
		"fixtures/onnx/bert/model.opset17.sdpa.onnx", "fixtures/onnx/xlm-roberta/model.opset14.eager.onnx",
		"fixtures/onnx/modernbert/model.opset17.sdpa.onnx", "fixtures/onnx/deberta-v2/model.opset17.eager.onnx",
		"fixtures/onnx/albert/model.opset17.eager.onnx",
	} {
		t.Run(path, func(t *testing.T) { onDevice(t, open(t, path)) })
	}
}

func TestOurOwnNetworksOnADevice(t *testing.T) {
	t.Run("random", func(t *testing.T) { onDevice(t, randomEncoder(t, random.Config{})) })
	t.Run("disentangled", func(t *testing.T) { onDevice(t, disentangled(t)) })
	for _, path := range own(t) {
		t.Run(filepath.Base(filepath.Dir(path))+"/"+filepath.Base(path), func(t *testing.T) {
			m, err := importer.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			onDevice(t, m)
		})
	}
}

// results are what the sessions of a model come to for a few batches.
func results(t *testing.T, m *importer.Model, method peft.Method, ks []kernel.Kernels, base bool) map[string][]float32 {
	t.Helper()
	p := newParams(t, m, method)
	train := p.Of(graph.Adapter, graph.Head)
	if base {
		train = append(p.Encoding(true), train...)
		for _, q := range p.Encoding(true) {
			q.Thaw()
		}
	}
	out := map[string][]float32{}
	ctx := context.Background()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	into, err := graph.NewVector(ks[0], train)
	check(err)
	s := graph.NewTrainer(p, ks, train)
	s.Into = into
	for i, lengths := range [][]int{{6, 1, 12}, {3, 9}, {6, 1, 11}} { // the last of the first's size once rounded up
		seqs, count := labelled(vocabulary(m), 4, lengths...)
		into.Zero()
		loss, err := s.Step(ctx, seqs, 1/float32(count))
		check(err)
		out[fmt.Sprint("loss ", i)] = []float32{float32(loss)}
		gs, err := into.Host()
		check(err)
		for k, q := range train {
			out[fmt.Sprintf("gradient %d of %s", i, q.Name)] = slices.Clone(gs[k])
			once := make([]float32, q.Size())
			check(s.Grad(k, once))
			if !slices.Equal(once, gs[k]) {
				t.Errorf("Grad and Into differ for %s", q.Name)
			}
		}
	}
	seqs, _ := labelled(vocabulary(m), 4, 5, 8, 2)
	for i := range seqs {
		seqs[i].Targets = nil
	}
	tagger := graph.NewTagger(p, ks)
	ls, err := tagger.Logits(ctx, seqs)
	check(err)
	encoder := graph.NewEncoder(p, ks)
	fs, err := encoder.Features(ctx, seqs)
	check(err)
	prober := graph.NewProbe(p, ks)
	all, err := prober.Probe(ctx, seqs)
	check(err)
	for i := range seqs {
		out[fmt.Sprint("logits ", i)], out[fmt.Sprint("features ", i)] = ls[i], fs[i]
		for k, h := range all.Hidden {
			out[fmt.Sprintf("hidden %d of %d", k, i)] = h[i]
		}
		for name, o := range all.Outputs {
			out[fmt.Sprintf("output %s of %d", name, i)] = o[i]
		}
	}
	for _, s := range []*graph.Session{s, tagger, encoder, prober} {
		s.Release()
	}
	into.Release()
	check(graph.Leave(p.Of(graph.Base, graph.Adapter, graph.Head)))
	return out
}

func onDevice(t *testing.T, m *importer.Model) {
	for name, method := range methods(m) {
		t.Run(name, func(t *testing.T) {
			d := aDevice(t)
			want := results(t, m, method, threads(1), name == "pfeiffer")
			got := results(t, m, method, []kernel.Kernels{d}, name == "pfeiffer")
			agree(t, got, want)
			if d.Recordings == 0 || d.Replays < d.Recordings+1 {
				t.Errorf("%d recordings, %d replays", d.Recordings, d.Replays)
			}
			if free, total, err := d.Room(); free != total || err != nil {
				t.Errorf("%d of %d bytes are free in the end, %v", free, total, err)
			}
		})
	}
}

// The same where nothing is recognised; each shape of padded batches has a program of its own.
func TestNodeByNodeOnADevice(t *testing.T) {
	dir := t.TempDir()
	if err := random.Folder(dir, 3, random.Config{NumHiddenLayers: 2}); err != nil {
		t.Fatal(err)
	}
	m := nodewise(t, dir)
	for name, method := range map[string]peft.Method{
		"lora":     peft.LoRA{R: 3, Alpha: 6, Targets: []string{"query", "output.dense"}},
		"pfeiffer": peft.Bottleneck{Where: peft.LayerOutput, Size: 5, Activation: kernel.SiLU},
	} {
		t.Run(name, func(t *testing.T) {
			d := aDevice(t)
			agree(t, results(t, m, method, []kernel.Kernels{d}, name == "pfeiffer"), results(t, m, method, threads(1), name == "pfeiffer"))
			if free, total, err := d.Room(); free != total || err != nil {
				t.Errorf("%d of %d bytes are free in the end, %v", free, total, err)
			}
		})
	}
}

// agree demands the same results up to rounding: sums of products are taken in another order where there are more rows,
// some 1e-6 of the largest number after a few layers and ten times that in gradients.
func agree(t *testing.T, got, want map[string][]float32) { agreeAbove(t, got, want, 1e-3) }

// agreeAbove does so where the largest number is at least floor, and holds smaller ones to as much as that would give.
func agreeAbove(t *testing.T, got, want map[string][]float32, floor float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d results, want %d", len(got), len(want))
	}
	for name, w := range want {
		g := got[name]
		if len(g) != len(w) {
			t.Fatalf("%s: %d elements, want %d", name, len(g), len(w))
		}
		largest, worst := floor, 0.0
		for i := range w {
			largest = math.Max(largest, math.Abs(float64(w[i])))
			if d := math.Abs(float64(g[i]) - float64(w[i])); !(d <= worst) {
				worst = d
			}
		}
		if !(worst <= 2e-5*largest) {
			t.Errorf("%s: %g apart, the largest is %g", name, worst, largest)
		}
	}
}

// At a precision of its own a device keeps layouts of frozen matrices and nothing else of them, one copy for all
// sessions.
func TestADeviceKeepsFrozenMatricesOnce(t *testing.T) {
	m := randomEncoder(t, random.Config{})
	seqs, count := labelled(m.Config.VocabSize, 4, 6, 1, 12)
	for _, precision := range []kernel.Precision{kernel.Float32, kernel.TensorFloat32, kernel.BFloat16} {
		t.Run(precision.String(), func(t *testing.T) {
			losses := map[string]float64{}
			for _, ks := range [][]kernel.Kernels{threads(1), {aDevice(t)}} {
				p := newParams(t, m, methods(m)["lora"])
				if p.Precision = precision; precision == kernel.TensorFloat32 && ks[0].Name() == cpu.New().Name() {
					p.Precision = kernel.Float32
				}
				train := p.Of(graph.Adapter, graph.Head)
				s := graph.NewTrainer(p, ks, train)
				loss, err := s.Step(context.Background(), seqs, 1/float32(count))
				if err != nil {
					t.Fatal(err)
				}
				losses[ks[0].Name()] = loss
				d, ok := ks[0].(*kerneltest.Device)
				if !ok {
					continue
				}
				before, _, _ := d.Room()
				other := graph.NewTagger(p, ks)
				if _, err := other.Logits(context.Background(), seqs); err != nil {
					t.Fatal(err)
				}
				other.Release()
				if after, _, _ := d.Room(); after != before {
					t.Errorf("a second session takes %d bytes for good", before-after)
				}
			}
			var ls []float64
			for _, l := range losses {
				ls = append(ls, l)
			}
			if len(ls) != 2 || math.Abs(ls[0]-ls[1]) > 1e-5*math.Abs(ls[0]) {
				t.Errorf("losses %v", losses)
			}
		})
	}
}

func TestATooSmallDeviceIsAnError(t *testing.T) {
	m := randomEncoder(t, random.Config{})
	p := newParams(t, m, methods(m)["lora"])
	s := graph.NewTrainer(p, []kernel.Kernels{kerneltest.NewDevice(t, cpu.New(), 1<<16)}, p.Of(graph.Adapter, graph.Head))
	seqs, count := labelled(m.Config.VocabSize, 4, 6, 1, 12)
	if _, err := s.Step(context.Background(), seqs, 1/float32(count)); err == nil || !strings.Contains(err.Error(), "are free") {
		t.Errorf("error %v", err)
	}
}

// vocabulary is the number of tokens that an encoder knows: the rows of its first table.
func vocabulary(m *importer.Model) int {
	for _, o := range m.Ops {
		if e, ok := o.(*importer.Embedding); ok {
			return e.Tables[0].Shape[0]
		}
	}
	return m.Config.VocabSize
}
