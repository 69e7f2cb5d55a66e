//go:build gpu && cgo && linux

package graph_test

import (
	"context"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"testing"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/gpu"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx/random"
	"github.com/seed-aefebe89/graft/internal/cuda"
)

// aGPU is the first one, emulated or real, closed when the test ends.
func aGPU(t testing.TB) kernel.Kernels {
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

// replays counts what a device records and replays.
type replays struct {
	kernel.Kernels
	kernel.Memory
	recorder           kernel.Recorder
	recorded, replayed int
}

func countReplays(k kernel.Kernels) *replays {
	return &replays{Kernels: k, Memory: k.(kernel.Memory), recorder: k.(kernel.Recorder)}
}

func (c *replays) Record(f func()) (kernel.Recording, error) {
	c.recorded++
	r, err := c.recorder.Record(f)
	if err != nil {
		return nil, err
	}
	return replay{r, c}, nil
}

type replay struct {
	kernel.Recording
	c *replays
}

func (r replay) Replay() {
	r.c.replayed++
	r.Recording.Replay()
}

// Steps of training, gradients, logits, hidden states and outputs of every architecture are the host's on a GPU, whose
// steps are recorded and replayed.
func TestNetworksOnAGPU(t *testing.T) {
	for _, path := range []string{
		"fixtures/onnx/bert/model.opset17.sdpa.onnx", "fixtures/onnx/xlm-roberta/model.opset14.eager.onnx",
		"fixtures/onnx/modernbert/model.opset17.sdpa.onnx", "fixtures/onnx/deberta-v2/model.opset17.eager.onnx",
		"fixtures/onnx/albert/model.opset17.eager.onnx",
	} {
		t.Run(path, func(t *testing.T) { onAGPU(t, open(t, path)) })
	}
}

func TestOurOwnNetworksOnAGPU(t *testing.T) {
	t.Run("random", func(t *testing.T) { onAGPU(t, randomEncoder(t, random.Config{})) })
	t.Run("disentangled", func(t *testing.T) { onAGPU(t, disentangled(t)) })
	for _, path := range own(t) {
		t.Run(filepath.Base(filepath.Dir(path))+"/"+filepath.Base(path), func(t *testing.T) {
			m, err := importer.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			onAGPU(t, m)
		})
	}
}

func onAGPU(t *testing.T, m *importer.Model) {
	t.Helper()
	for name, method := range methods(m) {
		t.Run(name, func(t *testing.T) {
			k := countReplays(aGPU(t))
			before, _, err := k.Room()
			if err != nil {
				t.Fatal(err)
			}
			want := results(t, m, method, threads(1), name == "pfeiffer")
			got := results(t, m, method, []kernel.Kernels{k}, name == "pfeiffer")
			// The bias of keys moves all scores of a query alike: its gradient is zero but for the rounding of sums that
			// cancel, some u = 6e-8 each, which another device rounds elsewhere.
			agreeAbove(t, got, want, 1e-2)
			if k.recorded == 0 || k.replayed < k.recorded+1 {
				t.Errorf("%d recordings, %d replays", k.recorded, k.replayed)
			}
			// The workspace stays, and pinned memory is the host's.
			if after, _, err := k.Room(); err != nil || before-after > 64<<20 {
				t.Errorf("%d bytes are not free in the end, %v", before-after, err)
			}
		})
	}
}

// At every precision a step on a GPU has the host's loss and gradients up to the rounding of the operands of products:
// those of TensorFloat32 have 11 significant bits, those of bfloat16 have 8.
func TestPrecisionsOnAGPU(t *testing.T) {
	m := randomEncoder(t, random.Config{})
	seqs, labels := labelled(m.Config.VocabSize, 4, 6, 1, 12)
	step := func(t *testing.T, ks []kernel.Kernels, method peft.Method, precision kernel.Precision) (float64, []float32) {
		t.Helper()
		p := newParams(t, m, method)
		p.Precision = precision
		train := p.Of(graph.Adapter, graph.Head)
		into, err := graph.NewVector(ks[0], train)
		if err != nil {
			t.Fatal(err)
		}
		defer into.Release()
		s := graph.NewTrainer(p, ks, train)
		defer s.Release()
		s.Into = into
		loss, err := s.Step(context.Background(), seqs, 1/float32(labels))
		if err != nil {
			t.Fatal(err)
		}
		gs, err := into.Host()
		if err != nil {
			t.Fatal(err)
		}
		var all []float32
		for _, g := range gs {
			all = append(all, g...)
		}
		if err := graph.Leave(p.Of(graph.Base, graph.Adapter, graph.Head)); err != nil {
			t.Fatal(err)
		}
		return loss, all
	}
	for name, method := range methods(m) {
		want, wants := step(t, threads(1), method, kernel.Float32)
		for precision, bits := range map[kernel.Precision]int{kernel.Float32: 24, kernel.TensorFloat32: 11, kernel.BFloat16: 8} {
			t.Run(fmt.Sprint(name, "/", precision), func(t *testing.T) {
				loss, gs := step(t, []kernel.Kernels{aGPU(t)}, method, precision)
				again, same := step(t, []kernel.Kernels{aGPU(t)}, method, precision)
				if loss != again || !sameBits(gs, same) {
					t.Error("two runs differ")
				}
				// A rounding errs by half a unit of the last of so many bits; a few dozen follow each other here.
				unit := math.Ldexp(1, -bits)
				if d := math.Abs(loss - want); !(d <= 16*unit*math.Abs(want)+1e-6) {
					t.Errorf("loss %g, want %g", loss, want)
				}
				var apart, norm float64
				for i, w := range wants {
					d := float64(gs[i]) - float64(w)
					apart, norm = apart+d*d, norm+float64(w)*float64(w)
				}
				if !(math.Sqrt(apart/norm) <= 16*unit+1e-5) {
					t.Errorf("gradients differ by %g of their norm", math.Sqrt(apart/norm))
				}
			})
		}
	}
}

func sameBits(a, b []float32) bool {
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return false
		}
	}
	return len(a) == len(b)
}
