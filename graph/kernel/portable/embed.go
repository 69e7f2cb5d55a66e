package portable

import "github.com/seed-aefebe89/graft/graph/kernel"

// Embed implements kernel.Kernels.
func (*kernels) Embed(out kernel.Tensor, tables, ids []kernel.Tensor) {
	n := out.Cols()
	for t := range out.Rows() {
		to := out.F32[t*n : t*n+n]
		for k, table := range tables {
			row := rowOf(table, int(ids[k].I32[t]), n)
			if k == 0 {
				copy(to, row)
			} else {
				add(to, to, row)
			}
		}
	}
}

// EmbedGrad implements kernel.Kernels.
func (*kernels) EmbedGrad(out, ids, dy kernel.Tensor) { scatter(out, ids, dy) }

// Rows implements kernel.Kernels.
func (*kernels) Rows(out, x, idx kernel.Tensor) {
	n := out.Cols()
	for i, r := range idx.I32 {
		copy(out.F32[i*n:i*n+n], rowOf(x, int(r), n))
	}
}

// RowsGrad implements kernel.Kernels.
func (*kernels) RowsGrad(dx, idx, dy kernel.Tensor) { scatter(dx, idx, dy) }

// scatter adds row i of dy to row index[i] of out, which starts at zero.
func scatter(out, index, dy kernel.Tensor) {
	clear(out.F32)
	Nodewise{}.AddRows(out, index, dy)
}

func rowOf(x kernel.Tensor, i, n int) []float32 { return x.F32[i*n : i*n+n] }
