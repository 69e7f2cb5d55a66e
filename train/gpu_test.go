//go:build gpu && cgo && linux

package train_test

import (
	"context"
	"fmt"
	"io"
	"math"
	"testing"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/gpu"
	"github.com/seed-aefebe89/graft/graph/kernel/portable"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/internal/cuda"
	"github.com/seed-aefebe89/graft/train"
)

func aGPU(t *testing.T) kernel.Kernels {
	t.Helper()
	if ok, status := cuda.Status(); !ok {
		t.Skip("no GPU: " + status)
	}
	k, err := gpu.Open(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.(io.Closer).Close(); err != nil {
			t.Error(err)
		}
	})
	return k
}

// curve are the losses of some steps of training.
func (k *task) curve(t *testing.T, on kernel.Kernels, m peft.Method, precision kernel.Precision, steps int) []float64 {
	t.Helper()
	const batch = 8
	ks := []kernel.Kernels{on}
	p := k.params(t, m)
	p.Precision = precision
	params := p.Of(graph.Adapter, graph.Head)
	g, err := graph.NewVector(on, params)
	if err != nil {
		t.Fatal(err)
	}
	opt, err := train.NewAdamW(on, params, 0.01)
	if err != nil {
		t.Fatal(err)
	}
	s := graph.NewTrainer(p, ks, params)
	s.Into = g
	var losses []float64
	for step := range steps {
		var seqs []*graph.Sequence
		for i := range batch {
			seqs = append(seqs, &k.train[(step*batch+i)%len(k.train)].Seq)
		}
		g.Zero()
		loss, err := s.Step(context.Background(), seqs, graph.MeanWeight(seqs))
		if err != nil {
			t.Fatal(err)
		}
		if err := opt.Step(ks, g, train.Linear(1e-3, step, steps/10, steps), 1); err != nil {
			t.Fatal(err)
		}
		losses = append(losses, loss)
	}
	s.Release()
	opt.Release()
	g.Release()
	if err := graph.Leave(p.Of(graph.Base, graph.Adapter, graph.Head)); err != nil {
		t.Fatal(err)
	}
	return losses
}

// The losses of 200 steps are the host's: in float32 within 1e-4 of the first one, in TensorFloat32 and bfloat16 within
// twice the rounding of an operand, of 11 and of 8 significant bits.
func TestLossCurvesOnAGPU(t *testing.T) {
	k, steps := newTask(t), 200
	if testing.Short() {
		steps = 20
	}
	for name, m := range map[string]peft.Method{
		"lora": lora, "bottleneck": peft.Bottleneck{Where: peft.LayerOutput, Size: 4, Activation: kernel.SiLU},
	} {
		want := k.curve(t, portable.New(), m, kernel.Float32, steps)
		for precision, tolerance := range map[kernel.Precision]float64{
			kernel.Float32: 1e-4, kernel.TensorFloat32: 0x1p-11, kernel.BFloat16: 0x1p-8,
		} {
			t.Run(fmt.Sprint(name, "/", precision), func(t *testing.T) {
				got := k.curve(t, aGPU(t), m, precision, steps)
				var apart float64
				for i, w := range want {
					apart = max(apart, math.Abs(got[i]-w))
				}
				t.Logf("loss %.4f to %.4f, at most %.2g apart", want[0], want[steps-1], apart)
				if !(apart <= tolerance*want[0]) {
					t.Errorf("losses are up to %g apart, from %g on", apart, want[0])
				}
			})
		}
	}
}
