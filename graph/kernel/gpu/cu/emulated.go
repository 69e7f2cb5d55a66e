//go:build gpu && emu && cgo && linux

package cu

// #cgo CPPFLAGS: -DGRAFT_EMULATED -I${SRCDIR}/../../../../internal/cuda/include
// #cgo CXXFLAGS: -O2 -std=c++17 -fno-exceptions -fno-rtti
// #cgo LDFLAGS: -lm
import "C"

import (
	_ "github.com/seed-aefebe89/graft/internal/cuda/emu"     // runs them
	_ "github.com/seed-aefebe89/graft/internal/cuda/include" // so that the build cache sees the headers
)
