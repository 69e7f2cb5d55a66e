package random

import (
	"fmt"
	"math"
	"strings"

	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/build"
)

// attention adds the self-attention of layer i in the order in which PyTorch traces it.
func (e *encoder) attention(b *build.Builder, i int, x, bias string,
	dense func(*build.Builder, int, string) string) string {
	head := e.HiddenSize / e.NumAttentionHeads
	batch := b.Node("Gather", []string{b.Node("Shape", []string{x}), scalar(b, 0)}, build.Int("axis", 0))
	q := dense(b.In("query"), query, x)
	var shapes [3]string // [batch, -1, heads, head], once for each of query, key and value
	for k := range shapes {
		first := e.unsqueeze(b, batch, 0, e.axis(i, k))
		dims := []string{first, vector(b, -1), vector(b, int64(e.NumAttentionHeads)), vector(b, int64(head))}
		shapes[k] = b.Node("Concat", dims, build.Int("axis", 0))
	}
	q = transpose(b, e.reshape(b, q, shapes[0]), 0, 2, 1, 3)
	k := e.reshape(b, dense(b.In("key"), key, x), shapes[1])
	v := e.reshape(b, dense(b.In("value"), value, x), shapes[2])
	v = transpose(b, v, 0, 2, 1, 3)
	if e.PositionEmbeddingType == "rotary" {
		q, k = e.rotary(b, q), e.rotary(b, transpose(b, k, 0, 2, 1, 3))
		k = transpose(b, k, 0, 1, 3, 2)
	} else {
		k = transpose(b, k, 0, 2, 3, 1)
	}

	scores := b.Node("MatMul", []string{q, k})
	scores = b.Node("Div", []string{scores, number(b, float32(math.Sqrt(float64(head))))})
	scores = b.Node("Add", []string{e.twistScores(b, i, x, scores), bias})
	last := int64(-1)
	if e.Config.Opset < 13 { // where Softmax flattens all axes from this one on
		last = 3
	}
	probabilities := b.Node("Softmax", []string{scores}, build.Int("axis", last))
	context := transpose(b, b.Node("MatMul", []string{probabilities, v}), 0, 2, 1, 3)

	size := func(axis int64) string {
		return b.Node("Gather", []string{b.Node("Shape", []string{context}), scalar(b, axis)}, build.Int("axis", 0))
	}
	rows, length := size(0), size(1)
	rows = e.unsqueeze(b, rows, 0, e.axis(i, 3))
	length = e.unsqueeze(b, length, 0, e.axis(i, 4))
	shape := b.Node("Concat", []string{rows, length, vector(b, int64(e.HiddenSize))}, build.Int("axis", 0))
	return e.reshape(b, context, shape)
}

// axis is the exporter's name of a layer's constant outside any scope.
func (e *encoder) axis(layer, k int) string {
	return fmt.Sprintf("onnx::Unsqueeze_%d", e.loose[layer][k])
}

// layerNorm adds (x − mean) / √(variance + ε) · weight + bias over the last axis.
func (e *encoder) layerNorm(b *build.Builder, x, name string, to ...build.Option) string {
	weight, bias := name+".weight", name+".bias"
	if e.Config.Opset >= 17 {
		return b.Node("LayerNormalization", []string{x, weight, bias},
			append(to, build.Int("axis", -1), build.Float("epsilon", float32(e.LayerNormEps)))...)
	}
	centred := b.Node("Sub", []string{x, b.Node("ReduceMean", []string{x}, build.Ints("axes", -1))})
	square := b.Node("Pow", []string{centred, number(b, 2)})
	variance := b.Node("ReduceMean", []string{square}, build.Ints("axes", -1))
	variance = b.Node("Add", []string{variance, number(b, float32(e.LayerNormEps))})
	x = b.Node("Div", []string{centred, b.Node("Sqrt", []string{variance})})
	x = b.Node("Mul", []string{x, weight})
	return b.Node("Add", []string{x, bias}, to...)
}

// gelu adds x/2 · (1 + erf(x/√2)).
func (e *encoder) gelu(b *build.Builder, x string) string {
	if e.Config.Opset >= 20 {
		return b.Node("Gelu", []string{x}, build.String("approximate", "none"))
	}
	y := b.Node("Erf", []string{b.Node("Div", []string{x, number(b, math.Sqrt2)})})
	y = b.Node("Add", []string{y, number(b, 1)})
	return b.Node("Mul", []string{b.Node("Mul", []string{x, y}), number(b, 0.5)})
}

// unsqueeze adds an axis to x. constant is the exporter's name of the axes, if it has one of its own.
func (e *encoder) unsqueeze(b *build.Builder, x string, axis int64, constant string) string {
	if !e.axesAsInput() {
		return b.Node("Unsqueeze", []string{x}, build.Ints("axes", axis))
	}
	var named []build.Option
	if constant != "" {
		named = append(named, looseConstant(constant))
	}
	return b.Node("Unsqueeze", []string{x, vector(b, axis, named...)})
}

func (e *encoder) reshape(b *build.Builder, x, shape string) string {
	if e.Config.Opset < 14 {
		return b.Node("Reshape", []string{x, shape})
	}
	return b.Node("Reshape", []string{x, shape}, build.Int("allowzero", 0))
}

func transpose(b *build.Builder, x string, perm ...int64) string {
	return b.Node("Transpose", []string{x}, build.Ints("perm", perm...))
}

// number, scalar and vector add constants: a float32, an int64, and one int64 in a vector.
func number(b *build.Builder, x float32) string { return b.Constant(nil, []float32{x}) }

func scalar(b *build.Builder, x int64) string { return b.Constant(nil, []int64{x}) }

func vector(b *build.Builder, x int64, options ...build.Option) string {
	return b.Constant([]int64{1}, []int64{x}, options...)
}

// unnamed begins the names of constants outside any scope until nameConstants.
const unnamed = "Constant of "

// looseConstant makes a constant one outside any scope whose output has the name given.
func looseConstant(value string) build.Option {
	return build.All(build.Name(unnamed+value), build.To(value))
}

// nameConstants names the constants outside any scope: Constant_ and their position plus the number of constants.
func (e *encoder) nameConstants(g *onnx.Graph) {
	constants := 0
	for _, n := range g.Nodes {
		if n.OpType == "Constant" {
			constants++
		}
	}
	for i, n := range g.Nodes {
		if strings.HasPrefix(n.Name, unnamed) {
			n.Name = fmt.Sprintf("Constant_%d", constants+i)
		}
	}
}
