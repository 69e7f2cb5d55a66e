// Package kernel is the arithmetic under graph/op: one interface that every device implements, and the operands that
// pass through it. graph/kernel/cpu holds the implementation for processors, graph/kernel/portable the same in plain
// Go, graph/kernel/kerneltest the suite that holds each of them to one reference.
//
// A batch is packed: T real tokens of n sequences stand in one [T, hidden] matrix without padding, and Bounds gives
// the first row of each sequence. Only attention knows of sequences.
package kernel

import "math"

// Kernels are the operations of one device. Every matrix is row-major float32, every index int32.
//
// An implementation keeps scratch memory, so one value serves one goroutine at a time; values are cheap, and operands
// and Layouts may be shared between them. Arguments have been checked by the operators' shape rules: an implementation
// does not check them again. Outputs are fully written unless a method says that it accumulates, and alias an input
// only where the method allows it. The same arguments give the same bits.
type Kernels interface {
	// Name tells the device and the instruction set, for reports: "cpu avx512".
	Name() string

	// Native tells whether the device multiplies at a precision by instructions of its own. Every device takes Float32 and
	// BFloat16, and TensorFloat32 where it is native.
	Native(p Precision) bool
	// Pack lays op(b) out at a precision for repeated use as the right operand of MatMul; op transposes when trans is
	// set. It writes over old and returns it where that is a layout of the same size and precision, which no other
	// goroutine may be using; old may be nil. It returns nil where a device gains nothing by a layout.
	Pack(b Tensor, trans bool, p Precision, old Layout) Layout
	// MatMul computes out[m,n] = Alpha·op(a)[m,k]·op(b)[k,n] (+ Bias[n] on each row) (+ out when Accumulate is set).
	// It uses b.Packed where that holds op(b), and b's elements otherwise. A layout in BFloat16 has op(a) rounded to
	// bfloat16 too; the sums, Alpha, Bias and out stay float32.
	MatMul(out, a, b Tensor, o MatMul)
	// BatchMatMul computes out[i] = Alpha·op(a[i])·op(b[i]) for each i of the first of three dimensions. Bias, Accumulate and
	// layouts are not used.
	BatchMatMul(out, a, b Tensor, o MatMul)

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
	// Shift computes out = x + c. out may be x.
	Shift(out, x Tensor, c float32)
	// Fill sets every element of out to v.
	Fill(out Tensor, v float32)
	// Copy computes out[Σ_k i_k·Out_k] = x[Σ_k i_k·In_k] over all i with 0 ≤ i_k < Size_k, whatever the operands' shapes are,
	// and leaves out's other elements as they are. It copies, transposes, slices, joins and, where In is 0, repeats. No
	// element of out is written twice, and none of x is written.
	Copy(out, x Tensor, s Strides)

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
	// AddRows computes y[idx[i]] += x[i] for i from 0 on, for y [v,n], idx int32 [m] and x [m,n].
	AddRows(y, idx, x Tensor)
	// OneHot computes out[t,j] = 1 where j is labels[t] and 0 elsewhere, a row of zeros for a negative label: labels int32
	// [T], out [T,c].
	OneHot(out, labels Tensor)

	// Rotary turns pairs of columns of each head: out = (a·cos − b·sin, b·cos + a·sin) for x = (a, b), with the angles of
	// the row. x is [T, Heads·d] for an even d, cos and sin are [T, d/2]. out may be x.
	Rotary(out, x, cos, sin Tensor, o Rotary)

	// Attention computes, for each sequence s (rows bounds[s] to bounds[s+1]) and each head h (columns h·d to h·d+d of
	// q, k and v, all [T, Heads·d]), out = softmax(Scale·q·kᵀ + b)·v with b[i,j] = o.Bias[j−i+L−1, h]. bounds is int32
	// [sequences+1] and never falls: a sequence may be empty, and rows that lie in none come out as zero, in the
	// gradient too, whatever they hold.
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
	// Scores computes out[t·Heads+h, j−s] = Scale·⟨a[t,h], b[j,h]⟩ for t and j of the sequence that starts at row s, j at most
	// Window places from t if that is not 0, and outside everywhere else: a and b [T, Heads·d], out [T·Heads, T]. Scores and
	// Mix are attention taken apart; Bias is not used.
	Scores(out, a, b, bounds Tensor, o Attention, outside float32)
	// Mix computes out[t,h] = Scale·Σ_j p[t·Heads+h, j−s]·x[j,h] over the rows j of the sequence of t, with trans
	// out[j,h] = Scale·Σ_t p[t·Heads+h, j−s]·x[t,h]: p laid out as Scores has it, x and out [T, Heads·d]. Rows that lie in
	// no sequence come out as zero.
	Mix(out, p, x, bounds Tensor, o Attention, trans bool)

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
	// Reduce computes out[i] = f of row i of x, whose elements are taken as [m,n] for the m elements of out.
	Reduce(out, x Tensor, f Reduction)
	// Softmax computes the softmax of each row of x [m,n], taken in float64; a row of −∞ alone gives empty everywhere. out
	// may be x.
	Softmax(out, x Tensor, empty float32)

	// AdamW takes one step of AdamW (Loshchilov and Hutter 2019, algorithm 2) on p with gradient g and moments m, v.
	AdamW(p, g, m, v Tensor, o AdamW)
	// AddScaled computes y += s·x.
	AddScaled(y, x Tensor, s float32)
	// Clip computes out[0] = limit/‖x‖ where the Euclidean norm ‖x‖, taken in float64, is above limit, and 1 elsewhere: what
	// x is multiplied by so that its norm is at most limit.
	Clip(out, x Tensor, limit float32)
}

// Axes is the number of dimensions that Kernels.Copy walks.
const Axes = 4

// Strides are the elements that Kernels.Copy moves: how many along each axis, and how far apart they are in out and in x.
// An axis that is not used has size 1.
type Strides struct{ Size, Out, In [Axes]int }

// Block are the strides of rows by cols elements, whose rows are out elements apart in the output and in elements apart
// in the input; in 0 repeats one row.
func Block(rows, cols, out, in int) Strides {
	return Strides{Size: [Axes]int{1, 1, rows, cols}, Out: [Axes]int{0, 0, out, 1}, In: [Axes]int{0, 0, in, 1}}
}

// Repeated are the strides with one element of each row of the input in all of its columns.
func (s Strides) Repeated() Strides {
	s.In[Axes-1] = 0
	return s
}

// MatMul are the options of Kernels.MatMul.
type MatMul struct {
	TransA, TransB bool
	Alpha          float32 // 0 means 1
	Bias           Tensor  // [n], or empty
	Accumulate     bool    // add to what out holds; not together with Bias
	// Precision is what both operands may be rounded to where b holds no layout, whose own precision counts otherwise. GPUs
	// take it; at BFloat16 they may round to TensorFloat32 instead, which is closer. Processors multiply in float32.
	Precision Precision
}

// Attention are the options of Kernels.Attention.
type Attention struct {
	Heads  int
	Scale  float32
	Window int    // > 0: a token sees those tokens alone that are at most so many places away
	Bias   Tensor // [2L−1, Heads], or empty: what is added to a score, by key − query from −(L−1) on; no sequence passes L
	// Precision is that of the products' operands on devices that have kernels for it: at BFloat16 GPUs round q, k, v, dy, the
	// probabilities and the scores' gradients to bfloat16. Sums and the softmax are float32. Processors compute all of it in
	// float32.
	Precision Precision
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

// AdamW are the options of Kernels.AdamW. With t counted from 1, and gradients multiplied by GradScale and Clip first:
//
//	m = β1·m + (1−β1)·g;  v = β2·v + (1−β2)·g²
//	p = p − LR·WeightDecay·p − LR·(m/(1−β1ᵗ)) / (√(v/(1−β2ᵗ)) + Eps)
type AdamW struct {
	LR, Beta1, Beta2, Eps, WeightDecay, GradScale float32
	Step                                          int
	Clip                                          Tensor // [1], or empty
}

// Scale is what gradients are multiplied by, where the host can read Clip.
func (o AdamW) Scale() float32 {
	if o.Clip.Empty() {
		return o.GradScale
	}
	return o.GradScale * o.Clip.F32[0]
}

// ClipFactor is what Kernels.Clip computes from Σ x².
func ClipFactor(squares float64, limit float32) float32 {
	if norm := math.Sqrt(squares); norm > float64(limit) {
		return float32(float64(limit) / norm)
	}
	return 1
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
