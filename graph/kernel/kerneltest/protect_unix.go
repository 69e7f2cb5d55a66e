//go:build unix

package kerneltest

import (
	"syscall"
	"testing"
)

// reserve is memory that nobody can touch.
func reserve(t testing.TB, bytes int) []byte {
	m, err := syscall.Mmap(-1, 0, bytes, syscall.PROT_NONE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(m) })
	return m
}

// protect lets nobody touch memory, or everybody.
func protect(m []byte, on bool) error {
	if on {
		return syscall.Mprotect(m, syscall.PROT_NONE)
	}
	return syscall.Mprotect(m, syscall.PROT_READ|syscall.PROT_WRITE)
}
