package kerneltest

import (
	"math"
	"slices"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// related is a case of RelativeAttention: keys and queries are the rows of the two matrices of relative positions, 0 for
// none, and beyond is the number of distances by which the tables of rows reach beyond the longest sequence's.
type related struct {
	heads
	keys, queries int
	beyond        int
}

// relatives returns the cases: buckets that hold many distances and that few sequences reach, one term or both or none,
// and the sequences of attention's own cases.
func relatives() []related {
	cases := []related{
		{heads{heads: 1, d: 1, lengths: []int{1}}, 1, 1, 0},
		{heads{heads: 2, d: 5, lengths: []int{3, 0, 1}}, 4, 7, 3},
		{heads{heads: 1, d: 8, lengths: []int{5, 6, 7, 12, 13}}, 9, 0, 0},
		{heads{heads: 3, d: 12, lengths: []int{16, 1, 17}, spare: 3}, 0, 32, 1},
		{heads{heads: 2, d: 16, lengths: []int{31, 33}, start: 2}, 61, 67, 0},
		{heads{heads: 1, d: 16, lengths: []int{9}}, 0, 0, 2},
		{heads{heads: 4, d: 32, lengths: []int{14, 25, 2}}, 32, 32, 100},
		{heads{heads: 1, d: 64, lengths: []int{127, 128}}, 512, 512, 0},
		{heads{heads: 2, d: 33, lengths: []int{64, 65}}, 20, 33, 0},
		{heads{heads: 2, d: 32, lengths: []int{}, spare: 4}, 8, 8, 4},
	}
	if !testing.Short() {
		cases = append(cases, related{heads{heads: 1, d: 16, lengths: []int{300}}, 512, 40, 0},
			related{heads{heads: 1, d: 16, lengths: []int{512, 700}}, 64, 512, 5})
	}
	return cases
}

// table is the row for each distance: that of the distance near the middle of the rows, fewer and fewer further out.
// order says whether rows rise or fall with the distance.
func (c related) table(rows int, order int) []int32 {
	n := 1 + c.beyond
	for _, length := range c.lengths {
		n = max(n, length+c.beyond)
	}
	out := make([]int32, 2*n-1)
	for i := range out {
		x := float64(i - (n - 1))
		if limit := float64(rows) / 4; math.Abs(x) > limit {
			x = math.Copysign(limit+2*math.Log2(math.Abs(x)-limit+1), x)
		}
		out[i] = int32(min(max(rows/2+order*int(x), 0), max(rows-1, 0)))
	}
	return out
}

// place is where a table says that the row of a distance stands in a matrix.
func (c related) place(table []int32, distance, col int) int {
	return c.at(int(table[len(table)/2+distance]), col)
}

// operands of a case.
type relation struct {
	q, k, v, dy, keys, queries []float64
	keyRows, queryRows         []int32
	scale                      float64
}

// score is a scaled score and the sum of its products' magnitudes.
func (c related) score(o relation, t, j, col int) (s, magnitude float64) {
	add := func(a, b float64) {
		s += a * b
		magnitude += math.Abs(a * b)
	}
	for x := range c.d {
		q, k := o.q[c.at(t, col+x)], o.k[c.at(j, col+x)]
		add(q, k)
		if c.keys > 0 {
			add(q, o.keys[c.place(o.keyRows, t-j, col+x)])
		}
		if c.queries > 0 {
			add(o.queries[c.place(o.queryRows, t-j, col+x)], k)
		}
	}
	return s * o.scale, magnitude * math.Abs(o.scale)
}

// probabilities are as heads.probabilities, of three products for each score.
func (c related) probabilities(o relation, t, lo, hi, col int) (p []float64, err float64) {
	p = make([]float64, hi-lo)
	largest, bound := math.Inf(-1), 0.0
	for j := range p {
		s, magnitude := c.score(o, t, lo+j, col)
		p[j] = s
		largest, bound = max(largest, s), max(bound, float64(c.d+4)*u*magnitude)
	}
	var sum float64
	for j := range p {
		p[j] = math.Exp(p[j] - largest)
		sum += p[j]
	}
	for j := range p {
		p[j] /= sum
	}
	if err = 4*bound + float64(len(p)+16+90)*u; c.precision != kernel.Float32 {
		err *= 2
	}
	return p, err
}

// forward is the reference of RelativeAttention.
func (c related) forward(o relation) (out, tol []float64) {
	out, tol = make([]float64, len(o.q)), make([]float64, len(o.q))
	c.each(func(lo, hi, col int) {
		for t := lo; t < hi; t++ {
			p, err := c.probabilities(o, t, lo, hi, col)
			for j, weight := range p {
				for x := range c.d {
					y := weight * o.v[c.at(lo+j, col+x)]
					out[c.at(t, col+x)] += y
					tol[c.at(t, col+x)] += math.Abs(y) * (err + float64(len(p))*u + c.rounding())
				}
			}
		}
	})
	for i := range tol {
		tol[i] += 1e-35
	}
	return out, tol
}

// backward is the reference of RelativeAttentionGrad: the gradients of q, k, v, keys and queries one after another. The
// tolerances are those of heads.backward, with one rounding more for each key of a bucket and each bucket of a sum.
func (c related) backward(o relation) (out, tol []float64) {
	n := len(o.q)
	keys, queries := 3*n, 3*n+len(o.keys)
	out, tol = make([]float64, queries+len(o.queries)), make([]float64, queries+len(o.queries))
	add := func(at int, g, bound, x float64) {
		out[at] += g * x
		tol[at] += bound * math.Abs(x)
	}
	c.each(func(lo, hi, col int) {
		for t := lo; t < hi; t++ {
			p, err := c.probabilities(o, t, lo, hi, col)
			a, magnitude := make([]float64, len(p)), make([]float64, len(p))
			var mean, meanMagnitude float64
			for j := range p {
				for x := range c.d {
					y := o.dy[c.at(t, col+x)] * o.v[c.at(lo+j, col+x)]
					a[j] += y
					magnitude[j] += math.Abs(y)
				}
				mean += p[j] * a[j]
				meanMagnitude += p[j] * magnitude[j]
			}
			err += float64(6*len(p)+c.d+16) * u
			for j := range p {
				g := o.scale * p[j] * (a[j] - mean)
				bound := math.Abs(o.scale) * p[j] * (magnitude[j] + meanMagnitude) * 2 * err
				bound += c.rounding() * math.Abs(g)
				for x := range c.d {
					at, from := c.at(t, col+x), c.at(lo+j, col+x)
					add(at, g, bound, o.k[from])
					add(n+from, g, bound, o.q[at])
					add(2*n+from, p[j], (err+c.rounding())*p[j], o.dy[at])
					if c.keys > 0 {
						row := c.place(o.keyRows, t-lo-j, col+x)
						add(at, g, bound, o.keys[row])
						add(keys+row, g, bound, o.q[at])
					}
					if c.queries > 0 {
						row := c.place(o.queryRows, t-lo-j, col+x)
						add(n+from, g, bound, o.queries[row])
						add(queries+row, g, bound, o.k[from])
					}
				}
			}
		}
	})
	for i := range tol {
		tol[i] += 1e-35
	}
	return out, tol
}

// related draws the operands of a case, in float32 and as the reference takes them.
func (r *trial) related(c related) (x [6][]float32, o relation) {
	for i := range 4 {
		x[i] = c.operand(r)
	}
	for i, rows := range [2]int{c.keys, c.queries} {
		positions := heads{heads: c.heads.heads, d: c.d, lengths: []int{rows}, precision: c.precision}
		x[4+i] = positions.operand(r)
	}
	return x, relation{wide(x[0]), wide(x[1]), wide(x[2]), wide(x[3]), wide(x[4]), wide(x[5]), c.table(c.keys, 1),
		c.table(c.queries, -1), float64(float32(1 / math.Sqrt(float64(3*c.d))))}
}

// terms are the terms of a case as kernels take them.
func (r *trial) terms(c related, x [6][]float32, o relation) kernel.Relative {
	var t kernel.Relative
	width := c.heads.heads * c.d
	if c.keys > 0 {
		t.Keys = kernel.Positions{X: r.input(x[4], c.keys, width), Rows: r.index(o.keyRows, len(o.keyRows))}
	}
	if c.queries > 0 {
		t.Queries = kernel.Positions{X: r.input(x[5], c.queries, width), Rows: r.index(o.queryRows, len(o.queryRows))}
	}
	return t
}

// RelativeAttention checks every case on random numbers; rows of no sequence are zero.
func RelativeAttention(t *testing.T, open Open) { relativeAttention(t, open, kernel.Float32) }

// RelativeAttentionBFloat16 does the same at BFloat16.
func RelativeAttentionBFloat16(t *testing.T, open Open) { relativeAttention(t, open, kernel.BFloat16) }

func relativeAttention(t *testing.T, open Open, precision kernel.Precision) {
	for i, c := range relatives() {
		r := newTrial(t, open, uint64(i)).unaligned(i % 4)
		c.precision = precision
		x, o := r.related(c)
		width := c.heads.heads * c.d
		q, k, v := r.input(x[0], c.rows(), width), r.input(x[1], c.rows(), width), r.input(x[2], c.rows(), width)
		bounds, terms := r.index(c.bounds(), len(c.lengths)+1), r.terms(c, x, o)
		got := r.fresh(len(x[0]), func(kernels kernel.Kernels, out []float32) {
			kernels.RelativeAttention(kernel.F32(out, c.rows(), width), q, k, v, bounds, terms,
				kernel.Attention{Heads: c.heads.heads, Scale: float32(o.scale), Precision: c.precision})
		})
		want, tol := c.forward(o)
		within(t, got, want, tol)
		if t.Failed() {
			t.Fatalf("%+v", c)
		}
	}
}

// RelativeAttentionGrad checks the five gradients against the formulas, also where those of the positions are not asked
// for, and the formulas against finite differences.
func RelativeAttentionGrad(t *testing.T, open Open) { relativeAttentionGrad(t, open, kernel.Float32) }

// RelativeAttentionGradBFloat16 does the same at BFloat16.
func RelativeAttentionGradBFloat16(t *testing.T, open Open) {
	relativeAttentionGrad(t, open, kernel.BFloat16)
}

func relativeAttentionGrad(t *testing.T, open Open, precision kernel.Precision) {
	for i, c := range relatives() {
		r := newTrial(t, open, uint64(i)).unaligned(i % 4)
		c.precision = precision
		x, o := r.related(c)
		want, tol := c.backward(o)
		if len(x[0]) <= 1000 {
			c.differences(t, x[3], o, want)
		}
		width, n := c.heads.heads*c.d, len(x[0])
		in := [4]kernel.Tensor{}
		for j := range in {
			in[j] = r.input(x[j], c.rows(), width)
		}
		bounds, terms := r.index(c.bounds(), len(c.lengths)+1), r.terms(c, x, o)
		for _, ask := range [][2]bool{{true, true}, {false, true}, {true, false}, {false, false}} {
			keys, queries := len(x[4]), len(x[5])
			part := func(asked bool, at []float32, rows int) kernel.Tensor {
				if !asked || rows == 0 {
					return kernel.Tensor{}
				}
				return kernel.F32(at, rows, width)
			}
			got := r.fresh(3*n+keys+queries, func(k kernel.Kernels, out []float32) {
				k.RelativeAttentionGrad(kernel.F32(out[:3*n], 3, c.rows(), width), part(ask[0], out[3*n:3*n+keys], c.keys),
					part(ask[1], out[3*n+keys:], c.queries), in[0], in[1], in[2], bounds, terms, in[3],
					kernel.Attention{Heads: c.heads.heads, Scale: float32(o.scale), Precision: c.precision})
			})
			got = asked(got, ask, 3*n, keys)
			within(t, got, asked(want, ask, 3*n, keys), asked(tol, ask, 3*n, keys))
			if t.Failed() {
				t.Fatalf("%+v, asking for %v", c, ask)
			}
		}
	}
}

// asked leaves out the gradients of positions that are not asked for: those of keys begin at an index, before those of
// queries.
func asked[T any](all []T, ask [2]bool, at, keys int) []T {
	out := slices.Clone(all[:at])
	if ask[0] {
		out = append(out, all[at:at+keys]...)
	}
	if ask[1] {
		out = append(out, all[at+keys:]...)
	}
	return out
}

// differences holds the reference's gradients to central differences of its forward pass.
func (c related) differences(t *testing.T, dy []float32, o relation, want []float64) {
	t.Helper()
	at := 0
	for which, x := range [][]float64{o.q, o.k, o.v, o.keys, o.queries} {
		numeric := central(func([]float64) float64 {
			out, _ := c.forward(o)
			return dot(dy, out)
		}, x)
		for j, v := range numeric {
			if g := want[at+j]; math.Abs(v-g) > 1e-7*(1+math.Abs(g)) {
				t.Fatalf("%+v: the reference's gradient of operand %d is %g at %d, by differences %g", c, which, g, j, v)
			}
		}
		at += len(x)
	}
}
