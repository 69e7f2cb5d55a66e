//go:build !asan && !msan

package kerneltest

// instrumented tells that the compiler adds calls that allocate.
const instrumented = false
