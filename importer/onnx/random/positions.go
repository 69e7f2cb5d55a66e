package random

import (
	"fmt"
	"math"

	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/build"
)

// positions adds the positions 0, 1, … of a sequence, float32 [sequence].
func (e *encoder) positions(b *build.Builder, ids string) string {
	length := b.Node("Gather", []string{b.Node("Shape", []string{ids}), scalar(b, 1)}, build.Int("axis", 0))
	at := b.Node("Range", []string{scalar(b, 0), length, scalar(b, 1)})
	return b.Node("Cast", []string{at}, build.Int("to", int64(onnx.Float)))
}

// angles adds the cosines and sines of rotary embeddings: position · 10000^(−2i/n) for columns i and i + n/2 of the n that
// are turned.
func (e *encoder) angles(ids string) {
	b, n := e.In("rotary"), e.turned()
	frequencies := make([]float32, n)
	for i := range frequencies {
		frequencies[i] = float32(math.Pow(10000, -2*float64(i%(n/2))/float64(n)))
	}
	angles := b.Node("Mul", []string{e.unsqueeze(b, e.positions(b, ids), 1, ""), b.Constant([]int64{1, int64(n)}, frequencies)})
	e.cos, e.sin = b.Node("Cos", []string{angles}), b.Node("Sin", []string{angles})
}

// rotary turns the first columns of each head of x [batch, heads, sequence, head].
func (e *encoder) rotary(b *build.Builder, x string) string {
	n, head := e.turned(), e.HiddenSize/e.NumAttentionHeads
	slice := func(x string, from, to int) string {
		return b.Node("Slice", []string{x, vector(b, int64(from)), vector(b, int64(to)), vector(b, 3)})
	}
	part := x
	if n < head {
		part = slice(x, 0, n)
	}
	turned := b.Node("Concat", []string{b.Node("Neg", []string{slice(part, n/2, n)}), slice(part, 0, n/2)}, build.Int("axis", -1))
	y := b.Node("Add", []string{b.Node("Mul", []string{part, e.cos}), b.Node("Mul", []string{turned, e.sin})})
	if n == head {
		return y
	}
	return b.Node("Concat", []string{y, slice(x, n, head)}, build.Int("axis", -1))
}

// alibi adds −slope·|key − query|, [heads, sequence, sequence], with the slopes 2^(−8(i+1)/heads).
func (e *encoder) alibi(ids string) string {
	b := e.In("alibi")
	at := e.positions(b, ids)
	distance := b.Node("Abs", []string{b.Node("Sub", []string{e.unsqueeze(b, at, 0, ""), e.unsqueeze(b, at, 1, "")})})
	slopes := make([]float32, e.NumAttentionHeads)
	for i := range slopes {
		slopes[i] = float32(-math.Pow(2, -8*float64(i+1)/float64(len(slopes))))
	}
	return b.Node("Mul", []string{distance, b.Constant([]int64{int64(len(slopes)), 1, 1}, slopes)})
}

// preLayerNorm adds a layer that normalises what goes into its parts.
func (e *encoder) preLayerNorm(b *build.Builder, i int, x, bias string, dense func(*build.Builder, int, string) string) string {
	weights := fmt.Sprintf("encoder.layer.%d.", i)
	y := e.layerNorm(b.In("attention", "ln"), x, weights+"attention.ln")
	y = e.attention(b.In("attention", "self"), i, y, bias, dense)
	o := b.In("attention", "output")
	x = o.Node("Add", []string{x, dense(o.In("dense"), attentionOutput, y)})
	m := b.In("intermediate")
	y = dense(m.In("dense"), intermediate, e.layerNorm(b.In("ln"), x, weights+"ln"))
	o = b.In("output")
	return o.Node("Add", []string{x, dense(o.In("dense"), output, e.gelu(m.In("intermediate_act_fn"), y))})
}
