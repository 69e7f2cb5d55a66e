//go:build gpu && !emu && cgo && linux

package cudatest

import "testing"

// Orders runs f, on the emulation twice, as Run does.
func Orders(t *testing.T, f func(t *testing.T)) { f(t) }
