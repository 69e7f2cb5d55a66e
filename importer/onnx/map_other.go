//go:build !unix

package onnx

import (
	"io"
	"os"
)

const openFlags = 0

// mapFile reads the file: there is no mapping on this system.
func mapFile(f *os.File, size int) ([]byte, func() error, error) {
	b := make([]byte, size)
	_, err := io.ReadFull(f, b)
	return b, nil, err
}
