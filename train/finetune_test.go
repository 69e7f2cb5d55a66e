package train_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/train"
)

func (k *task) fineTune(p *graph.Params, s train.Settings, checkpoint string) *train.FineTune {
	return &train.FineTune{Settings: s, Params: p, Encoder: k.encoder, Train: k.train, Dev: k.dev, Kernels: kernels(), Checkpoint: checkpoint}
}

var settings = train.Settings{Epochs: 4, Batch: 8, LRs: []float64{1e-2, 3e-3}, Warmup: 0.1, WeightDecay: 0.01, Clip: 1, Seed: 9}

func TestFineTuningLearns(t *testing.T) {
	k := newTask(t)
	for name, c := range map[string]struct {
		m    peft.Method
		want float64
		on   bool
	}{"top": {top, 0.5, true}, "lora": {lora, 0.5, false}} {
		t.Run(name, func(t *testing.T) {
			p := k.params(t, c.m)
			s := settings
			s.Epochs = 25
			s.LRs = []float64{1e-2}
			r, err := k.fineTune(p, s, "").Run(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if r.DevF1 < c.want || r.OnFeatures != c.on || r.Trainable != graph.Count(p.Of(graph.Adapter, graph.Head)) {
				t.Errorf("got %+v", r)
			}
			// the parameters are left at the best epoch
			report, _, err := train.NewTagger(k.encoder, p, kernels()).Evaluate(context.Background(), k.dev, nil)
			if err != nil || report.Micro.F1 != r.DevF1 {
				t.Errorf("dev F1 is %v after training, the best epoch's was %v, %v", report.Micro.F1, r.DevF1, err)
			}
		})
	}
}

// A run that is interrupted anywhere, in the midst of a step, and goes on from its checkpoint ends at the same bits as
// one that is not.
func TestResumeGivesTheSameBits(t *testing.T) {
	k := newTask(t)
	for name, c := range map[string]struct {
		m         peft.Method
		base      bool
		precision kernel.Precision
	}{"top": {m: top}, "lora": {m: lora}, "lora bf16": {m: lora, precision: kernel.BFloat16}, "all": {m: top, base: true},
		"all bf16": {m: top, base: true, precision: kernel.BFloat16}} {
		t.Run(name, func(t *testing.T) {
			s := settings
			s.Base = c.base
			if testing.Short() || c.base {
				s.Epochs = 2
			}
			straight := k.params(t, c.m)
			straight.Precision = c.precision
			want, err := k.fineTune(straight, s, "").Run(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			checkpoint := filepath.Join(t.TempDir(), "checkpoint")
			interruptions := 0
			for asks := int64(150); ; asks = asks*2 + 77 {
				p := k.params(t, c.m)
				p.Precision = c.precision
				got, err := k.fineTune(p, s, checkpoint).Run(interruptAfter(asks))
				if errors.Is(err, train.ErrInterrupted) {
					interruptions++
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if got.DevF1 != want.DevF1 || got.Epoch != want.Epoch || got.LR != want.LR || got.Steps != want.Steps {
					t.Errorf("got %+v, want %+v", got, want)
				}
				equalBits(t, p.Of(graph.Adapter, graph.Head, graph.Base), straight.Of(graph.Adapter, graph.Head, graph.Base))
				break
			}
			if interruptions < 2 {
				t.Errorf("the run was interrupted %d times, which tests little", interruptions)
			}
		})
	}
}

func equalBits(t *testing.T, got, want []*graph.Param) {
	t.Helper()
	for i, p := range want {
		for j, v := range p.Data {
			if got[i].Data[j] != v {
				t.Errorf("%s[%d] is %v, want %v", p.Name, j, got[i].Data[j], v)
				break
			}
		}
	}
}

func TestACheckpointOfAnotherRunIsRefused(t *testing.T) {
	k := newTask(t)
	checkpoint := filepath.Join(t.TempDir(), "checkpoint")
	if _, err := k.fineTune(k.params(t, top), settings, checkpoint).Run(interruptAfter(200)); !errors.Is(err, train.ErrInterrupted) {
		t.Fatal(err)
	}
	other := settings
	other.Batch = 7
	if _, err := k.fineTune(k.params(t, top), other, checkpoint).Run(context.Background()); err == nil || !strings.Contains(err.Error(), "other settings") {
		t.Errorf("other settings: error %v", err)
	}
	if _, err := k.fineTune(k.params(t, lora), settings, checkpoint).Run(context.Background()); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("another method: error %v", err)
	}
	p := k.params(t, top)
	p.Precision = kernel.BFloat16
	if _, err := k.fineTune(p, settings, checkpoint).Run(context.Background()); err == nil || !strings.Contains(err.Error(), "other settings") {
		t.Errorf("another precision: error %v", err)
	}
	if err := os.Truncate(checkpoint, 1000); err != nil {
		t.Fatal(err)
	}
	if _, err := k.fineTune(k.params(t, top), settings, checkpoint).Run(context.Background()); err == nil || !strings.Contains(err.Error(), checkpoint) {
		t.Errorf("a truncated checkpoint: error %v", err)
	}
}

func TestPatienceEndsARate(t *testing.T) {
	k := newTask(t)
	s := settings
	s.Epochs, s.LRs, s.Patience = 50, []float64{1e-9}, 2 // nothing changes, so no epoch is better than the first
	r, err := k.fineTune(k.params(t, top), s, "").Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if steps := 3 * (len(k.train) + s.Batch - 1) / s.Batch; r.Steps > steps+3 || r.Epoch != 1 {
		t.Errorf("%d steps, best epoch %d: want the run to end after 3 epochs", r.Steps, r.Epoch)
	}
}

func TestNothingToTrainOnIsAnError(t *testing.T) {
	k := newTask(t)
	f := k.fineTune(k.params(t, top), settings, "")
	f.Train = nil
	if _, err := f.Run(context.Background()); err == nil {
		t.Error("an empty training file was trained on")
	}
	f = k.fineTune(k.params(t, top), settings, "")
	f.Dev = nil
	if _, err := f.Run(context.Background()); err == nil {
		t.Error("training without a dev file cannot choose an epoch")
	}
}

// On a full disk the run ends with an error, and the last whole checkpoint is still there and usable.
func TestAFullDiskLosesNothing(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("graft", dir, "tmpfs", 0, "size=200k"); err != nil {
		t.Skipf("needs a small tmpfs: %v", err)
	}
	defer syscall.Unmount(dir, 0)
	k := newTask(t)
	s := settings
	straight := k.params(t, top)
	if _, err := k.fineTune(straight, s, "").Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	checkpoint := filepath.Join(dir, "checkpoint")
	if _, err := k.fineTune(k.params(t, top), s, checkpoint).Run(interruptAfter(200)); !errors.Is(err, train.ErrInterrupted) {
		t.Fatal(err)
	}
	before, err := os.ReadFile(checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(dir, "ballast")
	os.WriteFile(ballast, make([]byte, 1<<20), 0o644) // as much as fits
	_, err = k.fineTune(k.params(t, top), s, checkpoint).Run(context.Background())
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "saving the state") {
		t.Errorf("error %v, want one of a full disk", err)
	}
	after, err := os.ReadFile(checkpoint)
	if err != nil || string(after) != string(before) {
		t.Errorf("the checkpoint changed, %v", err)
	}
	if es, _ := os.ReadDir(dir); len(es) != 2 {
		t.Errorf("%d files are left, want the checkpoint and the ballast", len(es))
	}
	os.Remove(ballast)
	p := k.params(t, top)
	if _, err := k.fineTune(p, s, checkpoint).Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	equalBits(t, p.Of(graph.Adapter, graph.Head), straight.Of(graph.Adapter, graph.Head))
}
