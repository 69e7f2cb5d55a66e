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

// Attention implements kernel.Kernels.
func (p *kernels) Attention(out, q, k, v, bounds kernel.Tensor, o kernel.Attention) {
	clear(out.F32)
	eachHead(q, bounds, o.Heads, func(h head) {
		n := h.length
		scores := grow(&p.scores, scoreRows*n)
		for i := 0; i < n; i += scoreRows {
			rows := min(scoreRows, n-i)
			p.probabilities(scores[:rows*n], h, i, q.F32, k.F32, o.Scale)
			p.multiply(rows, h.d, n, 1, view{scores, n, 1}, h.of(v.F32, 0), h.of(out.F32, i))
		}
	})
}

// probabilities fills to with softmax(scale·q·kᵀ) for query rows i onwards, one row of h.length for each.
func (p *kernels) probabilities(to []float32, h head, i int, q, k []float32, scale float32) {
	n := h.length
	clear(to)
	p.multiply(len(to)/n, n, h.d, scale, h.of(q, i), h.of(k, 0).transposed(), view{to, n, 1})
	for ; len(to) > 0; to = to[n:] {
		softmax(to[:n])
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
//	dv = Pᵀ·dy;  dS = scale·P ⊙ (A − rowsum(P ⊙ A));  dq = dS·k;  dk = dSᵀ·q
func (p *kernels) AttentionGrad(out, q, k, v, bounds, dy kernel.Tensor, o kernel.Attention) {
	clear(out.F32)
	size := len(q.F32)
	dq, dk, dv := out.F32[:size], out.F32[size:2*size], out.F32[2*size:]
	eachHead(q, bounds, o.Heads, func(h head) {
		n := h.length
		both := grow(&p.scores, 2*scoreRows*n)
		for i := 0; i < n; i += scoreRows {
			rows := min(scoreRows, n-i)
			probabilities, scores := both[:rows*n], both[rows*n:2*rows*n]
			p.probabilities(probabilities, h, i, q.F32, k.F32, o.Scale)
			p.multiply(n, h.d, rows, 1, view{probabilities, 1, n}, h.of(dy.F32, i), h.of(dv, 0))
			clear(scores)
			p.multiply(rows, n, h.d, 1, h.of(dy.F32, i), h.of(v.F32, 0).transposed(), view{scores, n, 1})
			for r := range rows {
				softmaxGrad(scores[r*n:r*n+n], probabilities[r*n:r*n+n], o.Scale)
			}
			p.multiply(rows, h.d, n, 1, view{scores, n, 1}, h.of(k.F32, 0), h.of(dq, i))
			p.multiply(n, h.d, rows, 1, view{scores, 1, n}, h.of(q.F32, i), h.of(dk, 0))
		}
	})
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
