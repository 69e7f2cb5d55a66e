// Package testutil finds what tests read from outside the module.
package testutil

import (
	"os"
	"path/filepath"
	"testing"
)

// Root returns the module's root folder.
func Root(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			tb.Fatal("no go.mod above the working directory")
		}
		dir = up
	}
}

// Shared returns the path of a file or folder below ../shared, beside the module's root: fixtures, models and corpora
// that are not part of the module. The test is skipped where it is absent.
func Shared(tb testing.TB, elem ...string) string {
	tb.Helper()
	path := filepath.Join(append([]string{filepath.Dir(Root(tb)), "shared"}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		tb.Skipf("needs %s beside the project", filepath.Join(append([]string{"shared"}, elem...)...))
	}
	return path
}
