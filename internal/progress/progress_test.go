package progress

import (
	"strings"
	"testing"
	"time"
)

func TestLinesTellHowFarWorkIs(t *testing.T) {
	var w strings.Builder
	b := Lines(&w, 0).Start("epoch 1", 3)
	b.Add(2, "loss 0.5")
	b.Add(1, "")
	b.Done()
	got := strings.Split(strings.TrimSpace(w.String()), "\n")
	if len(got) != 3 || !strings.HasPrefix(got[0], "epoch 1 2/3") || !strings.HasSuffix(got[2], "loss 0.5") {
		t.Errorf("got %q", got)
	}
}

func TestSlowLinesComeOnlyAtTheEnd(t *testing.T) {
	var w strings.Builder
	b := Lines(&w, time.Hour).Start("work", 100)
	for range 100 {
		b.Add(1, "x")
	}
	b.Done()
	if n := strings.Count(w.String(), "\n"); n != 1 {
		t.Errorf("%d lines, want 1: %q", n, w.String())
	}
}

func TestBytesAreCountedFromWhatWasThere(t *testing.T) {
	for want, x := range map[string]struct {
		size, done int64
		add        int
	}{"model.onnx 2.5/3.0 MB": {3e6, 1e6, 15e5}, "model.onnx 1.6/2.0 kB": {2000, 100, 1500}} {
		var w strings.Builder
		b := Lines(&w, time.Hour).StartBytes("model.onnx", x.size, x.done)
		b.Add(x.add, "")
		b.Done()
		if !strings.HasPrefix(w.String(), want) {
			t.Errorf("%q, want %q", w.String(), want)
		}
	}
}

func TestTheZeroReporterIsSilent(t *testing.T) {
	var r *Reporter
	b := r.Start("work", 1)
	b.Add(1, "")
	b.Done()
	r.Printf("text")
}
