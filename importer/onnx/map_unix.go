//go:build unix

package onnx

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// openFlags keeps the opening of a pipe or a device from waiting for its other end.
const openFlags = unix.O_NONBLOCK

func mapFile(f *os.File, size int) ([]byte, func() error, error) {
	b, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, fmt.Errorf("mapping the file: %w", err)
	}
	return b, func() error { return unix.Munmap(b) }, nil
}
