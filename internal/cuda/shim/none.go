//go:build !(gpu && cgo && linux)

// Package shim is empty in a program that was built without the tag gpu, without cgo or not for Linux.
package shim

//go:generate go run generate.go
