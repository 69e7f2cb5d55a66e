package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The flags of the engine: memory is told without a trace of work, the ways of saving it change no result, and a
// profile has a table and a trace.
func TestEngineFlags(t *testing.T) {
	model, file := folder(t)
	dir := t.TempDir()
	train := func(out string, flags ...string) []string {
		return append([]string{"train", "--model", model, "--train", file("aa", "train"), "--dev", file("aa", "dev"), "--method", "lora", "--rank", "2",
			"--epochs", "1", "--batch", "16", "--threads", "2", "-q", "--out", filepath.Join(dir, out)}, flags...)
	}
	prime := []string{"prime", "--model", model, "--source", file("aa", "train"), "--source", file("bb", "train"), "--steps", "2", "--batch", "8",
		"--size", "8", "--threads", "2", "-q", "--out", filepath.Join(dir, "told")}
	for _, command := range [][]string{train("told"), prime} {
		out := must(t, append(command, "--dry-run")...)
		for _, want := range []string{"weights, mapped", "weights, packed", "of 2 threads", "optimiser", "in all"} {
			if !strings.Contains(out, want) {
				t.Errorf("%s --dry-run prints %s, which lacks %q", command[0], out, want)
			}
		}
		if _, err := os.Stat(filepath.Join(dir, "told")); err == nil {
			t.Errorf("%s --dry-run made the output folder", command[0])
		}
	}

	trace := filepath.Join(dir, "trace.json")
	must(t, train("plain")...)
	out := must(t, train("saved", "--checkpoint-activations", "--profile", trace)...)
	if !strings.Contains(out, "AttentionGrad") || !strings.Contains(out, "GFLOP/s") {
		t.Errorf("train --profile prints %s", out)
	}
	var events struct{ TraceEvents []struct{ Name string } }
	b, err := os.ReadFile(trace)
	if err == nil {
		err = json.Unmarshal(b, &events)
	}
	if err != nil || len(events.TraceEvents) < 100 {
		t.Errorf("a trace of %d events, %v", len(events.TraceEvents), err)
	}
	must(t, train("small", "--low-memory")...)
	weights := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name, "adapter_model.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if weights("saved") != weights("plain") {
		t.Error("with activations computed again other weights are trained")
	}
	if len(weights("small")) != len(weights("plain")) {
		t.Error("without packed weights another delta is trained")
	}
	if _, err := graft(train("nowhere", "--profile", filepath.Join(dir, "no", "trace.json"))...); err == nil || !strings.Contains(err.Error(), "profile") {
		t.Errorf("a profile in a folder that is not there: %v", err)
	}
}
