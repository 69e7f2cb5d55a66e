//go:build gpu && emu && cgo && linux && !asan

package cuda_test

const sanitized = false
