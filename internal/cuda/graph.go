//go:build gpu && cgo && linux

package cuda

/*
#include "cuda.h"

static CUresult begin(CUcontext c, CUstream s) {
  CUresult r = cuCtxSetCurrent(c);
  return r ? r : cuStreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
}
static CUresult instantiate(CUgraphExec *e, CUgraph g) { return cuGraphInstantiateWithFlags(e, g, 0); }
static CUresult start(CUcontext c, CUgraphExec e, CUstream s) {
  CUresult r = cuCtxSetCurrent(c);
  return r ? r : cuGraphLaunch(e, s);
}
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime"
)

// Graph is a sequence of work that is started at once.
type Graph struct {
	device *Device
	exec   C.CUgraphExec
}

// Capture takes down what f asks of the stream, without doing it. The addresses and arguments are part of the graph.
// f allocates nothing, waits for nothing, and stays in its goroutine.
func (s *Stream) Capture(f func() error) (*Graph, error) {
	runtime.LockOSThread() // a capture belongs to a thread
	defer runtime.UnlockOSThread()
	if err := check("cuStreamBeginCapture", C.begin(s.device.raw, s.raw)); err != nil {
		return nil, fmt.Errorf("capturing a stream: %w", err)
	}
	err := f()
	var g C.CUgraph
	err = errors.Join(err, check("cuStreamEndCapture", C.cuStreamEndCapture(s.raw, &g)))
	if g != nil {
		defer C.cuGraphDestroy(g)
	}
	if err != nil {
		return nil, fmt.Errorf("capturing a stream: %w", err)
	}
	e := &Graph{device: s.device}
	if err := check("cuGraphInstantiate", C.instantiate(&e.exec, g)); err != nil {
		return nil, fmt.Errorf("capturing a stream: %w", err)
	}
	return e, nil
}

// Start asks for all of the graph.
func (s *Stream) Start(g *Graph) error {
	return check("cuGraphLaunch", C.start(s.device.raw, g.exec, s.raw))
}

// Close gives the graph back. It is not under way.
func (g *Graph) Close() error {
	return g.device.do("cuGraphExecDestroy", func() error {
		return check("cuGraphExecDestroy", C.cuGraphExecDestroy(g.exec))
	})
}
