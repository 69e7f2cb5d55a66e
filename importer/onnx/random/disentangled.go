package random

import (
	"fmt"
	"math"

	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/build"
)

// Relative describes the relative positions of a disentangled encoder (He et al. 2021). The zero Relative is DeBERTa-v3's
// kind with 8 buckets for each direction.
type Relative struct {
	Buckets    int  // for each direction [8]
	OwnMaps    bool // positions have linear maps of their own: share_att_key is off
	NoKeys     bool // no position keys: pos_att_type without "c2p"
	NoQueries  bool // no position queries: pos_att_type without "p2c"
	NoNorm     bool // the embeddings of relative positions are not normalised
	Branches   bool // the relative positions come out of an If, as PyTorch 2.6's exporter writes them
	TwiceZeros bool // the probabilities of padding are set to zero once more, as XSoftmax did
}

// Disentangled makes a DeBERTa-v2 encoder: with the operators that PyTorch's TorchScript exporter writes for it, from opset
// 13 on. Its inputs are input_ids and attention_mask, its output is last_hidden_state.
func Disentangled(seed uint64, c Config, rel Relative) (*onnx.Model, error) {
	c, err := c.filled()
	if err != nil {
		return nil, err
	}
	if rel.Buckets == 0 {
		rel.Buckets = 8
	}
	if c.Opset < 13 || rel.Buckets < 2 || rel.Buckets > 1<<12 {
		return nil, fmt.Errorf("random encoder: opset %d, want 13 to 20; %d buckets, want 2 to 4096", c.Opset, rel.Buckets)
	}
	e := &disentangled{&encoder{Config: c, Builder: build.New(int64(c.Opset)), weights: weights{seed, c.Spread}}, rel, map[string]bool{}}
	e.network()
	if e.err != nil {
		return nil, e.err
	}
	return e.Model()
}

// disentangled is the graph in the making.
type disentangled struct {
	*encoder
	rel  Relative
	made map[string]bool // linear maps and normalisations
}

// parameter adds a weight.
func (e *disentangled) parameter(t *onnx.Tensor, err error) string {
	if err != nil {
		e.fail(err)
		return ""
	}
	return e.Tensor(t)
}

// dense adds a linear map. One that is there already is used again.
func (e *disentangled) dense(b *build.Builder, name, x string, in, out int) string {
	w, bias := name+".weight", name+".bias"
	if !e.made[name] {
		e.made[name] = true
		e.parameter(e.weights.matrix(w, w, in, in, out))
		e.parameter(e.weights.vector(bias, 0, out))
	}
	return b.Node("Add", []string{bias, b.Node("MatMul", []string{x, w})})
}

// norm adds a normalisation with weights of its own.
func (e *disentangled) norm(b *build.Builder, name, x string, to ...build.Option) string {
	e.parameter(e.weights.vector(name+".weight", 1, e.HiddenSize))
	e.parameter(e.weights.vector(name+".bias", 0, e.HiddenSize))
	return e.layerNorm(b, x, name, to...)
}

func (e *disentangled) network() {
	ids := e.Input("input_ids", onnx.Int64, "batch", "sequence")
	mask := e.Input("attention_mask", onnx.Int64, "batch", "sequence")
	b := e.In("embeddings")
	x := b.Node("Gather", []string{e.parameter(e.weights.embedding("embeddings.word_embeddings.weight", e.VocabSize, e.HiddenSize)), ids})
	x = e.norm(b, "embeddings.LayerNorm", x)
	real := b.Node("Cast", []string{e.unsqueeze(b, mask, 2, "")}, build.Int("to", int64(onnx.Float)))
	x = b.Node("Mul", []string{x, real})

	b = e.In("encoder")
	table := e.parameter(e.weights.embedding("encoder.rel_embeddings.weight", 2*e.rel.Buckets, e.HiddenSize))
	if !e.rel.NoNorm {
		table = e.norm(b, "encoder.LayerNorm", table)
	}
	table = e.unsqueeze(b, table, 0, "")
	pairs := b.Node("Mul", []string{e.unsqueeze(b, e.unsqueeze(b, mask, 1, ""), 2, ""), e.unsqueeze(b, e.unsqueeze(b, mask, 1, ""), 3, "")})
	hidden := b.Node("Not", []string{b.Node("Cast", []string{pairs}, build.Int("to", int64(onnx.Bool)))})
	length := b.Node("Gather", []string{b.Node("Shape", []string{ids}), scalar(b, 1)}, build.Int("axis", 0))
	places := e.relative(b, length)
	for i := range e.NumHiddenLayers {
		x = e.layerOf(i, x, table, hidden, places)
	}
	e.Output(x, onnx.Float, "batch", "sequence", e.HiddenSize)
}

// relative adds the bucket of the distance of each query and key, [sequence, sequence]: the distance itself up to half of
// the buckets, further out by its logarithm.
func (e *disentangled) relative(b *build.Builder, length string) string {
	if !e.rel.Branches {
		return e.buckets(b, length)
	}
	square := b.Node("Equal", []string{length, length}) // of queries and of keys
	then, other := b.Sub("then"), b.Sub("else")
	then.Output(e.buckets(then, length), onnx.Int64, "", "")
	other.Output(other.Node("Unsqueeze", []string{length, vector(other, 0)}), onnx.Int64, "") // which is no matrix
	return b.Node("If", []string{square}, build.Graph("then_branch", then), build.Graph("else_branch", other))
}

func (e *disentangled) buckets(b *build.Builder, length string) string {
	i := b.Node("Range", []string{scalar(b, 0), length, scalar(b, 1)})
	distance := b.Node("Sub", []string{e.unsqueeze(b, i, 1, ""), e.unsqueeze(b, i, 0, "")})
	middle := int64(e.rel.Buckets / 2)
	near := b.Node("And", []string{b.Node("Less", []string{distance, scalar(b, middle)}), b.Node("Greater", []string{distance, scalar(b, -middle)})})
	size := b.Node("Where", []string{near, scalar(b, middle-1), b.Node("Abs", []string{distance})})
	log := b.Node("Log", []string{b.Node("Div", []string{b.Node("Cast", []string{size}, build.Int("to", int64(onnx.Float))), number(b, float32(middle))})})
	span := math.Log(float64(max(e.MaxPositionEmbeddings-1, 2)) / float64(middle))
	log = b.Node("Mul", []string{b.Node("Div", []string{log, number(b, float32(span))}), number(b, float32(middle-1))})
	log = b.Node("Add", []string{b.Node("Ceil", []string{log}), number(b, float32(middle))})
	signed := b.Node("Mul", []string{log, b.Node("Cast", []string{b.Node("Sign", []string{distance})}, build.Int("to", int64(onnx.Float)))})
	plain := b.Node("Cast", []string{distance}, build.Int("to", int64(onnx.Float)))
	bucket := b.Node("Where", []string{b.Node("LessOrEqual", []string{size, scalar(b, middle)}), plain, signed})
	return b.Node("Cast", []string{bucket}, build.Int("to", int64(onnx.Int64)))
}

// layerOf adds one layer.
func (e *disentangled) layerOf(i int, x, table, hidden, places string) string {
	name := fmt.Sprintf("encoder.layer.%d.", i)
	b, h := e.In("encoder", fmt.Sprintf("layer.%d", i)), e.HiddenSize
	attended := e.attend(b.In("attention", "self"), name+"attention.self.", x, table, hidden, places)
	o := b.In("attention", "output")
	sum := o.Node("Add", []string{e.dense(o.In("dense"), name+"attention.output.dense", attended, h, h), x})
	x = e.norm(o.In("LayerNorm"), name+"attention.output.LayerNorm", sum)
	wide := e.gelu(b.In("intermediate"), e.dense(b.In("intermediate", "dense"), name+"intermediate.dense", x, h, e.IntermediateSize))
	o = b.In("output")
	sum = o.Node("Add", []string{e.dense(o.In("dense"), name+"output.dense", wide, e.IntermediateSize, h), x})
	var to []build.Option
	if i == e.NumHiddenLayers-1 {
		to = append(to, build.To("last_hidden_state"))
	}
	return e.norm(o.In("LayerNorm"), name+"output.LayerNorm", sum, to...)
}

// attend adds the attention of a layer whose parts are called so.
func (e *disentangled) attend(b *build.Builder, name, x, table, hidden, places string) string {
	h, heads := e.HiddenSize, int64(e.NumAttentionHeads)
	d := int64(h) / heads
	shape := func(dims ...int64) string { return b.Constant([]int64{int64(len(dims))}, dims) }
	split := func(x string, rows int64) string { // [batch·heads, rows, d]
		x = transpose(b, e.reshape(b, x, shape(0, 0, heads, -1)), 0, 2, 1, 3)
		if rows > 0 {
			return e.reshape(b, x, shape(-1, rows, d))
		}
		length := b.Node("Gather", []string{b.Node("Shape", []string{x}), vector(b, 2)}, build.Int("axis", 0))
		return e.reshape(b, x, b.Node("Concat", []string{vector(b, -1), length, vector(b, d)}, build.Int("axis", 0)))
	}
	project := func(part, x string) string { return e.dense(b.In(part), name+part, x, h, h) }
	q, k, v := split(project("query_proj", x), 0), split(project("key_proj", x), 0), split(project("value_proj", x), 0)
	terms := 3
	if e.rel.NoKeys {
		terms--
	}
	if e.rel.NoQueries {
		terms--
	}
	scale := number(b, float32(math.Sqrt(float64(int64(terms)*d))))
	scores := b.Node("MatMul", []string{q, b.Node("Div", []string{transpose(b, k, 0, 2, 1), scale})})

	batch := b.Node("Gather", []string{b.Node("Shape", []string{x}), vector(b, 0)}, build.Int("axis", 0))
	repeats := b.Node("Concat", []string{batch, vector(b, 1), vector(b, 1)}, build.Int("axis", 0))
	gathered := func(content, part, own, index string) string {
		if e.rel.OwnMaps {
			part = own
		}
		p := b.Node("Tile", []string{split(project(part, table), int64(2*e.rel.Buckets)), repeats})
		all := b.Node("MatMul", []string{content, transpose(b, p, 0, 2, 1)})
		index = b.Node("Clip", []string{b.Node("Add", []string{index, scalar(b, int64(e.rel.Buckets))}), scalar(b, 0), scalar(b, int64(2*e.rel.Buckets-1))})
		like := b.Node("Shape", []string{scores})
		return b.Node("GatherElements", []string{all, b.Node("Expand", []string{index, like})}, build.Int("axis", -1))
	}
	if !e.rel.NoKeys {
		term := gathered(q, "key_proj", "pos_key_proj", places)
		scores = b.Node("Add", []string{scores, b.Node("Add", []string{b.Node("Div", []string{term, scale}), number(b, 0)})})
	}
	if !e.rel.NoQueries {
		term := gathered(k, "query_proj", "pos_query_proj", b.Node("Neg", []string{places}))
		scores = b.Node("Add", []string{scores, b.Node("Div", []string{transpose(b, term, 0, 2, 1), scale})})
	}
	length := b.Node("Gather", []string{b.Node("Shape", []string{scores}), vector(b, 1)}, build.Int("axis", 0))
	scores = e.reshape(b, scores, b.Node("Concat", []string{batch, vector(b, heads), length, length}, build.Int("axis", 0)))
	scores = b.Node("Where", []string{hidden, number(b, -math.MaxFloat32), scores})
	p := b.Node("Softmax", []string{scores}, build.Int("axis", -1))
	if e.rel.TwiceZeros {
		p = b.Node("Where", []string{hidden, number(b, 0), p})
	}
	p = e.reshape(b, p, b.Node("Concat", []string{vector(b, -1), length, length}, build.Int("axis", 0)))
	y := b.Node("MatMul", []string{p, v})
	y = e.reshape(b, y, b.Node("Concat", []string{batch, vector(b, heads), length, vector(b, d)}, build.Int("axis", 0)))
	y = transpose(b, y, 0, 2, 1, 3)
	return e.reshape(b, y, b.Node("Concat", []string{batch, length, vector(b, int64(h))}, build.Int("axis", 0)))
}
