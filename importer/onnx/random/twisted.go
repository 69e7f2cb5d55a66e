package random

import (
	"fmt"

	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/build"
)

// Twist is what an encoder does otherwise than those that are known. Its weights are called after the modules that they
// would belong to.
type Twist struct {
	Distances   bool // scores lose a multiple of the distance, another for each head, which the graph computes (as ALiBi does)
	Temperature bool // scores are divided by a number for each head, which is a weight
	Scaled      bool // each layer's output is multiplied by a weight for each column
	Gate        bool // each layer's output is multiplied by a sigmoid of its mean with what the next token has there
}

// Twisted is Encoder with a twist.
func Twisted(seed uint64, c Config, t Twist) (*onnx.Model, error) {
	return encoderOf(seed, c, t)
}

// twistWeights adds the weights of a layer's twists.
func (e *encoder) twistWeights(layer string, add func(*onnx.Tensor, error)) {
	self := layer + "attention.self."
	if e.twist.Distances {
		add(e.weights.normal(self+"slopes", self+"slopes", 0.1, 0.05, e.NumAttentionHeads, 1, 1))
	}
	if e.twist.Temperature {
		add(e.weights.normal(self+"temperature", self+"temperature", 1, 0.2, e.NumAttentionHeads, 1, 1))
	}
	if e.twist.Scaled {
		add(e.weights.vector(layer+"scale", 1, e.HiddenSize))
	}
}

// twistScores changes the scores [batch, heads, query, key] of layer i, which x of [batch, sequence, hidden] goes into.
func (e *encoder) twistScores(b *build.Builder, i int, x, scores string) string {
	self := fmt.Sprintf("encoder.layer.%d.attention.self.", i)
	if e.twist.Temperature {
		scores = b.Node("Div", []string{scores, self + "temperature"})
	}
	if !e.twist.Distances {
		return scores
	}
	length := b.Node("Gather", []string{b.Node("Shape", []string{x}), scalar(b, 1)}, build.Int("axis", 0))
	at := b.Node("Range", []string{scalar(b, 0), length, scalar(b, 1)})
	apart := b.Node("Sub", []string{e.unsqueeze(b, at, 0, ""), e.unsqueeze(b, at, 1, "")})
	apart = b.Node("Cast", []string{b.Node("Abs", []string{apart})}, build.Int("to", int64(onnx.Float)))
	return b.Node("Sub", []string{scores, b.Node("Mul", []string{apart, self + "slopes"})})
}

// twistOutput changes what layer i gives.
func (e *encoder) twistOutput(b *build.Builder, i int, x string) string {
	if e.twist.Scaled {
		x = b.Node("Mul", []string{x, fmt.Sprintf("encoder.layer.%d.scale", i)})
	}
	if !e.twist.Gate {
		return x
	}
	// The next token counts where it is real; behind the last one there are zeros.
	mask := b.Node("Cast", []string{e.unsqueeze(b, "attention_mask", 2, "")}, build.Int("to", int64(onnx.Float)))
	real := b.Node("Mul", []string{x, mask})
	end := b.Node("Mul", []string{b.Node("Slice", []string{real, vector(b, 0), vector(b, 1), vector(b, 1)}), number(b, 0)})
	next := b.Node("Concat", []string{real, end}, build.Int("axis", 1))
	next = b.Node("Slice", []string{next, vector(b, 1), vector(b, 1<<31), vector(b, 1)})
	mean := b.Node("Mul", []string{b.Node("Add", []string{x, next}), number(b, 0.5)})
	return b.Node("Mul", []string{x, b.Node("Sigmoid", []string{mean})})
}
