// Package random makes encoders of random weights: valid ONNX files, so that tests need no download.
package random

import (
	"fmt"
	"math"

	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/build"
)

// Encoder makes a BERT encoder. Its inputs are input_ids, attention_mask and token_type_ids, int64 [batch, sequence];
// its outputs last_hidden_state [batch, sequence, hidden] and, unless Config.NoPooler is set, pooler_output [batch,
// hidden].
//
// The graph is, node for node and name for name, what PyTorch 2.6's TorchScript exporter writes for transformers'
// BertModel with eager attention at the same opset: linear layers are MatMul by a transposed weight called
// onnx::MatMul_… and Add, LayerNorm is decomposed below opset 17, GELU is Div, Erf, Add, Mul, Mul below opset 20. The
// exporter ends at opset 20, of which those after it have the operators. What differs from BertModel is written likewise.
//
// The same seed and sizes give the same weights at every opset. They are drawn when they are read or written, so an
// encoder of any size takes little memory until then.
func Encoder(seed uint64, c Config) (*onnx.Model, error) {
	return encoderOf(seed, c, Twist{})
}

// encoderOf makes an encoder, with a twist if it has one.
func encoderOf(seed uint64, c Config, t Twist) (*onnx.Model, error) {
	c, err := c.filled()
	if err != nil {
		return nil, err
	}
	e := &encoder{Config: c, Builder: build.New(int64(c.Opset)), weights: weights{seed, c.Spread}, twist: t}
	e.numbers()
	e.initializers()
	e.network()
	if e.err != nil {
		return nil, e.err
	}
	m, err := e.Model()
	if err != nil {
		return nil, fmt.Errorf("random encoder: %w", err)
	}
	e.nameConstants(m.Graph)
	return m, nil
}

// encoder is the graph in the making.
type encoder struct {
	Config
	*build.Builder
	weights weights
	twist   Twist
	cos     string // the tables of rotary embeddings, [sequence, columns]
	sin     string
	linear  [][6]string // per layer: the names of the query, key, value, output, intermediate and output weights
	loose   []loose     // per layer: the numbers of the constants outside any scope
	err     error
}

// loose are the numbers of a layer's constants that the exporter leaves outside any scope: the axes of its Unsqueezes.
type loose [5]int

// A layer's linear layers, in the order of its weights.
const (
	query = iota
	key
	value
	attentionOutput
	intermediate
	output
)

var linearNames = [6]string{
	"attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense", "intermediate.dense",
	"output.dense",
}

// axesAsInput tells whether Unsqueeze takes its axes as an input, which it does from opset 13 on.
func (e *encoder) axesAsInput() bool { return e.Config.Opset >= 13 }

// numbers works out what the exporter calls values that have no name of their own: by their position among all the
// values of the traced graph, of which it drops some later. The counts are those of PyTorch 2.6 (the fixtures show
// them): first is the axis of layer 0's first Unsqueeze, layer the values of one layer, which are one more in layer 0;
// the transposed weights come after everything else, and the pooler has three values.
func (e *encoder) numbers() {
	first, layer := 97, 87 // LayerNormalization: from opset 17 on
	switch opset := e.Config.Opset; {
	case opset >= 20: // Gelu
		layer = 80
	case opset < 13: // no constants for axes: 3 fewer before layer 0, 16 fewer in a layer
		first, layer = 104, 91
	case opset < 17:
		first, layer = 107, 107
	}
	later := first + 1
	for i := range e.NumHiddenLayers {
		at, more := later+i*layer, 0
		if i == 0 {
			at, more = first, 1
		}
		e.loose = append(e.loose, loose{at, at + 9, at + 18, at + 52 + more, at + 54 + more})
	}
	weight := later + e.NumHiddenLayers*layer
	if e.NoPooler {
		weight -= 3
	}
	for i := range e.NumHiddenLayers {
		var names [6]string
		for k, after := range [6]int{0, 10, 11, 13, 14, 15} {
			names[k] = fmt.Sprintf("onnx::MatMul_%d", weight+16*i+after)
		}
		e.linear = append(e.linear, names)
	}
}

// initializers adds the weights in the exporter's order: those with names, then the transposed ones.
func (e *encoder) initializers() {
	h, w := e.HiddenSize, e.weights
	add := func(t *onnx.Tensor, err error) {
		if err != nil {
			e.fail(err)
			return
		}
		e.Tensor(t)
	}
	norm := func(name string) {
		add(w.vector(name+".weight", 1, h))
		add(w.vector(name+".bias", 0, h))
	}
	add(w.embedding("embeddings.word_embeddings.weight", e.VocabSize, h))
	if e.PositionEmbeddingType == "absolute" {
		add(w.embedding("embeddings.position_embeddings.weight", e.MaxPositionEmbeddings, h))
	}
	add(w.embedding("embeddings.token_type_embeddings.weight", e.TypeVocabSize, h))
	if e.PreLayerNorm {
		norm("encoder.ln")
	} else {
		norm("embeddings.LayerNorm")
	}
	for i := range e.NumHiddenLayers {
		layer := fmt.Sprintf("encoder.layer.%d.", i)
		for k, name := range linearNames {
			_, out := e.sizes(k)
			add(w.vector(layer+name+".bias", 0, out))
			if k == attentionOutput {
				norm(layer + e.norms()[0])
			}
		}
		norm(layer + e.norms()[1])
		e.twistWeights(layer, add)
	}
	if !e.NoPooler {
		add(w.matrix("pooler.dense.weight", "pooler.dense.weight", h, h, h))
		add(w.vector("pooler.dense.bias", 0, h))
	}
	for i, names := range e.linear {
		for k, name := range linearNames {
			in, out := e.sizes(k)
			add(w.matrix(fmt.Sprintf("encoder.layer.%d.%s.weight", i, name), names[k], in, in, out))
		}
	}
}

// sizes are the inputs and outputs of a linear layer.
func (e *encoder) sizes(linear int) (in, out int) {
	switch linear {
	case intermediate:
		return e.HiddenSize, e.IntermediateSize
	case output:
		return e.IntermediateSize, e.HiddenSize
	}
	return e.HiddenSize, e.HiddenSize
}

func (e *encoder) fail(err error) {
	if e.err == nil {
		e.err = fmt.Errorf("random encoder: %w", err)
	}
}

// network adds the nodes.
func (e *encoder) network() {
	ids := e.Input("input_ids", onnx.Int64, "batch", "sequence")
	mask := e.Input("attention_mask", onnx.Int64, "batch", "sequence")
	types := e.Input("token_type_ids", onnx.Int64, "batch", "sequence")
	x, zero := e.embeddings(ids, types)
	bias := e.mask(mask)
	switch e.PositionEmbeddingType {
	case "rotary":
		e.angles(ids)
	case "alibi":
		bias = e.In().Node("Add", []string{bias, e.alibi(ids)})
	}
	for i := range e.NumHiddenLayers {
		x = e.layer(i, x, bias)
	}
	if e.PreLayerNorm {
		x = e.layerNorm(e.In("encoder", "ln"), x, "encoder.ln", build.To("last_hidden_state"))
	} else if e.twist.Scaled || e.twist.Gate {
		x = e.Node("Identity", []string{x}, build.To("last_hidden_state"))
	}
	e.Output(x, onnx.Float, "batch", "sequence", e.HiddenSize)
	if e.NoPooler {
		return
	}
	pooler := e.In("pooler")
	first := pooler.Node("Gather", []string{x, zero}, build.Int("axis", 1))
	dense := pooler.In("dense").Node("Gemm", []string{first, "pooler.dense.weight", "pooler.dense.bias"},
		build.Float("alpha", 1), build.Float("beta", 1), build.Int("transB", 1))
	pooled := pooler.In("activation").Node("Tanh", []string{dense}, build.To("pooler_output"))
	e.Output(pooled, onnx.Float, "batch", e.HiddenSize)
}

// embeddings adds the sum of word, token type and position embeddings and its LayerNorm. zero is a constant that the
// pooler shares.
func (e *encoder) embeddings(ids, types string) (x, zero string) {
	b := e.In("embeddings")
	length := b.Node("Gather", []string{b.Node("Shape", []string{ids}), scalar(b, 1)}, build.Int("axis", 0))
	all := make([]int64, e.MaxPositionEmbeddings)
	for i := range all {
		all[i] = int64(i)
	}
	positions := b.Constant([]int64{1, int64(len(all))}, all, looseConstant("onnx::Slice_62"))
	zero = scalar(b, 0)
	axis, start := vector(b, 1), vector(b, 0)
	end := e.unsqueeze(b, length, 0, "")
	positions = b.Node("Slice", []string{positions, start, end, axis, vector(b, 1)})
	gather := func(table, ids string) string {
		return b.In(table).Node("Gather", []string{"embeddings." + table + ".weight", ids})
	}
	sum := b.Node("Add", []string{gather("word_embeddings", ids), gather("token_type_embeddings", types)})
	if e.PositionEmbeddingType == "absolute" {
		sum = b.Node("Add", []string{sum, gather("position_embeddings", positions)})
	}
	if e.PreLayerNorm {
		return sum, zero
	}
	return e.layerNorm(b.In("LayerNorm"), sum, "embeddings.LayerNorm"), zero
}

// mask adds what is added to the attention scores [batch, heads, query, key]: 0 where the mask is 1, and the least
// float32 where it is 0.
func (e *encoder) mask(mask string) string {
	b := e.In()
	x := e.unsqueeze(b, e.unsqueeze(b, mask, 1, ""), 2, "")
	x = b.Node("Cast", []string{x}, build.Int("to", int64(onnx.Float)))
	x = b.Node("Sub", []string{number(b, 1), x})
	return b.Node("Mul", []string{x, number(b, -math.MaxFloat32)})
}

// norms are the names of a layer's normalisations.
func (e *encoder) norms() [2]string {
	if e.PreLayerNorm {
		return [2]string{"attention.ln", "ln"}
	}
	return [2]string{"attention.output.LayerNorm", "output.LayerNorm"}
}

// layer adds one transformer layer.
func (e *encoder) layer(i int, x, bias string) string {
	b := e.In("encoder", fmt.Sprintf("layer.%d", i))
	weights := fmt.Sprintf("encoder.layer.%d.", i)
	dense := func(b *build.Builder, linear int, x string) string {
		x = b.Node("MatMul", []string{x, e.linear[i][linear]})
		return b.Node("Add", []string{weights + linearNames[linear] + ".bias", x})
	}
	if e.PreLayerNorm {
		return e.preLayerNorm(b, i, x, bias, dense)
	}
	attended := e.attention(b.In("attention", "self"), i, x, bias, dense)

	o := b.In("attention", "output")
	sum := o.Node("Add", []string{dense(o.In("dense"), attentionOutput, attended), x})
	x = e.layerNorm(o.In("LayerNorm"), sum, weights+"attention.output.LayerNorm")

	m := b.In("intermediate")
	wide := e.gelu(m.In("intermediate_act_fn"), dense(m.In("dense"), intermediate, x))
	o = b.In("output")
	sum = o.Node("Add", []string{dense(o.In("dense"), output, wide), x})
	var to []build.Option
	if i == e.NumHiddenLayers-1 && !e.twist.Scaled && !e.twist.Gate {
		to = append(to, build.To("last_hidden_state"))
	}
	return e.twistOutput(b, i, e.layerNorm(o.In("LayerNorm"), sum, weights+"output.LayerNorm", to...))
}
