// Package faults holds kernels for the tests of package cuda: some with planted faults, some that use each part of the
// kernels' language once.
package faults

import "embed"

// Files are the source and its PTX.
//
//go:embed *.cu *.ptx
var Files embed.FS
