//go:build unix

package onnx

import (
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPipesAreRefusedWithoutWaiting(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(pipe, 0o644); err != nil {
		t.Skip("no pipes here:", err)
	}
	if _, err := Open(pipe); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("opening a pipe: %v", err)
	}
	x := open(t, write(t, inGraph(outside("pipe", "", "")), dir, "model.onnx")).Graph.Initializers[0]
	if _, err := x.Bytes(); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("external data in a pipe: %v", err)
	}
}
