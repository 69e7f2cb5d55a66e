//go:build !(gpu && emu && cgo && linux)

// Package emu is empty in a program that was built without the tags gpu and emu, without cgo or not for Linux.
package emu
