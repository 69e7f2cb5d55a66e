//go:build cgo

package cpu

/*
#include "kernels.h"

#cgo noescape graft_gather
#cgo nocallback graft_gather
#cgo noescape graft_scatter
#cgo nocallback graft_scatter
*/
import "C"

import "github.com/seed-aefebe89/graft/graph/kernel"

// Embed implements kernel.Kernels.
func (k *kernels) Embed(out kernel.Tensor, tables, ids []kernel.Tensor) {
	for i, table := range tables {
		C.graft_gather(k.table, C.long(out.Rows()), C.long(out.Cols()), floats(table.F32), ints(ids[i].I32), flag(i > 0),
			floats(out.F32))
	}
}

// EmbedGrad implements kernel.Kernels.
func (k *kernels) EmbedGrad(out, ids, dy kernel.Tensor) { k.scatter(out, ids, dy) }

// Rows implements kernel.Kernels.
func (k *kernels) Rows(out, x, idx kernel.Tensor) {
	C.graft_gather(k.table, C.long(out.Rows()), C.long(out.Cols()), floats(x.F32), ints(idx.I32), 0, floats(out.F32))
}

// RowsGrad implements kernel.Kernels.
func (k *kernels) RowsGrad(dx, idx, dy kernel.Tensor) { k.scatter(dx, idx, dy) }

func (k *kernels) scatter(out, index, dy kernel.Tensor) {
	C.graft_scatter(k.table, C.long(out.Rows()), C.long(len(index.I32)), C.long(out.Cols()), floats(dy.F32),
		ints(index.I32), floats(out.F32))
}
