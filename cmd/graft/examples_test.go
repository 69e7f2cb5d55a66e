package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/export/ort"
)

// The examples that --help shows of these commands, run as they stand.
func TestExamplesOfPullAndInspectRun(t *testing.T) {
	files := spread(t)
	files["onnx/model_fp16.onnx"] = files["onnx/model.onnx"]
	h := hosted(t, files)
	t.Chdir(t.TempDir())
	model, _ := folder(t)
	if err := os.CopyFS(filepath.Join("models", "e5-small"), os.DirFS(model)); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join("models", "e5-small", "model.onnx"), "model.onnx"); err != nil {
		t.Fatal(err)
	}
	inner := regexp.MustCompile(`"\$\(graft ([^)]*)\)"`)
	run := func(line string) string {
		args := strings.Fields(line)
		for i, a := range args {
			if i > 0 && args[i-1] == "pull" {
				h.ID = a
			}
		}
		return strings.TrimSpace(must(t, args...))
	}
	n := 0
	for _, c := range command().Commands() {
		if c.Name() != "pull" && c.Name() != "inspect" {
			continue
		}
		for _, line := range strings.Split(c.Example, "\n") {
			n++
			if ort.Load() != nil && strings.Contains(line, "--check") {
				continue
			}
			line = inner.ReplaceAllStringFunc(line, func(s string) string { return run(inner.FindStringSubmatch(s)[1]) })
			if out := run(strings.TrimPrefix(strings.TrimSpace(line), "graft ")); out == "" && !strings.Contains(line, "--svg") {
				t.Errorf("%s prints nothing", line)
			}
		}
	}
	if n != 7 {
		t.Errorf("%d examples ran, want 7", n)
	}
	for _, path := range []string{"e5-small.svg", "models/distilbert/onnx/model_fp16.onnx", "models/distilbert/config.json"} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}
