package graph_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/cpu"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/internal/parity"
)

// The gradient of the loss with respect to each parameter, along its own direction, against central differences that
// move the loss by about 0.02, extrapolated from two step sizes (Richardson), so that the error of the quotient is of
// fourth order. The forward pass in float32 leaves some 2⁻²⁴ of a loss of 2 in each of the four losses: 1e-7·4/0.02,
// 2e-5 of the gradient. The bound leaves a factor of 100 for what the fourth order leaves in steep places.
func TestGradientsMatchFiniteDifferences(t *testing.T) {
	for _, path := range []string{
		"fixtures/onnx/bert/model.opset11.eager.onnx", "fixtures/onnx/bert/model.opset17.sdpa.onnx",
		"fixtures/onnx/xlm-roberta/model.opset14.eager.onnx", "fixtures/onnx/modernbert/model.opset17.sdpa.onnx",
		"fixtures/onnx/deberta-v2/model.opset17.eager.onnx",
	} {
		t.Run(path, func(t *testing.T) { gradientsMatch(t, open(t, path)) })
	}
}

// The same for encoders of our own, which need no shared files.
func TestGradientsOfOurEncodersMatchFiniteDifferences(t *testing.T) {
	for _, path := range own(t) {
		t.Run(filepath.Base(filepath.Dir(path))+"/"+filepath.Base(path), func(t *testing.T) {
			m, err := importer.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			gradientsMatch(t, m)
		})
	}
}

// gradientsMatch checks a model with every method.
func gradientsMatch(t *testing.T, m *importer.Model) {
	for name, method := range methods(m) {
		t.Run(name, func(t *testing.T) {
			p, err := graph.NewParams(m, method, 4, 3)
			if err != nil {
				t.Fatal(err)
			}
			shake(p, 11)
			for _, b := range p.Base {
				b.Thaw()
			}
			seqs, count := labelled(m.Config.VocabSize, 4, 6, 1, 12)
			train := append(p.Encoding(true), p.Of(graph.Adapter, graph.Head)...)
			s := graph.NewTrainer(p, []kernel.Kernels{cpu.New(), cpu.New()}, train)
			loss := func() (float64, error) {
				if err := s.Update(); err != nil {
					return 0, err
				}
				return s.Step(context.Background(), seqs, 1/float32(count))
			}
			l0, err := loss()
			if err != nil {
				t.Fatal(err)
			}
			grads := make([][]float32, len(train))
			for i, q := range train {
				grads[i] = make([]float32, q.Size())
				if err := s.Grad(i, grads[i]); err != nil {
					t.Fatal(err)
				}
			}
			worst, checked := 0.0, 0
			for i, q := range train {
				d, norm, ok, err := parity.Slope(q.Data, grads[i], 0.01, loss)
				if err != nil {
					t.Fatal(err)
				}
				if !ok {
					continue
				}
				checked++
				worst = max(worst, d)
				if !(d <= 2e-3) {
					t.Errorf("%s %s: the loss along its gradient rises otherwise by %.2g of %.5g", q.Group, q.Name, d, norm)
				}
			}
			if checked < len(train)*3/4 {
				t.Errorf("only %d of %d parameters have a gradient", checked, len(train))
			}
			t.Logf("%d parameters, loss %.3f, largest difference %.2g", checked, l0, worst)
		})
	}
}
