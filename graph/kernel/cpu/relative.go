//go:build cgo

package cpu

/*
#include "kernels.h"

#cgo noescape graft_relative_scratch
#cgo nocallback graft_relative_scratch
#cgo noescape graft_relative
#cgo nocallback graft_relative
#cgo noescape graft_relative_grad
#cgo nocallback graft_relative_grad
*/
import "C"

import "github.com/seed-aefebe89/graft/graph/kernel"

// relativeWorkspace returns scratch memory for sequences of up to n tokens.
func (k *kernels) relativeWorkspace(n int32, d int, r kernel.Relative, grad bool) *C.float {
	var keys, queries int
	if n > 0 {
		_, keys = r.Keys.Span(int(n))
		_, queries = r.Queries.Span(int(n))
	}
	return k.workspace(C.graft_relative_scratch(k.table, C.long(n), C.long(d), C.long(keys), C.long(queries), flag(grad)))
}

// byDistance is C's view of the rows of relative positions, at distance 0.
func byDistance(p kernel.Positions) *C.int32_t {
	if p.X.Empty() {
		return nil
	}
	return ints(p.Rows.I32[len(p.Rows.I32)/2:])
}

// RelativeAttention implements kernel.Kernels.
func (k *kernels) RelativeAttention(out, q, key, v, bounds kernel.Tensor, r kernel.Relative, o kernel.Attention) {
	d := q.Cols() / o.Heads
	C.graft_relative(k.table, C.long(q.Rows()), C.long(o.Heads), C.long(d), C.long(len(bounds.I32)-1),
		ints(bounds.I32), floats(q.F32), floats(key.F32), floats(v.F32), floats(r.Keys.X.F32), byDistance(r.Keys),
		floats(r.Queries.X.F32), byDistance(r.Queries), C.float(o.Scale), floats(out.F32),
		k.relativeWorkspace(longest(bounds.I32), d, r, false))
}

// RelativeAttentionGrad implements kernel.Kernels.
func (k *kernels) RelativeAttentionGrad(out, keys, queries, q, key, v, bounds kernel.Tensor, r kernel.Relative, dy kernel.Tensor, o kernel.Attention) {
	d := q.Cols() / o.Heads
	clear(keys.F32)
	clear(queries.F32)
	C.graft_relative_grad(k.table, C.long(q.Rows()), C.long(o.Heads), C.long(d), C.long(len(bounds.I32)-1),
		ints(bounds.I32), floats(q.F32), floats(key.F32), floats(v.F32), floats(r.Keys.X.F32), byDistance(r.Keys),
		floats(r.Queries.X.F32), byDistance(r.Queries), floats(dy.F32), C.float(o.Scale), floats(out.F32),
		floats(keys.F32), floats(queries.F32), k.relativeWorkspace(longest(bounds.I32), d, r, true))
}
