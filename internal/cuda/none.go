//go:build !(gpu && cgo && linux)

// Package cuda drives an NVIDIA GPU. This program was built without it: without the tag gpu, without cgo or not for
// Linux.
package cuda

import "errors"

// Device is an open GPU.
type Device struct{}

// Status says that there is nothing that drives GPUs here.
func Status() (ok bool, text string) {
	return false, "this program was built without GPU support: build for Linux with cgo and -tags gpu, as make build does"
}

// Open fails, saying why.
func Open(int) (*Device, error) {
	_, text := Status()
	return nil, errors.New(text)
}
