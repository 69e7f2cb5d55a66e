package graph_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/cpu"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx/random"
)

// encoder opens a random encoder of three layers.
func encoder(t *testing.T) *importer.Model {
	t.Helper()
	dir := t.TempDir()
	if err := random.Folder(dir, 4, random.Config{VocabSize: 100, NumHiddenLayers: 3, Spread: 0.4}); err != nil {
		t.Fatal(err)
	}
	m, err := importer.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// levels are the kernels of every instruction set of this machine.
func levels(t *testing.T) map[string]kernel.Kernels {
	out := map[string]kernel.Kernels{}
	for _, l := range cpu.Levels() {
		k, err := cpu.NewLevel(l)
		if err != nil {
			t.Fatal(err)
		}
		out[l.String()] = k
	}
	return out
}

// loRA makes parameters with adapters in every layer, away from their start.
func loRA(t *testing.T, m *importer.Model, precision kernel.Precision) *graph.Params {
	t.Helper()
	p, err := graph.NewParams(m, peft.LoRA{R: 3, Alpha: 6, Targets: []string{"query", "value"}}, 4, 3)
	if err != nil {
		t.Fatal(err)
	}
	p.Precision = precision
	shake(p, 11)
	return p
}

// step computes the loss and the gradients of some parameters, one after the other.
func step(t *testing.T, p *graph.Params, k kernel.Kernels, seqs []*graph.Sequence, count int, train []*graph.Param) (loss float64, grads []float32) {
	t.Helper()
	s := graph.NewTrainer(p, []kernel.Kernels{k}, train)
	loss, err := s.Step(context.Background(), seqs, 1/float32(count))
	if err != nil {
		t.Fatal(err)
	}
	for i, q := range train {
		g := make([]float32, q.Size())
		if err := s.Grad(i, g); err != nil {
			t.Fatal(err)
		}
		grads = append(grads, g...)
	}
	return loss, grads
}

// distance is |a − b| / |b|.
func distance(a, b []float32) float64 {
	d, n := 0.0, 0.0
	for i := range b {
		d += math.Pow(float64(a[i])-float64(b[i]), 2)
		n += math.Pow(float64(b[i]), 2)
	}
	return math.Sqrt(d / n)
}

// In bfloat16 an operand is rounded by up to 2⁻⁹ of itself, half of that in the mean, and the roundings of a row are
// independent. The 18 products from the ids to the logits and the 18 back leave about 2⁻¹⁰·√2·√36, 1 % of a gradient,
// which the steepness of a softmax may double or treble; what a wrong orientation or block leaves is above 50 %.
func TestBFloat16IsCloseToFloat32OnEveryLevel(t *testing.T) {
	m := encoder(t)
	seqs, count := labelled(100, 4, 16, 3, 21)
	exact := loRA(t, m, kernel.Float32)
	loss, grads := step(t, exact, cpu.New(), seqs, count, exact.Of(graph.Adapter, graph.Head))
	for name, k := range levels(t) {
		p := loRA(t, m, kernel.BFloat16)
		got, g := step(t, p, k, seqs, count, p.Of(graph.Adapter, graph.Head))
		d := distance(g, grads)
		if !(math.Abs(got-loss) <= 0.01*loss && d <= 0.05) {
			t.Errorf("%s: the loss is %.5f, in float32 %.5f, and the gradients differ by %.2g", name, got, loss, d)
		}
		if d < 1e-4 {
			t.Errorf("%s: the gradients differ by %.2g only: nothing was rounded", name, d)
		}
		t.Logf("%s: loss %.5f and %.5f, gradients differ by %.2g", name, got, loss, d)
	}
}

// A session computes with the values that trained matrices have now, as one that is made anew.
func TestTrainedMatricesAreRoundedAnewWhenTheyChange(t *testing.T) {
	m := encoder(t)
	seqs, count := labelled(100, 4, 16, 3, 21)
	for name, k := range levels(t) {
		thawed := func(scale float32) (*graph.Params, []*graph.Param) {
			p := loRA(t, m, kernel.BFloat16)
			base := p.Encoding(false)
			for _, q := range base {
				q.Thaw()
				for i := range q.Data {
					q.Data[i] *= scale
				}
			}
			return p, append(base, p.Adapter...)
		}
		p, train := thawed(1)
		s := graph.NewTrainer(p, []kernel.Kernels{k}, train)
		if _, err := s.Step(context.Background(), seqs, 1/float32(count)); err != nil {
			t.Fatal(err)
		}
		for _, q := range p.Encoding(false) {
			for i := range q.Data {
				q.Data[i] *= 1.25
			}
			q.Changed()
		}
		loss, err := s.Step(context.Background(), seqs, 1/float32(count))
		if err != nil {
			t.Fatal(err)
		}
		var grads []float32
		for i, q := range train {
			g := make([]float32, q.Size())
			if err := s.Grad(i, g); err != nil {
				t.Fatal(err)
			}
			grads = append(grads, g...)
		}
		fresh, freshTrain := thawed(1.25)
		want, wantGrads := step(t, fresh, k, seqs, count, freshTrain)
		if loss != want || !slices.Equal(grads, wantGrads) {
			t.Errorf("%s: the loss is %v, of a new session %v", name, loss, want)
		}
	}
}
