package kerneltest

import (
	"math"
	"slices"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// heads is a case of Attention: sequences of the given lengths, the first starting at row start, rows beyond the last
// up to spare. Tokens see each other up to window places away, if that is not 0; biased adds a bias.
type heads struct {
	heads, d     int
	lengths      []int
	start, spare int
	window       int
	biased       bool
	bias         []float32 // [2·reach−1, heads], drawn by draw
	exact        []float64 // stands for bias in the reference, if it is there
	precision    kernel.Precision
}

// attentions returns the cases: the encoders' head sizes and others that no vector divides, lengths that cross the
// tiles, empty sequences, and rows that belong to none.
func attentions() []heads {
	cases := []heads{
		{heads: 1, d: 1, lengths: []int{1}},
		{heads: 2, d: 5, lengths: []int{3, 0, 1}},
		{heads: 1, d: 8, lengths: []int{5, 6, 7, 12, 13}},
		{heads: 3, d: 12, lengths: []int{16, 1, 17}, spare: 3},
		{heads: 2, d: 16, lengths: []int{31, 33}, start: 2},
		{heads: 12, d: 32, lengths: []int{14, 25, 2}},
		{heads: 2, d: 33, lengths: []int{64, 65}},
		{heads: 1, d: 64, lengths: []int{127, 128}},
		{heads: 2, d: 80, lengths: []int{15, 24, 48}},
		{heads: 1, d: 128, lengths: []int{30, 97}},
		{heads: 2, d: 32, lengths: []int{}, spare: 4},
		{heads: 2, d: 5, lengths: []int{3, 0, 1}, window: 1},
		{heads: 3, d: 12, lengths: []int{16, 1, 17}, spare: 3, window: 4},
		{heads: 2, d: 16, lengths: []int{65, 200, 63}, start: 2, window: 8},
		{heads: 1, d: 64, lengths: []int{300, 130}, window: 64},
		{heads: 2, d: 5, lengths: []int{3, 0, 1}, biased: true},
		{heads: 3, d: 12, lengths: []int{16, 1, 17}, spare: 3, biased: true},
		{heads: 2, d: 16, lengths: []int{31, 130}, start: 2, biased: true},
		{heads: 2, d: 16, lengths: []int{31, 130}, start: 2, window: 9, biased: true},
	}
	if !testing.Short() {
		cases = append(cases, heads{heads: 2, d: 16, lengths: []int{300}}, heads{heads: 1, d: 16, lengths: []int{512, 700}})
	}
	return cases
}

// reach is the longest distance that the bias is for, and more than any sequence needs.
func (c heads) reach() int { return max(1, slices.Max(append([]int{0}, c.lengths...))) + 2 }

// draw draws the case's bias.
func (c *heads) draw(r *trial) {
	if c.biased {
		c.bias = r.normal((2*c.reach()-1)*c.heads, 1)
	}
}

// operand draws an operand, which bfloat16 holds where that is the precision: rounding it is no matter then. Rows of no sequence
// hold NaN.
func (c heads) operand(r *trial) []float32 {
	rows, width := c.rows(), c.heads*c.d
	x := r.normal(rows*width, 1)
	if c.precision == kernel.BFloat16 {
		x = roundedBF16(x)
	}
	for i := range x {
		if i < c.start*width || i >= (rows-c.spare)*width {
			x[i] = float32(math.NaN())
		}
	}
	return x
}

// rounding is the relative error of a probability, or of a score's gradient, where it is multiplied: the unit roundoff of
// bfloat16's eight bits. Devices that compute in float32 have none.
func (c heads) rounding() float64 {
	if c.precision == kernel.BFloat16 {
		return 0x1p-8
	}
	return 0
}

// options are those of the kernel.
func (c heads) options(r *trial, scale float32) kernel.Attention {
	o := kernel.Attention{Heads: c.heads, Scale: scale, Window: c.window, Precision: c.precision}
	if c.biased {
		o.Bias = r.input(c.bias, 2*c.reach()-1, c.heads)
	}
	return o
}

// rows is T, the number of rows of the operands.
func (c heads) rows() int {
	rows := c.start + c.spare
	for _, n := range c.lengths {
		rows += n
	}
	return rows
}

// bounds are the first rows of the sequences, and the end of the last.
func (c heads) bounds() []int32 {
	bounds := []int32{int32(c.start)}
	for _, n := range c.lengths {
		bounds = append(bounds, bounds[len(bounds)-1]+int32(n))
	}
	return bounds
}

// each calls f for every sequence and head with its first and last row and its first column.
func (c heads) each(f func(lo, hi, col int)) {
	bounds := c.bounds()
	for s := range c.lengths {
		for h := range c.heads {
			f(int(bounds[s]), int(bounds[s+1]), h*c.d)
		}
	}
}

// at is the place of column col of row t in an operand.
func (c heads) at(t, col int) int { return t*c.heads*c.d + col }

// probabilities returns the softmax of row t's scaled scores against rows lo to hi, and a bound on their relative
// errors: a score errs by at most (d+2)·u·Σ|q||k|·scale =: e, its exponential relatively by the difference from the
// maximum, 2e, and by the rounding of the difference, u·|s−max| < 90u where the exponential is not zero, the sum by a
// rounding for each term; 16u are left to exp itself. Tensor cores may cut off what float32 rounds, and their devices' fast exp
// rounds its argument twice more, so that all of it is doubled there.
func (c heads) probabilities(q, k []float64, t, lo, hi, col int, scale float64) (p []float64, err float64) {
	p = make([]float64, hi-lo)
	largest, bound := math.Inf(-1), 0.0
	for j := range p {
		var s, magnitude float64
		for x := range c.d {
			v := q[c.at(t, col+x)] * k[c.at(lo+j, col+x)]
			s += v
			magnitude += math.Abs(v)
		}
		p[j] = s * scale
		if c.biased {
			at := (lo+j-t+c.reach()-1)*c.heads + col/c.d
			if p[j] += float64(c.bias[at]); c.exact != nil {
				p[j] += c.exact[at] - float64(c.bias[at])
			}
		}
		if distance := lo + j - t; c.window > 0 && (distance > c.window || distance < -c.window) {
			p[j] = math.Inf(-1)
			continue
		}
		largest, bound = max(largest, p[j]), max(bound, float64(c.d+2)*u*magnitude*math.Abs(scale)+u*math.Abs(p[j]))
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

// forward is the reference of Attention.
func (c heads) forward(q, k, v []float64, scale float64) (out, tol []float64) {
	out, tol = make([]float64, len(q)), make([]float64, len(q))
	c.each(func(lo, hi, col int) {
		for t := lo; t < hi; t++ {
			p, err := c.probabilities(q, k, t, lo, hi, col, scale)
			for j, weight := range p {
				for x := range c.d {
					y := weight * v[c.at(lo+j, col+x)]
					out[c.at(t, col+x)] += y
					tol[c.at(t, col+x)] += math.Abs(y) * (err + float64(len(p))*u + c.rounding())
				}
			}
		}
	})
	// exp may end at the smallest normal float32, and the product with v below it.
	for i := range tol {
		tol[i] += 1e-35
	}
	return out, tol
}

// attend runs the kernel.
func (c heads) attend(r *trial, q, k, v []float32, scale float32) []float32 {
	a, b, w := r.input(q, c.rows(), c.heads*c.d), r.input(k, c.rows(), c.heads*c.d), r.input(v, c.rows(), c.heads*c.d)
	bounds, o := r.index(c.bounds(), len(c.lengths)+1), c.options(r, scale)
	return r.fresh(len(q), func(kernels kernel.Kernels, out []float32) {
		kernels.Attention(kernel.F32(out, c.rows(), c.heads*c.d), a, b, w, bounds, o)
	})
}

// Attention checks every case on random numbers; rows of no sequence are zero. A NaN reaches the rows that look at it.
func Attention(t *testing.T, open Open) { attention(t, open, kernel.Float32) }

// AttentionBFloat16 does the same at BFloat16.
func AttentionBFloat16(t *testing.T, open Open) { attention(t, open, kernel.BFloat16) }

func attention(t *testing.T, open Open, precision kernel.Precision) {
	for i, c := range attentions() {
		r := newTrial(t, open, uint64(i)).unaligned(i % 4)
		c.precision = precision
		c.draw(r)
		q, k, v := c.operand(r), c.operand(r), c.operand(r)
		scale := float32(1 / math.Sqrt(float64(c.d)))
		want, tol := c.forward(wide(q), wide(k), wide(v), float64(scale))
		within(t, c.attend(r, q, k, v, scale), want, tol)

		if len(c.lengths) > 0 && c.window == 0 { // with a window, a NaN may reach the queries of a block
			sees := func(row int) func(int) bool { // the elements that depend on head 0 of a row
				return func(j int) bool {
					var hit bool
					c.each(func(lo, hi, col int) {
						at := j / (c.heads * c.d)
						hit = hit || col == 0 && j%(c.heads*c.d) < c.d && lo <= row && row < hi && lo <= at && at < hi
					})
					return hit
				}
			}
			row := c.start
			at, nan := c.at(row, 0), float32(math.NaN())
			was := q[at]
			q[at] = nan
			allNaN(t, c.attend(r, q, k, v, scale), func(j int) bool { return j/(c.heads*c.d) == row && sees(row)(j) })
			q[at], was = was, k[at]
			k[at] = nan
			allNaN(t, c.attend(r, q, k, v, scale), sees(row))
			k[at] = was
			v[at] = nan
			allNaN(t, c.attend(r, q, k, v, scale), func(j int) bool { return j%(c.heads*c.d) == 0 && sees(row)(j) })
		}
		if t.Failed() {
			t.Fatalf("%+v", c)
		}
	}
}

// AttentionExtremes checks scores of ±10⁴, rows whose scores lie far below zero, and uniform ones. Whole numbers and
// powers of two make the scores exact, so only the softmax is under test.
func AttentionExtremes(t *testing.T, open Open) {
	c := heads{heads: 2, d: 16, lengths: []int{9, 33, 1, 64}}
	n := c.rows() * c.heads * c.d
	for name, draw := range map[string]func(r *trial) (q, k []float32){
		"scores of ±10⁴": func(r *trial) (q, k []float32) { return r.integers(n, 75), r.integers(n, 75) },
		"rows near −10⁴": func(r *trial) (q, k []float32) {
			q, k = r.integers(n, 1), r.integers(n, 1)
			for i := 0; i < n; i += c.d { // the first column of each head adds −80·1000/8 to each score
				q[i], k[i] = -80, 1000
			}
			return q, k
		},
		"equal scores": func(r *trial) (q, k []float32) { return r.integers(n, 0), r.integers(n, 9) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newTrial(t, open, 7)
			q, k := draw(r)
			v := r.normal(n, 1)
			const scale = 1.0 / 8
			want, _ := c.forward(wide(q), wide(k), wide(v), scale)
			tol := make([]float64, n)
			for i := range tol { // (S + 16 + 90)u for a probability, S·u for the sum, times Σ p|v| < 5
				tol[i] = 5 * (2*64 + 106) * u
			}
			within(t, c.attend(r, q, k, v, scale), want, tol)
		})
	}
}
