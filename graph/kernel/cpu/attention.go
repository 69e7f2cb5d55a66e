//go:build cgo

package cpu

/*
#include "kernels.h"

#cgo noescape graft_attention_scratch
#cgo nocallback graft_attention_scratch
#cgo noescape graft_attention
#cgo nocallback graft_attention
#cgo noescape graft_attention_grad
#cgo nocallback graft_attention_grad
*/
import "C"

import "github.com/seed-aefebe89/graft/graph/kernel"

// longest is the length of the longest sequence.
func longest(bounds []int32) int32 {
	var n int32
	for i := 1; i < len(bounds); i++ {
		n = max(n, bounds[i]-bounds[i-1])
	}
	return n
}

// Attention implements kernel.Kernels.
func (k *kernels) Attention(out, q, key, v, bounds kernel.Tensor, o kernel.Attention) {
	d := q.Cols() / o.Heads
	scratch := k.workspace(C.graft_attention_scratch(k.table, C.long(longest(bounds.I32)), C.long(d), 0))
	C.graft_attention(k.table, C.long(q.Rows()), C.long(o.Heads), C.long(d), C.long(len(bounds.I32)-1),
		ints(bounds.I32), floats(q.F32), floats(key.F32), floats(v.F32), C.float(o.Scale), floats(out.F32), scratch)
}

// AttentionGrad implements kernel.Kernels.
func (k *kernels) AttentionGrad(out, q, key, v, bounds, dy kernel.Tensor, o kernel.Attention) {
	d := q.Cols() / o.Heads
	scratch := k.workspace(C.graft_attention_scratch(k.table, C.long(longest(bounds.I32)), C.long(d), 1))
	C.graft_attention_grad(k.table, C.long(q.Rows()), C.long(o.Heads), C.long(d), C.long(len(bounds.I32)-1),
		ints(bounds.I32), floats(q.F32), floats(key.F32), floats(v.F32), floats(dy.F32), C.float(o.Scale),
		floats(out.F32), scratch)
}
