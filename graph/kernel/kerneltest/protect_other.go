//go:build !unix

package kerneltest

import "testing"

func reserve(_ testing.TB, bytes int) []byte { return make([]byte, bytes) }

func protect([]byte, bool) error { return nil }
