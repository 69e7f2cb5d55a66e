package importer

import (
	"slices"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// Encoder is a recognised network in few operations on packed tokens: [T, width] matrices of the real tokens of a
// batch, where only attention knows of sequences. Ops stand in the order of execution. One that is not recognised is
// Padded.
type Encoder struct {
	Ops       []Op
	Weights   []*Weight   // in the order of first use
	Indexes   []Index     // what Embedding.Index refers to
	Tables    []Table     // what Rotary.Cos and Sin refer to
	Buckets   []Buckets   // what Attention.Buckets refers to
	Slopes    []*Slopes   // what Attention.Slopes refers to
	Distances []*Distance // what Relative.Distance refers to
	Outputs   []Output

	// Expansions and Constants tell how the recognised graph differs from the file's.
	Expansions []Expansion
	Constants  []*onnx.Tensor // initialisers that the nodes of expansions read beside the file's

	// Types are those of the floating-point values that the file does not compute in float32, by name.
	Types map[string]onnx.DataType

	Hidden []Value // the embeddings' output, then each layer's: Hugging Face's hidden_states
	Last   Value   // the last hidden state: the last layer's output, normalised where the encoder does that; None without layers
	Layers []Layer

	// Padded is what an encoder that runs node by node has in place of the operations and all that refers to them.
	Padded *Padded
}

// Value is the result of an Op: its index in Encoder.Ops. None stands for a missing operand.
type Value int

// None is no Value.
const None Value = -1

// Op is one operation of an Encoder: *Embedding, *PositionTable, *Linear, *LayerNorm, *Activation, *Add, *Mul, *Columns,
// *Concat, *Rotary, *Attention, *First, *Mean or *Normalise.
type Op interface {
	// Where tells which part of the ONNX graph the operation stands for.
	Where() *Origin
}

// Origin is the part of an ONNX graph that an operation stands for: the name of the value that it makes, and the nodes
// that make it, in order.
type Origin struct {
	Output string
	Nodes  []*onnx.Node
}

// Where implements Op.
func (o *Origin) Where() *Origin { return o }

// Embedding is y[t] = Σ_k Tables[k][index k of t]: Tables[k] [v_k, H].
type Embedding struct {
	Origin
	Tables []*Weight
	Index  []int // into Encoder.Indexes
}

// PositionTable is y = W, a matrix [rows,width] whose rows belong to no token, such as the embeddings of relative positions. What
// is computed of it alone has as many rows.
type PositionTable struct {
	Origin
	W *Weight
}

// Linear is y = x·W + b, or x·Wᵀ + b where Trans is set: W [in,out] (Trans: [out,in]), b [out] or nil. W stands as the
// file has it.
type Linear struct {
	Origin
	X       Value
	W, Bias *Weight
	Trans   bool
	Product string // the name under which x·W is read, before the bias where a node of its own adds that
	Input   string // the name of the value x
}

// Module is the linear map's Hugging Face name: "encoder.layer.0.attention.self.query".
func (l *Linear) Module() string { return module(l.W.Name) }

// In is the width of x, Out that of y.
func (l *Linear) In() int { return l.W.Shape[b2i(l.Trans)] }

// Out is the width of y.
func (l *Linear) Out() int { return l.W.Shape[1-b2i(l.Trans)] }

// LayerNorm is y = (z − mean(z))/√(var(z)+Eps) ⊙ Gamma + Beta over the rows of z = X + Residual. Residual may be None
// and Beta nil. Where RMS is set, it is y = z/√(mean(z²)+Eps) ⊙ Gamma + Beta (Zhang and Sennrich 2019).
type LayerNorm struct {
	Origin
	X, Residual Value
	Gamma, Beta *Weight
	Eps         float32
	RMS         bool
	Sum         string    // the name of the value z
	Reads       []string  // the names under which the nodes read z
	Addends     [2]string // the names under which X and Residual are added, where there is a residual
}

// Activation is y = f(x), element by element. Func is one of "gelu", "gelu_tanh", "relu", "silu", "tanh".
type Activation struct {
	Origin
	X    Value
	Func string
}

// Add is y = A + B.
type Add struct {
	Origin
	A, B Value
}

// Mul is y = A ⊙ B.
type Mul struct {
	Origin
	A, B Value
}

// Columns is y = x[:, From:From+N].
type Columns struct {
	Origin
	X       Value
	From, N int
}

// Concat are columns of matrices side by side. Keys and values that several heads share stand in it once for each head.
type Concat struct {
	Origin
	Parts []Part
}

// Part are the columns x[:, From:From+N].
type Part struct {
	X       Value
	From, N int
}

// Rotary turns the pairs of columns of each head by the angles of the token's position: (a·cos − b·sin, b·cos + a·sin).
// Cos and Sin are in Encoder.Tables, half as wide as a head.
type Rotary struct {
	Origin
	X           Value
	Cos, Sin    int
	Heads       int
	Interleaved bool // columns 2i and 2i+1 are a pair, else i and i + half of the head
	Inverse     bool // sin is subtracted where it is added else, and the other way round
}

// Attention is y = softmax(Scale·q·kᵀ + b)·v for each of Heads heads within each sequence. Window > 0 is the distance up
// to which tokens see each other. With a Bias [v, Heads], b[i,j] is its row for the distance j − i, by Encoder.Buckets;
// with Slopes, what they say.
// Disentangled attention (He et al. 2021) has terms of relative positions in its scores, and neither window nor bias: with
// p = Keys and r = Queries,
//
//	Scale·(q_i·k_j + q_i·p[Keys.Distance(i−j)] + r[Queries.Distance(i−j)]·k_j).
type Attention struct {
	Origin
	Q, K, V Value
	Heads   int
	Scale   float32
	Window  int
	Bias    *Weight   // or nil
	Buckets int       // of Bias
	Slopes  *Slopes   // or nil; one of Encoder.Slopes
	Keys    *Relative // the position keys, which queries meet ("content to position"); nil for none
	Queries *Relative // the position queries, which keys meet ("position to content"); nil for none
}

// Relative is a matrix of one row for each bucket of relative positions, split into heads as q and k are, and which row
// is taken at which distance.
type Relative struct {
	X        Value
	Distance int // into Encoder.Distances
}

// First takes the row of each sequence's first token: [T,H] → [sequences,H].
type First struct {
	Origin
	X Value
}

// Mean is the mean of each sequence's rows: [T,H] → [sequences,H].
type Mean struct {
	Origin
	X Value
}

// Normalise is y = x / max(‖x‖, Eps) for each row, with the Euclidean norm.
type Normalise struct {
	Origin
	X   Value
	Eps float32
}

// Weight is a parameter of the base: one initialiser of the file, or several equal ones where layers share it and the
// exporter wrote it for each of them; or what stands for one, such as a part of a fused matrix or the numbers of a
// quantised one.
type Weight struct {
	Name   string // its Hugging Face name: "encoder.layer.0.attention.self.query.weight"
	Tensor *onnx.Tensor
	Copies []*onnx.Tensor // the others
	Shape  []int          // as the file has it

	numbers func() ([]float32, error)
}

// Float32s returns the elements, read-only: a view of the file where they stand there as float32, else a conversion that
// is made once, when it is first asked for.
func (w *Weight) Float32s() ([]float32, error) {
	if w.numbers == nil {
		return w.Tensor.Float32s()
	}
	return w.numbers()
}

// Output is an output of the ONNX graph that the encoder computes.
type Output struct {
	Name   string
	Value  Value
	Width  int
	Pooled bool // one row a sequence, not one a token
}

// Layer is one layer of the encoder: attention, then a feed-forward part, each with a residual sum and a normalisation:
// of the sum, or, in a layer that normalises first, of what goes into the part. Operations that were not recognised, and
// those that the layer lacks, are None.
type Layer struct {
	Input             Value // the hidden state that goes into the layer
	Query, Key, Value Value // *Linear; one and the same where one map makes several of them
	// The *Linear that make disentangled attention's position keys and queries. They may have the weights of Key and Query:
	// then they are one map with two uses.
	PositionKey, PositionQuery Value
	Attention                  Value // *Attention
	AttentionOutput            Value // *Linear
	Norm1                      Value // *LayerNorm of the sum of AttentionOutput and Input; of Input in a layer that normalises first
	Up, Gate, Down             Value // *Linear; Gate makes the factor of a gated part, if Up does not make that too
	Norm2                      Value // *LayerNorm of the sum of Down and Norm1; of the first sum in a layer that normalises first
	Output                     Value // the layer's output: Norm2; in a layer that normalises first the sum of Down and the first sum
	NormFirst                  bool  // the layer normalises first
}

// Projections are the layer's linear maps that were recognised, each once.
func (l *Layer) Projections() []Value {
	var out []Value
	for _, v := range []Value{l.Query, l.Key, l.Value, l.PositionKey, l.PositionQuery, l.AttentionOutput, l.Up, l.Gate, l.Down} {
		if v != None && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// relatives are the terms of relative positions that an attention has.
func (a *Attention) relatives() []*Relative {
	return slices.DeleteFunc([]*Relative{a.Keys, a.Queries}, func(r *Relative) bool { return r == nil })
}
