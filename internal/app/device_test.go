package app_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/cpu"
	"github.com/seed-aefebe89/graft/graph/kernel/kerneltest"
	"github.com/seed-aefebe89/graft/importer/onnx/random"
	"github.com/seed-aefebe89/graft/internal/app"
	"github.com/seed-aefebe89/graft/internal/testutil"
)

func anEncoder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := random.Folder(dir, 3, random.Config{}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// guarded opens a device with memory of its own in place of a GPU.
func guarded(t *testing.T, bytes int) app.Device {
	return app.Device{Name: "gpu", Open: func(int) (kernel.Kernels, error) {
		return kerneltest.NewDevice(t, cpu.New(), bytes), nil
	}}
}

func TestInspectRunsAStepOnTheDevice(t *testing.T) {
	paths := []string{anEncoder(t)}
	own, err := filepath.Glob(filepath.Join(testutil.Root(t), "importer", "testdata", "encoders", "*", "model.opset17.onnx"))
	if err != nil || len(own) == 0 {
		t.Fatal(err, own)
	}
	for _, path := range append(paths, own...) {
		r, err := app.InspectDevice(context.Background(), path, guarded(t, 1<<27), nil)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if !strings.HasPrefix(r.Device, "guarded") || r.TotalMB < 100 || !slices.Contains(r.Operators, "CrossEntropyGrad") || r.Fails != "" {
			t.Errorf("%s: %+v", path, r)
		}
	}
	r, err := app.InspectDevice(context.Background(), paths[0], guarded(t, 1<<16), nil)
	if err == nil || !strings.Contains(err.Error(), "are free") || r == nil || r.Fails == "" {
		t.Errorf("a device that is too small: %+v, %v", r, err)
	}
}

func TestDevicesByName(t *testing.T) {
	model := anEncoder(t)
	none := errors.New("there is no driver")
	without := func(name string) app.Device {
		return app.Device{Name: name, Open: func(int) (kernel.Kernels, error) { return nil, none }}
	}
	var said []string
	say := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	run := func(d app.Device) (*app.DeviceRun, error) {
		return app.InspectDevice(context.Background(), model, d, say)
	}
	if _, err := run(without("gpu")); !errors.Is(err, none) {
		t.Errorf("gpu without one: %v", err)
	}
	if _, err := run(app.Device{Name: "tpu"}); err == nil || !strings.Contains(err.Error(), "cpu, gpu or auto") {
		t.Errorf("tpu: %v", err)
	}
	if len(said) != 0 {
		t.Errorf("said %q", said)
	}
	r, err := run(without("auto"))
	if err != nil || r.Device != cpu.New().Name() || len(said) != 1 || !strings.Contains(said[0], none.Error()) {
		t.Errorf("auto without a GPU: %+v, %v, said %q", r, err, said)
	}
	d := guarded(t, 1<<27)
	d.Name = "auto"
	if r, err := run(d); err != nil || !strings.HasPrefix(r.Device, "guarded") {
		t.Errorf("auto with one: %+v, %v", r, err)
	}
}

// Every row of ours is measured on a device, with its memory given back in between.
func TestBenchOnADevice(t *testing.T) {
	var k *kerneltest.Device
	o := app.BenchOptions{Model: anEncoder(t), Tokens: 64, Length: 16, Batch: 4, Runs: 1,
		Methods: []string{"forward", "head", "top", "pfeiffer", "lora", "full", "meta"}, Precision: "bf16",
		Device: app.Device{Name: "gpu", Open: func(int) (kernel.Kernels, error) {
			k = kerneltest.NewDevice(t, cpu.New(), 1<<26)
			return k, nil
		}}}
	r, err := app.Bench(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Rows) < 6 || r.PeakGFLOPS <= 0 || r.TriadGBPS <= 0 || !strings.HasPrefix(r.Kernels, "guarded") {
		t.Errorf("%+v", r)
	}
	if free, total, _ := k.Room(); free != total {
		t.Errorf("%d of %d bytes are free in the end", free, total)
	}
	o.Scaling = true
	if _, err := app.Bench(context.Background(), o); err == nil || !strings.Contains(err.Error(), "scaling") {
		t.Errorf("scaling: %v", err)
	}
}

func TestTF32IsRefusedOnACPU(t *testing.T) {
	_, err := app.Bench(context.Background(), app.BenchOptions{Model: anEncoder(t), Tokens: 64, Length: 16, Batch: 4, Runs: 1,
		Methods: []string{"forward"}, Precision: "tf32"})
	if err == nil || !strings.Contains(err.Error(), "one of GPUs") {
		t.Errorf("error %v", err)
	}
}
