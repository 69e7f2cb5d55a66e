// Package ort runs ONNX models in onnxruntime, with deltas as active adapters.
package ort

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	ort "github.com/yalue/onnxruntime_go"
)

// LibraryVariable is the environment variable that names onnxruntime's library.
const LibraryVariable = "GRAFT_ORT_LIB"

// ErrNoLibrary is wrapped by Load's error where no library is found.
var ErrNoLibrary = errors.New("onnxruntime's library was not found")

// candidates are where the library is looked for, after what the environment names: where make puts it, below the
// working folder and beside the program, and where Linux keeps libraries.
func candidates() []string {
	names := []string{"libonnxruntime.so.1", "libonnxruntime.so"}
	var dirs []string
	if wd, err := os.Getwd(); err == nil {
		dirs = append(dirs, filepath.Join(wd, ".ort"))
	}
	if exe, err := os.Executable(); err == nil {
		dir := filepath.Dir(exe)
		dirs = append(dirs, dir, filepath.Join(dir, ".ort"), filepath.Join(dir, "..", ".ort"))
	}
	dirs = append(dirs, "/usr/local/lib", "/usr/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu")
	var out []string
	for _, d := range dirs {
		for _, n := range names {
			out = append(out, filepath.Join(d, n))
		}
	}
	return out
}

// Find returns the path of onnxruntime's library.
func Find() (string, error) {
	if p := os.Getenv(LibraryVariable); p != "" {
		if _, err := os.Stat(p); err != nil {
			return "", fmt.Errorf("%s: %w: %w", LibraryVariable, ErrNoLibrary, err)
		}
		return p, nil
	}
	for _, p := range candidates() {
		if _, err := os.Stat(p); err == nil {
			return p, nil
		}
	}
	return "", fmt.Errorf("%w: run make ort in graft's folder, or let %s name libonnxruntime.so (version 1.29 or later)", ErrNoLibrary, LibraryVariable)
}

// loading guards the library's own process-wide environment.
var loading sync.Mutex

// Load loads onnxruntime once for the process; later calls do nothing.
func Load() error {
	loading.Lock()
	defer loading.Unlock()
	if ort.IsInitialized() {
		return nil
	}
	path, err := Find()
	if err != nil {
		return err
	}
	ort.SetSharedLibraryPath(path)
	if err := ort.InitializeEnvironment(ort.WithLogLevelError()); err != nil {
		return fmt.Errorf("loading %s: %w", path, err)
	}
	return nil
}
