//go:build !(gpu && cgo && linux)

// Package cudatest is empty in a program that was built without the tag gpu, without cgo or not for Linux.
package cudatest
