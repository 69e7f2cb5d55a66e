//go:build gpu && cgo && linux

package gpu

import (
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/internal/cuda"
)

// tileColumns are the columns of a warp's tile in rows.cu.
const tileColumns = 1024

// tiles is the grid of a warp for each row and tile of columns.
func tiles(rows, cols int) cuda.Grid {
	g := warps(rows)
	g.Blocks.Y = ceil(cols, tileColumns)
	return g
}

// AddRow implements kernel.Kernels.
func (k *kernels) AddRow(out, x, row kernel.Tensor) { k.byRow("add_row", out, x, row) }

// MulRow implements kernel.Kernels.
func (k *kernels) MulRow(out, x, row kernel.Tensor) { k.byRow("mul_row", out, x, row) }

func (k *kernels) byRow(name string, out, x, row kernel.Tensor) {
	if m, n := out.Rows(), out.Cols(); m > 0 && n > 0 {
		k.launch(name, tiles(m, n), at(out), at(x), at(row), cuda.L(m), cuda.I(n))
	}
}

// Embed implements kernel.Kernels: three tables at a time.
func (k *kernels) Embed(out kernel.Tensor, tables, ids []kernel.Tensor) {
	m, n := out.Rows(), out.Cols()
	if m == 0 || n == 0 {
		return
	}
	for first := 0; first < len(tables); first += 3 {
		var table, id [3]kernel.Tensor
		copy(table[:], tables[first:])
		copy(id[:], ids[first:])
		k.launch("embed_rows", tiles(m, n), at(out), at(table[0]), at(table[1]), at(table[2]), at(id[0]),
			at(id[1]), at(id[2]), cuda.I(min(first, 1)),
			cuda.L(m), cuda.I(n))
	}
}

// Rows implements kernel.Kernels.
func (k *kernels) Rows(out, x, idx kernel.Tensor) {
	if m, n := out.Rows(), out.Cols(); m > 0 && n > 0 {
		k.launch("embed_rows", tiles(m, n), at(out), at(x), null, null, at(idx), null, null, cuda.I(0), cuda.L(m),
			cuda.I(n))
	}
}

// OneHot implements kernel.Kernels.
func (k *kernels) OneHot(out, labels kernel.Tensor) {
	if m, n := out.Rows(), out.Cols(); m > 0 && n > 0 {
		k.launch("one_hot", tiles(m, n), at(out), at(labels), cuda.L(m), cuda.I(n))
	}
}
