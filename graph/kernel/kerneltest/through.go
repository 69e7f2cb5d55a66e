package kerneltest

import (
	"slices"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// through are Kernels every call of which goes through one function: it is given the operands, the first outs of which
// are written, and what computes the result of operands that stand in their places.
type through struct {
	name string
	do   func(outs int, ts []kernel.Tensor, f func(k kernel.Kernels, t []kernel.Tensor))
}

// Name implements kernel.Kernels.
func (w *through) Name() string { return w.name }

// MatMul implements kernel.Kernels.
func (w *through) MatMul(out, a, b kernel.Tensor, o kernel.MatMul) {
	w.do(1, []kernel.Tensor{out, a, b, o.Bias}, func(k kernel.Kernels, t []kernel.Tensor) {
		o.Bias = t[3]
		k.MatMul(t[0], t[1], t[2], o)
	})
}

// BatchMatMul implements kernel.Kernels.
func (w *through) BatchMatMul(out, a, b kernel.Tensor, o kernel.MatMul) {
	w.do(1, []kernel.Tensor{out, a, b}, func(k kernel.Kernels, t []kernel.Tensor) { k.BatchMatMul(t[0], t[1], t[2], o) })
}

// ColSum implements kernel.Kernels.
func (w *through) ColSum(out, x kernel.Tensor) {
	w.do(1, []kernel.Tensor{out, x}, func(k kernel.Kernels, t []kernel.Tensor) { k.ColSum(t[0], t[1]) })
}

// Add implements kernel.Kernels.
func (w *through) Add(out, a, b kernel.Tensor) {
	w.do(1, []kernel.Tensor{out, a, b}, func(k kernel.Kernels, t []kernel.Tensor) { k.Add(t[0], t[1], t[2]) })
}

// Mul implements kernel.Kernels.
func (w *through) Mul(out, a, b kernel.Tensor) {
	w.do(1, []kernel.Tensor{out, a, b}, func(k kernel.Kernels, t []kernel.Tensor) { k.Mul(t[0], t[1], t[2]) })
}

// Scale implements kernel.Kernels.
func (w *through) Scale(out, x kernel.Tensor, s float32) {
	w.do(1, []kernel.Tensor{out, x}, func(k kernel.Kernels, t []kernel.Tensor) { k.Scale(t[0], t[1], s) })
}

// AddRow implements kernel.Kernels.
func (w *through) AddRow(out, x, row kernel.Tensor) {
	w.do(1, []kernel.Tensor{out, x, row}, func(k kernel.Kernels, t []kernel.Tensor) { k.AddRow(t[0], t[1], t[2]) })
}

// MulRow implements kernel.Kernels.
func (w *through) MulRow(out, x, row kernel.Tensor) {
	w.do(1, []kernel.Tensor{out, x, row}, func(k kernel.Kernels, t []kernel.Tensor) { k.MulRow(t[0], t[1], t[2]) })
}

// Shift implements kernel.Kernels.
func (w *through) Shift(out, x kernel.Tensor, c float32) {
	w.do(1, []kernel.Tensor{out, x}, func(k kernel.Kernels, t []kernel.Tensor) { k.Shift(t[0], t[1], c) })
}

// Fill implements kernel.Kernels.
func (w *through) Fill(out kernel.Tensor, v float32) {
	w.do(1, []kernel.Tensor{out}, func(k kernel.Kernels, t []kernel.Tensor) { k.Fill(t[0], v) })
}

// Copy implements kernel.Kernels.
func (w *through) Copy(out, x kernel.Tensor, s kernel.Strides) {
	w.do(1, []kernel.Tensor{out, x}, func(k kernel.Kernels, t []kernel.Tensor) { k.Copy(t[0], t[1], s) })
}

// Activate implements kernel.Kernels.
func (w *through) Activate(out, x kernel.Tensor, f kernel.Activation) {
	w.do(1, []kernel.Tensor{out, x}, func(k kernel.Kernels, t []kernel.Tensor) { k.Activate(t[0], t[1], f) })
}

// ActivateGrad implements kernel.Kernels.
func (w *through) ActivateGrad(dx, x, dy kernel.Tensor, f kernel.Activation) {
	w.do(1, []kernel.Tensor{dx, x, dy}, func(k kernel.Kernels, t []kernel.Tensor) { k.ActivateGrad(t[0], t[1], t[2], f) })
}

// LayerNorm implements kernel.Kernels.
func (w *through) LayerNorm(out, x, residual, gamma, beta kernel.Tensor, eps float32) {
	w.do(1, []kernel.Tensor{out, x, residual, gamma, beta}, func(k kernel.Kernels, t []kernel.Tensor) {
		k.LayerNorm(t[0], t[1], t[2], t[3], t[4], eps)
	})
}

// LayerNormGrad implements kernel.Kernels.
func (w *through) LayerNormGrad(dz, x, residual, gamma, dy kernel.Tensor, eps float32) {
	w.do(1, []kernel.Tensor{dz, x, residual, gamma, dy}, func(k kernel.Kernels, t []kernel.Tensor) {
		k.LayerNormGrad(t[0], t[1], t[2], t[3], t[4], eps)
	})
}

// LayerNormParamGrad implements kernel.Kernels.
func (w *through) LayerNormParamGrad(out, x, residual, dy kernel.Tensor, eps float32) {
	w.do(1, []kernel.Tensor{out, x, residual, dy}, func(k kernel.Kernels, t []kernel.Tensor) {
		k.LayerNormParamGrad(t[0], t[1], t[2], t[3], eps)
	})
}

// Embed implements kernel.Kernels.
func (w *through) Embed(out kernel.Tensor, tables, ids []kernel.Tensor) {
	n := len(tables)
	w.do(1, slices.Concat([]kernel.Tensor{out}, tables, ids), func(k kernel.Kernels, t []kernel.Tensor) {
		k.Embed(t[0], t[1:n+1], t[n+1:])
	})
}

// EmbedGrad implements kernel.Kernels.
func (w *through) EmbedGrad(out, ids, dy kernel.Tensor) {
	w.do(1, []kernel.Tensor{out, ids, dy}, func(k kernel.Kernels, t []kernel.Tensor) { k.EmbedGrad(t[0], t[1], t[2]) })
}

// Rows implements kernel.Kernels.
func (w *through) Rows(out, x, idx kernel.Tensor) {
	w.do(1, []kernel.Tensor{out, x, idx}, func(k kernel.Kernels, t []kernel.Tensor) { k.Rows(t[0], t[1], t[2]) })
}

// RowsGrad implements kernel.Kernels.
func (w *through) RowsGrad(dx, idx, dy kernel.Tensor) {
	w.do(1, []kernel.Tensor{dx, idx, dy}, func(k kernel.Kernels, t []kernel.Tensor) { k.RowsGrad(t[0], t[1], t[2]) })
}

// AddRows implements kernel.Kernels.
func (w *through) AddRows(y, idx, x kernel.Tensor) {
	w.do(1, []kernel.Tensor{y, idx, x}, func(k kernel.Kernels, t []kernel.Tensor) { k.AddRows(t[0], t[1], t[2]) })
}

// OneHot implements kernel.Kernels.
func (w *through) OneHot(out, labels kernel.Tensor) {
	w.do(1, []kernel.Tensor{out, labels}, func(k kernel.Kernels, t []kernel.Tensor) { k.OneHot(t[0], t[1]) })
}

// Rotary implements kernel.Kernels.
func (w *through) Rotary(out, x, cos, sin kernel.Tensor, o kernel.Rotary) {
	w.do(1, []kernel.Tensor{out, x, cos, sin}, func(k kernel.Kernels, t []kernel.Tensor) { k.Rotary(t[0], t[1], t[2], t[3], o) })
}

// Attention implements kernel.Kernels.
func (w *through) Attention(out, q, k, v, bounds kernel.Tensor, o kernel.Attention) {
	w.do(1, []kernel.Tensor{out, q, k, v, bounds, o.Bias}, func(k kernel.Kernels, t []kernel.Tensor) {
		o.Bias = t[5]
		k.Attention(t[0], t[1], t[2], t[3], t[4], o)
	})
}

// AttentionGrad implements kernel.Kernels.
func (w *through) AttentionGrad(out, q, k, v, bounds, dy kernel.Tensor, o kernel.Attention) {
	w.do(1, []kernel.Tensor{out, q, k, v, bounds, dy, o.Bias}, func(k kernel.Kernels, t []kernel.Tensor) {
		o.Bias = t[6]
		k.AttentionGrad(t[0], t[1], t[2], t[3], t[4], t[5], o)
	})
}

// AttentionBiasGrad implements kernel.Kernels.
func (w *through) AttentionBiasGrad(out, q, k, v, bounds, dy kernel.Tensor, o kernel.Attention) {
	w.do(1, []kernel.Tensor{out, q, k, v, bounds, dy, o.Bias}, func(k kernel.Kernels, t []kernel.Tensor) {
		o.Bias = t[6]
		k.AttentionBiasGrad(t[0], t[1], t[2], t[3], t[4], t[5], o)
	})
}

// terms are the operands of terms of relative positions, and with puts others in their places.
func terms(r kernel.Relative) []kernel.Tensor {
	return []kernel.Tensor{r.Keys.X, r.Keys.Rows, r.Queries.X, r.Queries.Rows}
}

func with(t []kernel.Tensor) kernel.Relative {
	return kernel.Relative{Keys: kernel.Positions{X: t[0], Rows: t[1]}, Queries: kernel.Positions{X: t[2], Rows: t[3]}}
}

// RelativeAttention implements kernel.Kernels.
func (w *through) RelativeAttention(out, q, k, v, bounds kernel.Tensor, r kernel.Relative, o kernel.Attention) {
	w.do(1, append([]kernel.Tensor{out, q, k, v, bounds}, terms(r)...), func(k kernel.Kernels, t []kernel.Tensor) {
		k.RelativeAttention(t[0], t[1], t[2], t[3], t[4], with(t[5:]), o)
	})
}

// RelativeAttentionGrad implements kernel.Kernels.
func (w *through) RelativeAttentionGrad(out, keys, queries, q, k, v, bounds kernel.Tensor, r kernel.Relative, dy kernel.Tensor,
	o kernel.Attention) {
	w.do(3, append([]kernel.Tensor{out, keys, queries, q, k, v, bounds, dy}, terms(r)...), func(k kernel.Kernels, t []kernel.Tensor) {
		k.RelativeAttentionGrad(t[0], t[1], t[2], t[3], t[4], t[5], t[6], with(t[8:]), t[7], o)
	})
}

// Scores implements kernel.Kernels.
func (w *through) Scores(out, a, b, bounds kernel.Tensor, o kernel.Attention, outside float32) {
	w.do(1, []kernel.Tensor{out, a, b, bounds}, func(k kernel.Kernels, t []kernel.Tensor) {
		k.Scores(t[0], t[1], t[2], t[3], o, outside)
	})
}

// Mix implements kernel.Kernels.
func (w *through) Mix(out, p, x, bounds kernel.Tensor, o kernel.Attention, trans bool) {
	w.do(1, []kernel.Tensor{out, p, x, bounds}, func(k kernel.Kernels, t []kernel.Tensor) { k.Mix(t[0], t[1], t[2], t[3], o, trans) })
}

// CrossEntropy implements kernel.Kernels.
func (w *through) CrossEntropy(out, logits, labels, weight kernel.Tensor) {
	w.do(1, []kernel.Tensor{out, logits, labels, weight}, func(k kernel.Kernels, t []kernel.Tensor) {
		k.CrossEntropy(t[0], t[1], t[2], t[3])
	})
}

// CrossEntropyGrad implements kernel.Kernels.
func (w *through) CrossEntropyGrad(out, logits, labels, weight, dout kernel.Tensor) {
	w.do(1, []kernel.Tensor{out, logits, labels, weight, dout}, func(k kernel.Kernels, t []kernel.Tensor) {
		k.CrossEntropyGrad(t[0], t[1], t[2], t[3], t[4])
	})
}

// Map implements kernel.Kernels.
func (w *through) Map(out, x kernel.Tensor, f kernel.Function) {
	w.do(1, []kernel.Tensor{out, x}, func(k kernel.Kernels, t []kernel.Tensor) { k.Map(t[0], t[1], f) })
}

// Combine implements kernel.Kernels.
func (w *through) Combine(out, a, b kernel.Tensor, f kernel.Pair) {
	w.do(1, []kernel.Tensor{out, a, b}, func(k kernel.Kernels, t []kernel.Tensor) { k.Combine(t[0], t[1], t[2], f) })
}

// Select implements kernel.Kernels.
func (w *through) Select(out, c, a, b kernel.Tensor) {
	w.do(1, []kernel.Tensor{out, c, a, b}, func(k kernel.Kernels, t []kernel.Tensor) { k.Select(t[0], t[1], t[2], t[3]) })
}

// Reduce implements kernel.Kernels.
func (w *through) Reduce(out, x kernel.Tensor, f kernel.Reduction) {
	w.do(1, []kernel.Tensor{out, x}, func(k kernel.Kernels, t []kernel.Tensor) { k.Reduce(t[0], t[1], f) })
}

// Softmax implements kernel.Kernels.
func (w *through) Softmax(out, x kernel.Tensor, empty float32) {
	w.do(1, []kernel.Tensor{out, x}, func(k kernel.Kernels, t []kernel.Tensor) { k.Softmax(t[0], t[1], empty) })
}

// AdamW implements kernel.Kernels.
func (w *through) AdamW(p, g, m, v kernel.Tensor, o kernel.AdamW) {
	w.do(3, []kernel.Tensor{p, m, v, g, o.Clip}, func(k kernel.Kernels, t []kernel.Tensor) {
		o.Clip = t[4]
		k.AdamW(t[0], t[3], t[1], t[2], o)
	})
}

// AddScaled implements kernel.Kernels.
func (w *through) AddScaled(y, x kernel.Tensor, s float32) {
	w.do(1, []kernel.Tensor{y, x}, func(k kernel.Kernels, t []kernel.Tensor) { k.AddScaled(t[0], t[1], s) })
}

// Clip implements kernel.Kernels.
func (w *through) Clip(out, x kernel.Tensor, limit float32) {
	w.do(1, []kernel.Tensor{out, x}, func(k kernel.Kernels, t []kernel.Tensor) { k.Clip(t[0], t[1], limit) })
}
