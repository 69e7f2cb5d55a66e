package train_test

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/kerneltest"
	"github.com/seed-aefebe89/graft/graph/kernel/portable"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/train"
)

func aDevice(t *testing.T) *kerneltest.Device { return kerneltest.NewDevice(t, portable.New(), 1<<25) }

// A run on a device with memory of its own takes the host's steps, up to rounding: of each of some dozens of steps 1e-6
// of a step, and AdamW's first steps have the size of the learning rate whatever the gradient's size is.
func TestFineTuningOnADevice(t *testing.T) {
	k := newTask(t)
	bottleneck := peft.Bottleneck{Where: peft.LayerOutput, Size: 4, Activation: kernel.SiLU}
	for name, c := range map[string]struct {
		m    peft.Method
		base bool
	}{"top": {m: top}, "lora": {m: lora}, "bottleneck": {m: bottleneck}, "all": {m: lora, base: true}} {
		t.Run(name, func(t *testing.T) {
			s := settings
			s.Epochs, s.LRs, s.Base = 2, []float64{1e-3}, c.base
			run := func(ks []kernel.Kernels) (*graph.Params, *train.Result) {
				p := k.params(t, c.m)
				f := k.fineTune(p, s, "")
				f.Kernels = ks
				r, err := f.Run(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				return p, r
			}
			d := aDevice(t)
			want, r := run([]kernel.Kernels{portable.New()})
			got, o := run([]kernel.Kernels{d})
			again, _ := run([]kernel.Kernels{aDevice(t)})
			if o.OnFeatures != r.OnFeatures || o.Steps != r.Steps || math.Abs(o.DevF1-r.DevF1) > 0.05 {
				t.Errorf("%+v, on the host %+v", o, r)
			}
			all := []graph.Group{graph.Base, graph.Adapter, graph.Head}
			equalBits(t, again.Of(all...), got.Of(all...))
			for i, q := range want.Of(all...) {
				for j, v := range q.Data {
					if x := got.Of(all...)[i].Data[j]; !(math.Abs(float64(x-v)) <= 2e-4) {
						t.Fatalf("%s[%d] is %v, on the host %v", q.Name, j, x, v)
					}
				}
			}
			if err := graph.Leave(got.Of(all...)); err != nil {
				t.Error(err)
			}
			if free, total, _ := d.Room(); free != total {
				t.Errorf("%d of %d bytes are free in the end", free, total)
			}
			// On features a step is fewer launches than on the encoder, but always one replay.
			if steps := o.Steps; d.Replays < steps {
				t.Errorf("%d replays in %d steps", d.Replays, steps)
			}
		})
	}
}

// A step of training waits for the device once, a step late: one upload of the batch, one start, and one number back.
func TestAStepOnADeviceMovesLittle(t *testing.T) {
	k := newTask(t)
	p, d := k.params(t, lora), aDevice(t)
	s := settings
	s.Epochs, s.LRs = 2, []float64{1e-3}
	f := k.fineTune(p, s, "")
	f.Kernels = []kernel.Kernels{d}
	r, err := f.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	params := len(p.Of(graph.Base, graph.Adapter, graph.Head))
	evaluations := d.Replays - r.Steps
	if most := r.Steps + evaluations + 2*params + 20; d.Uploads > most {
		t.Errorf("%d uploads in %d steps and %d batches of evaluation, with %d parameters", d.Uploads, r.Steps, evaluations, params)
	}
	if most := r.Steps + evaluations + s.Epochs*params; d.Downloads > most {
		t.Errorf("%d downloads in %d steps and %d batches of evaluation", d.Downloads, r.Steps, evaluations)
	}
}

func TestResumeOnADeviceGivesTheSameBits(t *testing.T) {
	k := newTask(t)
	s := settings
	s.Epochs = 2
	run := func(ctx context.Context, checkpoint string) (*graph.Params, error) {
		p := k.params(t, lora)
		f := k.fineTune(p, s, checkpoint)
		f.Kernels = []kernel.Kernels{aDevice(t)}
		_, err := f.Run(ctx)
		return p, err
	}
	straight, err := run(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	checkpoint := filepath.Join(t.TempDir(), "checkpoint")
	interruptions := 0
	for asks := int64(9); ; asks = asks*2 + 7 {
		p, err := run(interruptAfter(asks), checkpoint)
		if errors.Is(err, train.ErrInterrupted) {
			interruptions++
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		equalBits(t, p.Of(graph.Adapter, graph.Head), straight.Of(graph.Adapter, graph.Head))
		break
	}
	if interruptions < 2 {
		t.Errorf("the run was interrupted %d times, which tests little", interruptions)
	}
	// A state of the host's is not the device's.
	other := k.fineTune(k.params(t, lora), s, checkpoint)
	if _, err := other.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "other settings") {
		t.Errorf("the device's state on the host: %v", err)
	}
}

// What is told ahead is what a run takes of the device, but for the rounding of each piece of memory to whole pages and
// for one matrix at a time that is laid out.
func TestTheDevicesMemoryIsToldAhead(t *testing.T) {
	k := newTask(t)
	for _, precision := range []kernel.Precision{kernel.Float32, kernel.TensorFloat32, kernel.BFloat16} {
		p, d := k.params(t, lora), aDevice(t)
		p.Precision = precision
		s := settings
		s.Epochs, s.LRs = 1, []float64{1e-3}
		f := k.fineTune(p, s, "")
		f.Kernels = []kernel.Kernels{d}
		told, err := f.Footprint()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		pieces, largest := 2*len(p.Of(graph.Base, graph.Adapter, graph.Head))+20, 0
		for _, q := range p.Base {
			largest = max(largest, 4*q.Size())
		}
		if need := told.OnDevice(); d.Peak > need+4096*pieces+largest || need > d.Peak {
			t.Errorf("%v: %d bytes told, %d taken", precision, need, d.Peak)
		}
	}
}

// A device that fails ends the run with its error, and one that is too small does before the first step.
func TestADeviceThatFailsIsAnError(t *testing.T) {
	k := newTask(t)
	for want, d := range map[string]*kerneltest.Device{
		"launch 2000 failed": aDevice(t), "and this needs 0.5 MB": kerneltest.NewDevice(t, portable.New(), 1<<17),
	} {
		d.FailAt = 2000
		f := k.fineTune(k.params(t, lora), settings, "")
		f.Kernels = []kernel.Kernels{d}
		if _, err := f.Run(context.Background()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
