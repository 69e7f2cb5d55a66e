//go:build gpu && emu && cgo && linux

package cudatest

import (
	"testing"

	"github.com/seed-aefebe89/graft/internal/cuda/emu"
)

// Orders runs f twice, with the threads of a block first to last and last to first, and fails where device memory is left
// over.
func Orders(t *testing.T, f func(t *testing.T)) {
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
