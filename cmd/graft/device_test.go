package main

import (
	"context"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/cpu"
	"github.com/seed-aefebe89/graft/graph/kernel/kerneltest"
	"github.com/seed-aefebe89/graft/internal/app"
	"github.com/seed-aefebe89/graft/train"
	"github.com/seed-aefebe89/graft/train/meta"
)

// Without a GPU, gpu is an error with the reason and auto takes the CPU; a machine that has one runs both.
func TestDeviceFlags(t *testing.T) {
	model, file := folder(t)
	dir := t.TempDir()
	command := func(flags ...string) []string {
		return append([]string{"train", "--model", model, "--train", file("aa", "train"), "--dev", file("aa", "dev"), "--method", "lora",
			"--rank", "2", "--epochs", "1", "--threads", "2", "-q", "--out", filepath.Join(dir, "a")}, flags...)
	}
	out, err := graft(command("--device", "gpu", "--dry-run")...)
	if err != nil && !strings.Contains(err.Error(), "opening the GPU: ") || err == nil && !strings.Contains(out, "on the device") {
		t.Errorf("%s, %v", out, err)
	}
	must(t, command("--device", "auto")...)
	for _, c := range []struct {
		args []string
		want string
	}{
		{command("--device", "tpu"), "cpu, gpu or auto"},
		{command("--precision", "tf32"), "one of GPUs"},
		{[]string{"predict", "--model", model, "--delta", filepath.Join(dir, "a"), "--device", "gpu", "Text"}, "ask for the engine graph"},
		{[]string{"eval", "--model", model, "--delta", filepath.Join(dir, "a"), "--test", file("aa", "dev"), "--engine", "ort", "--device", "gpu"},
			"ask for the engine graph"},
	} {
		if _, err := graft(c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.args[0], err, c.want)
		}
	}
	if out := must(t, "inspect", "--device", "cpu", model); !strings.Contains(out, "CrossEntropyGrad") || !strings.Contains(out, "nothing") {
		t.Errorf("inspect --device prints %s", out)
	}
}

// Priming, training, evaluation and prediction on a device with memory of its own come to what the CPU comes to.
func TestTheWholeChainOnADevice(t *testing.T) {
	model, file := folder(t)
	ctx := context.Background()
	type outcome struct {
		query, f1 float64
		entities  int
	}
	run := func(d app.Device) (o outcome) {
		t.Helper()
		dir := t.TempDir()
		primed, delta := filepath.Join(dir, "primed"), filepath.Join(dir, "delta")
		method := app.MethodOptions{Name: "lora", Rank: 2}
		p, err := app.Prime(ctx, app.PrimeOptions{Model: model, Sources: []string{file("aa", "train"), file("bb", "train")}, Method: method,
			Out: primed, Threads: 1, Device: d, Settings: meta.Settings{OuterSteps: 3, Batch: 8, Clip: 1, Seed: 1}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err = app.Train(ctx, app.TrainOptions{Model: primed, Train: file("aa", "train"), Dev: file("aa", "dev"), Method: method, Out: delta,
			Threads: 1, Device: d, Settings: train.Settings{Epochs: 3, Batch: 8, LRs: []float64{1e-2}, Clip: 1, Seed: 1}}); err != nil {
			t.Fatal(err)
		}
		place := app.Place{Model: primed, Delta: delta}
		e, err := app.Eval(ctx, app.EvalOptions{Place: place, Test: file("aa", "dev"), Graph: true, Threads: 1, Device: d})
		if err != nil {
			t.Fatal(err)
		}
		x, err := app.OpenPredictor(place, false, 1, d, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		es, err := x.Entities(ctx, "w1 w12 w3 w8 w17 w2")
		if err != nil {
			t.Fatal(err)
		}
		return outcome{p.Result.Query[2], e.F1(), len(es)}
	}
	host := run(app.Device{})
	device := run(app.Device{Name: "gpu", Open: func(int) (kernel.Kernels, error) { return kerneltest.NewDevice(t, cpu.New(), 1<<28), nil }})
	// A sentence or two near a tie may be labelled otherwise after dozens of steps that round differently.
	if math.Abs(host.query-device.query) > 1e-3*host.query || math.Abs(host.f1-device.f1) > 0.05 || device.query == 0 || host.entities != device.entities {
		t.Errorf("%+v on the device, %+v on the host", device, host)
	}
}
