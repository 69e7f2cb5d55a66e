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
#cgo noescape graft_attention_bias_grad
#cgo nocallback graft_attention_bias_grad
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

// attentionScratch is the scratch memory of attention, or of its gradients.
func (k *kernels) attentionScratch(q, bounds kernel.Tensor, o kernel.Attention, grad bool) *C.float {
	return k.workspace(C.graft_attention_scratch(k.table, C.long(longest(bounds.I32)), C.long(q.Cols()/o.Heads),
		C.long(o.Window), flag(!o.Bias.Empty()), flag(grad)))
}

// biasRows is the number of rows of a bias, 0 where there is none.
func biasRows(o kernel.Attention) C.long {
	if o.Bias.Empty() {
		return 0
	}
	return C.long(o.Bias.Rows())
}

// Attention implements kernel.Kernels.
func (k *kernels) Attention(out, q, key, v, bounds kernel.Tensor, o kernel.Attention) {
	C.graft_attention(k.table, C.long(q.Rows()), C.long(o.Heads), C.long(q.Cols()/o.Heads), C.long(len(bounds.I32)-1),
		ints(bounds.I32), floats(q.F32), floats(key.F32), floats(v.F32), C.float(o.Scale), C.long(o.Window),
		floats(o.Bias.F32), biasRows(o), floats(out.F32), k.attentionScratch(q, bounds, o, false))
}

// AttentionGrad implements kernel.Kernels.
func (k *kernels) AttentionGrad(out, q, key, v, bounds, dy kernel.Tensor, o kernel.Attention) {
	C.graft_attention_grad(k.table, C.long(q.Rows()), C.long(o.Heads), C.long(q.Cols()/o.Heads),
		C.long(len(bounds.I32)-1), ints(bounds.I32), floats(q.F32), floats(key.F32), floats(v.F32), floats(dy.F32),
		C.float(o.Scale), C.long(o.Window), floats(o.Bias.F32), biasRows(o), floats(out.F32),
		k.attentionScratch(q, bounds, o, true))
}

// AttentionBiasGrad implements kernel.Kernels.
func (k *kernels) AttentionBiasGrad(out, q, key, v, bounds, dy kernel.Tensor, o kernel.Attention) {
	C.graft_attention_bias_grad(k.table, C.long(q.Rows()), C.long(o.Heads), C.long(q.Cols()/o.Heads),
		C.long(len(bounds.I32)-1), ints(bounds.I32), floats(q.F32), floats(key.F32), floats(v.F32), floats(dy.F32),
		C.float(o.Scale), C.long(o.Window), floats(o.Bias.F32), biasRows(o), floats(out.F32),
		k.attentionScratch(q, bounds, o, true))
}
