//go:build gpu && !emu && cgo && linux

package cudatest

import "testing"

func orders(t *testing.T, f func(t *testing.T)) { f(t) }
