// Package include holds the C headers of the CUDA packages and the headers that kernels include. It embeds them so
// that Go's build cache sees a change: it knows of a header in another directory only through an import.
package include

import "embed"

// Files are the headers by name.
//
//go:embed *.h *.cuh *.hpp
var Files embed.FS
