//go:build gpu && emu && cgo && linux

package cudatest

import (
	"testing"

	"github.com/seed-aefebe89/graft/internal/cuda/emu"
)

func orders(t *testing.T, f func(t *testing.T)) {
	for _, reverse := range []bool{false, true} {
		name := "forwards"
		if reverse {
			name = "backwards"
		}
		t.Run(name, func(t *testing.T) {
			emu.Reverse(reverse)
			before := emu.Live()
			t.Cleanup(func() {
				emu.Reverse(false)
				if n := emu.Live() - before; n != 0 {
					t.Errorf("%d pieces of memory are not freed", n)
				}
			})
			f(t)
		})
	}
}
