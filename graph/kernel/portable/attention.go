package portable

import (
	"math"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// scoreRows is the number of query rows whose scores are held at a time.
const scoreRows = 64

// A head is one head of one sequence: length rows of d columns, in place in operands of width columns.
type head struct {
	first, length, col, d, width int
}

// of returns the head's part of an operand, from its row i on.
func (h head) of(x []float32, i int) view {
	return view{x[(h.first+i)*h.width+h.col:], h.width, 1}
}

// eachHead calls f for every head of every sequence that has rows.
func eachHead(q, bounds kernel.Tensor, heads int, f func(h head)) {
	width := q.Cols()
	d := width / heads
	for s := range len(bounds.I32) - 1 {
		first, end := int(bounds.I32[s]), int(bounds.I32[s+1])
		for h := 0; h < heads && first < end; h++ {
			f(head{first, end - first, h * d, d, width})
		}
	}
}

// A span is a block of a head's queries, from i to end−1, with the keys that any of them sees, from lo to hi−1.
type span struct{ i, end, lo, hi int }

func (s span) rows() int { return s.end - s.i }
func (s span) keys() int { return s.hi - s.lo }

// spans calls f for every block of a head's queries.
func (h head) spans(o kernel.Attention, f func(s span)) {
	for i := 0; i < h.length; i += scoreRows {
		s := span{i: i, end: min(h.length, i+scoreRows)}
		s.lo, s.hi = o.Keys(s.i, s.end, h.length)
		f(s)
	}
}

// Attention implements kernel.Kernels.
func (p *kernels) Attention(out, q, k, v, bounds kernel.Tensor, o kernel.Attention) {
	clear(out.F32)
	eachHead(q, bounds, o.Heads, func(h head) {
		h.spans(o, func(s span) {
			scores := grow(&p.scores, s.rows()*s.keys())
			p.probabilities(scores, h, s, q.F32, k.F32, o)
			p.multiply(s.rows(), h.d, s.keys(), 1, view{scores, s.keys(), 1}, h.of(v.F32, s.lo), h.of(out.F32, s.i))
		})
	})
}

// probabilities fills to with the probabilities of a block of queries, one row for each with a column for each key;
// those outside of a query's window are zero.
func (p *kernels) probabilities(to []float32, h head, s span, q, k []float32, o kernel.Attention) {
	n := s.keys()
	clear(to)
	p.multiply(s.rows(), n, h.d, o.Scale, h.of(q, s.i), h.of(k, s.lo).transposed(), view{to, n, 1})
	for i := s.i; i < s.end; i++ {
		row := to[(i-s.i)*n:][:n]
		if !o.Bias.Empty() {
			at := (s.lo-i+o.Bias.Rows()/2)*o.Heads + h.col/h.d
			for j := range row {
				row[j] += o.Bias.F32[at+j*o.Heads]
			}
		}
		lo, hi := o.Keys(i, i+1, h.length)
		clear(row[:lo-s.lo])
		clear(row[hi-s.lo:])
		softmax(row[lo-s.lo : hi-s.lo])
	}
}

// softmax replaces a row by its softmax.
func softmax(row []float32) {
	largest := row[0]
	for _, v := range row {
		largest = max(largest, v)
	}
	var sum float64
	for j, v := range row {
		e := float32(math.Exp(float64(v - largest)))
		row[j] = e
		sum += float64(e)
	}
	scale := float32(1 / sum)
	for j := range row {
		row[j] *= scale
	}
}

// AttentionGrad implements kernel.Kernels. With P the probabilities and A = dy·vᵀ,
//
//	dv = Pᵀ·dy;  dS = P ⊙ (A − rowsum(P ⊙ A));  dq = Scale·dS·k;  dk = Scale·dSᵀ·q
func (p *kernels) AttentionGrad(out, q, k, v, bounds, dy kernel.Tensor, o kernel.Attention) {
	clear(out.F32)
	size := len(q.F32)
	dq, dk, dv := out.F32[:size], out.F32[size:2*size], out.F32[2*size:]
	eachHead(q, bounds, o.Heads, func(h head) {
		h.spans(o, func(s span) {
			rows, n := s.rows(), s.keys()
			probabilities, scores := p.scoreGrads(h, s, q.F32, k.F32, v.F32, dy.F32, o, o.Scale)
			p.multiply(n, h.d, rows, 1, view{probabilities, 1, n}, h.of(dy.F32, s.i), h.of(dv, s.lo))
			p.multiply(rows, h.d, n, 1, view{scores, n, 1}, h.of(k.F32, s.lo), h.of(dq, s.i))
			p.multiply(n, h.d, rows, 1, view{scores, 1, n}, h.of(q.F32, s.i), h.of(dk, s.lo))
		})
	})
}

// AttentionBiasGrad implements kernel.Kernels: each score's gradient is added up by its distance.
func (p *kernels) AttentionBiasGrad(out, q, k, v, bounds, dy kernel.Tensor, o kernel.Attention) {
	clear(out.F32)
	eachHead(q, bounds, o.Heads, func(h head) {
		h.spans(o, func(s span) {
			_, scores := p.scoreGrads(h, s, q.F32, k.F32, v.F32, dy.F32, o, 1)
			for i := s.i; i < s.end; i++ {
				at := (s.lo-i+out.Rows()/2)*o.Heads + h.col/h.d
				for j, g := range scores[(i-s.i)*s.keys():][:s.keys()] {
					out.F32[at+j*o.Heads] += g
				}
			}
		})
	})
}

// scoreGrads are the probabilities of a block of queries and scale times the gradients of its scores.
func (p *kernels) scoreGrads(h head, s span, q, k, v, dy []float32, o kernel.Attention,
	scale float32) (probabilities, scores []float32) {
	rows, n := s.rows(), s.keys()
	both := grow(&p.scores, 2*rows*n)
	probabilities, scores = both[:rows*n], both[rows*n:]
	p.probabilities(probabilities, h, s, q, k, o)
	clear(scores)
	p.multiply(rows, n, h.d, 1, h.of(dy, s.i), h.of(v, s.lo).transposed(), view{scores, n, 1})
	for r := range rows {
		softmaxGrad(scores[r*n:r*n+n], probabilities[r*n:r*n+n], scale)
	}
	return probabilities, scores
}

// softmaxGrad replaces a row of A by scale·p ⊙ (A − Σ p ⊙ A).
func softmaxGrad(a, p []float32, scale float32) {
	var mean float64
	for j, v := range p {
		mean += float64(v) * float64(a[j])
	}
	for j, v := range p {
		a[j] = scale * v * (a[j] - float32(mean))
	}
}
