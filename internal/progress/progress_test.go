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

func TestTheZeroReporterIsSilent(t *testing.T) {
	var r *Reporter
	b := r.Start("work", 1)
	b.Add(1, "")
	b.Done()
	r.Printf("text")
}
