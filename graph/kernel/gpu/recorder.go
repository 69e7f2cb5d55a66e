//go:build gpu && cgo && linux

package gpu

import (
	"errors"
	"fmt"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/internal/cuda"
)

// recording is a captured graph of kernels.
type recording struct {
	k     *kernels
	graph *cuda.Graph
}

// Record implements kernel.Recorder. f is called again where the workspace must grow for what it asks, or kernels of it must
// be loaded.
func (k *kernels) Record(f func()) (kernel.Recording, error) {
	if k.err != nil {
		return nil, k.err
	}
	if k.recording {
		return nil, errors.New("recording: another recording is under way")
	}
	for {
		g, err := k.capture(f)
		if err != nil {
			return nil, fmt.Errorf("recording: %w", err)
		}
		if k.workspace.wanted <= k.workspace.size && len(k.missing) == 0 {
			k.graphs++
			return &recording{k, g}, nil
		}
		k.check(g.Close())
		if k.provide(); k.err != nil {
			return nil, fmt.Errorf("recording: %w", k.err)
		}
	}
}

// provide gets what the last capture found missing.
func (k *kernels) provide() {
	for _, name := range k.missing {
		_, err := k.library.Function(name)
		k.check(err)
	}
	if k.workspace.wanted > k.workspace.size {
		k.grow(k.workspace.wanted)
	}
}

// capture takes down f. What goes wrong there was not done, and does not stay.
func (k *kernels) capture(f func()) (*cuda.Graph, error) {
	k.forget()
	k.recording, k.workspace.wanted, k.missing = true, 0, k.missing[:0]
	defer func() {
		k.recording, k.err = false, nil
		k.forget()
	}()
	return k.stream.Capture(func() error {
		f()
		return k.err
	})
}

// Replay implements kernel.Recording.
func (r *recording) Replay() {
	if r.k.err != nil {
		return
	}
	if r.graph == nil {
		r.k.fail(errors.New("replaying a recording that was released"))
		return
	}
	r.k.forget()
	r.k.check(r.k.stream.Start(r.graph))
}

// Release implements kernel.Recording.
func (r *recording) Release() {
	if r.graph == nil {
		return
	}
	r.k.check(errors.Join(r.k.stream.Sync(), r.graph.Close()))
	r.graph = nil
	r.k.graphs--
}
