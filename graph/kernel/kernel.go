// Package kernel is the arithmetic under graph/op: one interface that every device implements, and the operands that
// pass through it. graph/kernel/cpu holds the implementation for processors, graph/kernel/portable the same in plain
// Go, graph/kernel/kerneltest the suite that holds each of them to one reference.
//
// A batch is packed: T real tokens of n sequences stand in one [T, hidden] matrix without padding, and Bounds gives
// the first row of each sequence. Only attention knows of sequences.
package kernel

// Kernels are the operations of one device. Every matrix is row-major float32, every index int32.
//
// An implementation keeps scratch memory, so one value serves one goroutine at a time; values are cheap, and operands
// and Layouts may be shared between them. Arguments have been checked by the operators' shape rules: an implementation
// does not check them again. Outputs are fully written unless a method says that it accumulates, and alias an input
// only where the method allows it. The same arguments give the same bits.
type Kernels interface {
	// Name tells the device and the instruction set, for reports: "cpu avx512".
	Name() string

	// Native tells whether the device multiplies at a precision by instructions of its own; it takes the others too.
	Native(p Precision) bool
	// Pack lays op(b) out at a precision for repeated use as the right operand of MatMul; op transposes when trans is
	// set. It writes over old and returns it where that is a layout of the same size and precision, which no other
	// goroutine may be using; old may be nil. It returns nil where a device gains nothing by a layout.
	Pack(b Tensor, trans bool, p Precision, old Layout) Layout
	// MatMul computes out[m,n] = Alpha·op(a)[m,k]·op(b)[k,n] (+ Bias[n] on each row) (+ out when Accumulate is set).
	// It uses b.Packed where that holds op(b), and b's elements otherwise. A layout in BFloat16 has op(a) rounded to
	// bfloat16 too; the sums, Alpha, Bias and out stay float32.
	MatMul(out, a, b Tensor, o MatMul)

	// ColSum computes out[j] = Σ_i x[i,j] for x of shape [m,n].
	ColSum(out, x Tensor)
	// Add computes out = a + b, element by element. out may be a or b.
	Add(out, a, b Tensor)
	// Mul computes out = a ⊙ b, element by element. out may be a or b.
	Mul(out, a, b Tensor)
	// Scale computes out = s·x. out may be x.
	Scale(out, x Tensor, s float32)
	// AddRow computes out[i,j] = x[i,j] + row[j]. out may be x.
	AddRow(out, x, row Tensor)
	// MulRow computes out[i,j] = x[i,j]·row[j]. out may be x.
	MulRow(out, x, row Tensor)
	// CopyColumns computes out[i,to+j] = x[i,from+j] for 0 ≤ j < n, and leaves out's other columns as they are.
	CopyColumns(out, x Tensor, to, from, n int)

	// Activate computes out = f(x), element by element. out may be x.
	Activate(out, x Tensor, f Activation)
	// ActivateGrad computes dx = dy ⊙ f′(x). dx may be dy.
	ActivateGrad(dx, x, dy Tensor, f Activation)

	// LayerNorm computes, for each row z of x (of x + residual where residual is not empty),
	// out = (z − mean(z)) / √(var(z) + eps) ⊙ gamma + beta, with the variance divided by n; beta may be empty.
	// out may be x or residual.
	LayerNorm(out, x, residual, gamma, beta Tensor, eps float32)
	// LayerNormGrad computes the gradient with respect to z = x + residual, which is that of x and of residual alike.
	// dz may be dy.
	LayerNormGrad(dz, x, residual, gamma, dy Tensor, eps float32)
	// LayerNormParamGrad computes out[2,n]: the gradients of gamma in row 0 and of beta in row 1.
	LayerNormParamGrad(out, x, residual, dy Tensor, eps float32)

	// Embed computes out[t] = Σ_k tables[k][ids[k][t]]: tables[k] is [v_k, n], ids[k] is int32 [T].
	Embed(out Tensor, tables, ids []Tensor)
	// EmbedGrad computes out[v,n]: row r is the sum of those rows dy[t] whose ids[t] is r, in the order of t.
	EmbedGrad(out, ids, dy Tensor)
	// Rows computes out[i] = x[idx[i]] for idx int32 [m], out [m,n].
	Rows(out, x, idx Tensor)
	// RowsGrad computes dx[r] = Σ over i with idx[i] = r of dy[i]; other rows are zero.
	RowsGrad(dx, idx, dy Tensor)

	// Rotary turns pairs of columns of each head: out = (a·cos − b·sin, b·cos + a·sin) for x = (a, b), with the angles of
	// the row. x is [T, Heads·d] for an even d, cos and sin are [T, d/2]. out may be x.
	Rotary(out, x, cos, sin Tensor, o Rotary)

	// Attention computes, for each sequence s (rows bounds[s] to bounds[s+1]) and each head h (columns h·d to h·d+d of
	// q, k and v, all [T, Heads·d]), out = softmax(Scale·q·kᵀ + b)·v with b[i,j] = o.Bias[j−i+L−1, h]. bounds is int32
	// [sequences+1], rising from 0; rows that lie in no sequence come out as zero, in the gradient too.
	Attention(out, q, k, v, bounds Tensor, o Attention)
	// AttentionGrad computes the gradients of q, k and v into out[3,T,Heads·d], recomputing the probabilities.
	AttentionGrad(out, q, k, v, bounds, dy Tensor, o Attention)
	// AttentionBiasGrad computes the gradient of o.Bias into out, of its shape.
	AttentionBiasGrad(out, q, k, v, bounds, dy Tensor, o Attention)
	// RelativeAttention is Attention with terms of relative positions in its scores (He et al. 2021): for query i and key j
	// of a sequence, Scale·(q_i·k_j + q_i·Keys.X[Keys.Rows(i−j)] + Queries.X[Queries.Rows(i−j)]·k_j).
	RelativeAttention(out, q, k, v, bounds Tensor, r Relative, o Attention)
	// RelativeAttentionGrad computes the gradients of q, k and v into the elements of out, as if it were [3,T,Heads·d], and
	// those of Keys.X and Queries.X into keys and queries, each of which may be empty.
	RelativeAttentionGrad(out, keys, queries, q, k, v, bounds Tensor, r Relative, dy Tensor, o Attention)

	// CrossEntropy computes out[0] = weight[0] · Σ_t −log softmax(logits[t])[labels[t]] over the rows whose label is
	// not negative. logits is [T,c], labels int32 [T], weight float32 [1] (one over the number of labelled rows gives
	// the mean). The sum is taken in float64.
	CrossEntropy(out, logits, labels, weight Tensor)
	// CrossEntropyGrad computes dout[0]·weight[0]·(softmax(logits[t]) − onehot(labels[t])), zero where the label is
	// negative. out may be logits.
	CrossEntropyGrad(out, logits, labels, weight, dout Tensor)

	// Map computes out = f(x), element by element. out may be x.
	Map(out, x Tensor, f Function)
	// Combine computes out = f(a, b), element by element. out may be a or b.
	Combine(out, a, b Tensor, f Pair)
	// Select computes out[i] = a[i] where c[i] ≠ 0 and b[i] elsewhere; an empty a or b stands for zeros. out may be any of
	// them.
	Select(out, c, a, b Tensor)
	// Reduce computes out[i] = f of row i of x [m,n]: [m].
	Reduce(out, x Tensor, f Reduction)

	// AdamW takes one step of AdamW (Loshchilov and Hutter 2019, algorithm 2) on p with gradient g and moments m, v.
	AdamW(p, g, m, v Tensor, o AdamW)
	// AddScaled computes y += s·x.
	AddScaled(y, x Tensor, s float32)
	// SumSquares returns Σ x², taken in float64.
	SumSquares(x Tensor) float64
}

// MatMul are the options of Kernels.MatMul.
type MatMul struct {
	TransA, TransB bool
	Alpha          float32 // 0 means 1
	Bias           Tensor  // [n], or empty
	Accumulate     bool    // add to what out holds; not together with Bias
}

// Attention are the options of Kernels.Attention.
type Attention struct {
	Heads  int
	Scale  float32
	Window int    // > 0: a token sees those tokens alone that are at most so many places away
	Bias   Tensor // [2L−1, Heads], or empty: what is added to a score, by key − query from −(L−1) on; no sequence passes L
}

// Keys are the keys from lo to hi−1 that any of the queries from i to end−1 sees, in a sequence of n tokens.
func (o Attention) Keys(i, end, n int) (lo, hi int) {
	if o.Window == 0 {
		return 0, n
	}
	return max(0, i-o.Window), min(n, end+o.Window)
}

// Rotary are the options of Kernels.Rotary.
type Rotary struct {
	Heads int
	// Interleaved pairs the columns 2i and 2i+1 of a head (Su et al. 2021), else i and i+d/2 are a pair.
	Interleaved bool
	// Inverse turns the other way round.
	Inverse bool
}

// AdamW are the options of Kernels.AdamW. With t counted from 1, and gradients multiplied by GradScale first:
//
//	m = β1·m + (1−β1)·g;  v = β2·v + (1−β2)·g²
//	p = p − LR·WeightDecay·p − LR·(m/(1−β1ᵗ)) / (√(v/(1−β2ᵗ)) + Eps)
type AdamW struct {
	LR, Beta1, Beta2, Eps, WeightDecay, GradScale float32
	Step                                          int
}

// Activation is an element-wise function.
type Activation int

// The activations of the encoders and adapters that graft knows.
const (
	GELU     Activation = iota // x·Φ(x), Φ the normal distribution's cumulative function (by erf)
	GELUTanh                   // x/2·(1 + tanh(√(2/π)·(x + 0.044715x³)))
	ReLU                       // max(x, 0)
	SiLU                       // x·σ(x), also called swish
	Tanh                       // tanh x
)

var activationNames = [...]string{"gelu", "gelu_tanh", "relu", "silu", "tanh"}

// String is the activation's name in lower case.
func (a Activation) String() string {
	if a < 0 || int(a) >= len(activationNames) {
		return "unknown"
	}
	return activationNames[a]
}

// Activations lists every Activation.
func Activations() []Activation { return []Activation{GELU, GELUTanh, ReLU, SiLU, Tanh} }
