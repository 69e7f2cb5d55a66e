//go:build gpu && cgo && linux

package gpu

import (
	"math/bits"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/internal/cuda"
)

// sortItems are the items of a block in scatter.cu.
const sortItems = 1024

// EmbedGrad implements kernel.Kernels.
func (k *kernels) EmbedGrad(out, ids, dy kernel.Tensor) {
	k.Fill(out, 0)
	k.AddRows(out, ids, dy)
}

// RowsGrad implements kernel.Kernels.
func (k *kernels) RowsGrad(dx, idx, dy kernel.Tensor) { k.EmbedGrad(dx, idx, dy) }

// AddRows implements kernel.Kernels: positions are sorted by their row, then each row is summed.
func (k *kernels) AddRows(y, idx, x kernel.Tensor) {
	count, n := len(idx.I32), y.Cols()
	if count == 0 || n == 0 {
		return
	}
	keys, positions := k.sort(at(idx), count, y.Rows())
	threads := min(256, 32*ceil(n, 32))
	k.launch("run_sums", cuda.Grid{Blocks: cuda.Dim{X: count, Y: ceil(n, threads)}, Threads: cuda.Dim{X: threads}}, at(y), keys,
		positions, at(x), cuda.I(count), cuda.I(n))
}

// sort returns where count keys below limit stand in order, and where the position of each stands: in scratch memory that
// the next kernel may use.
func (k *kernels) sort(keys cuda.Arg, count, limit int) (sorted, positions cuda.Arg) {
	blocks := ceil(count, sortItems)
	scratch := k.scratch(4*256*blocks, 4*count, 4*count, 4*count, 4*count)
	counts := cuda.P(scratch[0])
	g := cuda.Line(blocks, 128)
	positions = null
	for pass := 0; 8*pass < max(1, bits.Len(uint(limit-1))); pass++ {
		toKeys, toPositions := cuda.P(scratch[1+pass%2*2]), cuda.P(scratch[2+pass%2*2])
		k.launch("sort_count", g, counts, keys, cuda.I(8*pass), cuda.I(count))
		k.launch("sort_scan", cuda.Line(1, 1024), counts, cuda.I(256*blocks))
		k.launch("sort_place", g, toKeys, toPositions, keys, positions, counts, cuda.I(8*pass), cuda.I(count))
		keys, positions = toKeys, toPositions
	}
	return keys, positions
}
