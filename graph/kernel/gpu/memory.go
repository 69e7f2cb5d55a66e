//go:build gpu && cgo && linux

package gpu

import (
	"errors"
	"fmt"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/internal/cuda"
)

// piece is how many bytes are copied at a time through pinned memory.
const piece = 4 << 20

// Alloc implements kernel.Memory.
func (k *kernels) Alloc(n int) ([]float32, error) {
	if k.recording {
		return nil, fmt.Errorf("allocating %d bytes: not while recording", 4*n)
	}
	p, err := k.device.Alloc(4 * max(n, 1))
	if err != nil {
		return nil, err
	}
	k.held[p] = true
	return floats(p, n), nil
}

// Free implements kernel.Memory.
func (k *kernels) Free(x []float32) {
	p := address(kernel.F32(x))
	if !k.held[p] {
		k.fail(fmt.Errorf("freeing memory at %#x: it was not given out", uint64(p)))
		return
	}
	delete(k.held, p)
	k.check(k.device.Free(p))
}

// hostBytes are the elements of a tensor of the host.
func hostBytes(t kernel.Tensor) []byte {
	if t.I32 != nil {
		return cuda.Bytes(t.I32)
	}
	return cuda.Bytes(t.F32)
}

// copied checks that a copy can be asked for, and has sides of the same size.
func (k *kernels) copied(verb string, to, from kernel.Tensor) error {
	switch {
	case k.err != nil:
		return k.err
	case k.recording:
		return fmt.Errorf("%s %d elements: not while recording", verb, len(from.F32)+len(from.I32))
	case len(to.F32) != len(from.F32) || len(to.I32) != len(from.I32):
		return fmt.Errorf("%s %d float32 and %d int32: there is place for %d and %d", verb, len(from.F32), len(from.I32),
			len(to.F32), len(to.I32))
	}
	return nil
}

// stage is pinned memory with the place in the stream behind which a copy through it is done.
type stage struct {
	pinned *cuda.Pinned
	event  *cuda.Event
	busy   bool
}

// ready makes the stage hold so many bytes and waits until nothing is copied through it.
func (s *stage) ready(d *cuda.Device, n int) (err error) {
	if s.busy {
		if err := s.event.Sync(); err != nil {
			return err
		}
		s.busy = false
	}
	if s.event == nil {
		if s.event, err = d.NewEvent(); err != nil {
			return err
		}
	}
	if s.pinned != nil && len(s.pinned.Bytes()) >= n {
		return nil
	}
	if s.pinned != nil {
		if err := s.pinned.Free(); err != nil {
			return err
		}
	}
	size := 4096
	for size < n {
		size *= 2
	}
	s.pinned, err = d.AllocPinned(size)
	return err
}

// sent puts the stage's event behind the copy that was just asked for.
func (s *stage) sent(stream *cuda.Stream) error {
	s.busy = true
	return stream.Record(s.event)
}

func (s *stage) close() error {
	var errs []error
	if s.event != nil {
		errs = append(errs, s.event.Close())
	}
	if s.pinned != nil {
		errs = append(errs, s.pinned.Free())
	}
	*s = stage{}
	return errors.Join(errs...)
}

// ring are stages that take turns.
type ring struct {
	stages [4]stage
	next   int
}

func (r *ring) close() error {
	var errs []error
	for i := range r.stages {
		errs = append(errs, r.stages[i].close())
	}
	return errors.Join(errs...)
}

// Upload implements kernel.Memory: through pinned memory, so that it returns before the stream comes there.
func (k *kernels) Upload(to, from kernel.Tensor) {
	if err := k.copied("uploading", to, from); err != nil {
		k.fail(err)
		return
	}
	at, rest := address(to), hostBytes(from)
	for len(rest) > 0 {
		n := min(len(rest), piece)
		s := &k.up.stages[k.up.next]
		k.up.next = (k.up.next + 1) % len(k.up.stages)
		if err := k.send(s, at, rest[:n]); err != nil {
			k.fail(fmt.Errorf("uploading %d bytes: %w", n, err))
			return
		}
		at, rest = at+cuda.Ptr(n), rest[n:]
	}
}

func (k *kernels) send(s *stage, to cuda.Ptr, from []byte) error {
	if err := s.ready(k.Device, len(from)); err != nil {
		return err
	}
	copy(s.pinned.Bytes(), from)
	k.forget()
	if err := k.stream.UploadPinned(to, s.pinned, 0, len(from)); err != nil {
		return err
	}
	return s.sent(k.stream)
}

// Download implements kernel.Memory: a piece is copied to its place while the next one comes.
func (k *kernels) Download(to, from kernel.Tensor) error {
	if err := k.copied("downloading", to, from); err != nil {
		return err
	}
	at, rest := address(from), hostBytes(to)
	wait := func() error { return nil }
	for len(rest) > 0 {
		n := min(len(rest), piece)
		next := k.fetch(rest[:n], at)
		if err := wait(); err != nil {
			_ = next()
			return err
		}
		wait, at, rest = next, at+cuda.Ptr(n), rest[n:]
	}
	return wait()
}

// Fetch implements kernel.Memory.
func (k *kernels) Fetch(to, from kernel.Tensor) (wait func() error) {
	if err := k.copied("downloading", to, from); err != nil {
		return func() error { return err }
	}
	return k.fetch(hostBytes(to), address(from))
}

func (k *kernels) fetch(to []byte, from cuda.Ptr) (wait func() error) {
	if len(to) == 0 {
		return func() error { return k.err }
	}
	s := &stage{}
	if n := len(k.down); n > 0 {
		s, k.down = k.down[n-1], k.down[:n-1]
	}
	err := s.ready(k.Device, len(to))
	if err == nil {
		err = k.stream.DownloadPinned(s.pinned, 0, len(to), from)
	}
	if err == nil {
		err = s.sent(k.stream)
	}
	if err != nil {
		k.fail(fmt.Errorf("downloading %d bytes: %w", len(to), err))
	}
	return func() error {
		if s == nil {
			return k.err
		}
		if k.err == nil {
			if err := s.event.Sync(); err != nil {
				k.fail(fmt.Errorf("downloading %d bytes: %w", len(to), err))
			} else {
				s.busy = false
				copy(to, s.pinned.Bytes())
			}
		}
		k.down, s = append(k.down, s), nil
		return k.err
	}
}

// Sync implements kernel.Memory.
func (k *kernels) Sync() error {
	k.check(k.stream.Sync())
	return k.err
}

// Room implements kernel.Memory.
func (k *kernels) Room() (free, total int, err error) { return k.device.Room() }
