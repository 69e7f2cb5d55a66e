package portable

import "github.com/seed-aefebe89/graft/graph/kernel"

// positions are one head's vectors of relative positions that a sequence takes: count rows of X from the first on, and
// for each distance query − key from −(n−1) on its row among them, plus first.
type positions struct {
	rows         []int32
	first, count int
	x            view
}

func (h head) positions(p kernel.Positions) positions {
	if p.X.Empty() {
		return positions{}
	}
	first, count := p.Span(h.length)
	return positions{p.At(h.length), first, count, view{p.X.F32[first*h.width+h.col:], h.width, 1}}
}

// at is the place of a distance's row in a row of products with x.
func (p positions) at(n, query, key int) int { return int(p.rows[query-key+n-1]) - p.first }

// relative is the scratch of one head's terms: with c = Scale·q·Keysᵀ and b = Scale·k·Queriesᵀ, what is added to the
// score of query i and key j is c[i, Keys(i−j)] + b[j, Queries(i−j)].
type relative struct {
	keys, queries positions
	c             []float32 // of scoreRows queries
	b             []float32
	db            []float32
}

func (p *kernels) relative(h head, k []float32, r kernel.Relative, o kernel.Attention, grad bool) relative {
	t := relative{keys: h.positions(r.Keys), queries: h.positions(r.Queries)}
	size := h.length * t.queries.count
	all := scoreRows*t.keys.count + size
	if grad {
		all += size
	}
	buf := grow(&p.terms, all)
	t.c, t.b, t.db = buf[:scoreRows*t.keys.count], buf[scoreRows*t.keys.count:][:size], buf[all-size:]
	if size > 0 {
		clear(t.b)
		p.multiply(h.length, t.queries.count, h.d, o.Scale, h.of(k, 0), t.queries.x.transposed(), view{t.b, t.queries.count, 1})
	}
	if grad {
		clear(t.db)
	}
	return t
}

// relativeProbabilities is probabilities with the terms of relative positions.
func (p *kernels) relativeProbabilities(to []float32, h head, i int, q, k []float32, t relative, scale float32) {
	n := h.length
	rows := len(to) / n
	clear(to)
	p.multiply(rows, n, h.d, scale, h.of(q, i), h.of(k, 0).transposed(), view{to, n, 1})
	c, width := t.c[:rows*t.keys.count], t.keys.count
	clear(c)
	p.multiply(rows, width, h.d, scale, h.of(q, i), t.keys.x.transposed(), view{c, width, 1})
	for r := range rows {
		row := to[r*n : r*n+n]
		for j := range row {
			if width > 0 {
				row[j] += c[r*width+t.keys.at(n, i+r, j)]
			}
			if t.queries.count > 0 {
				row[j] += t.b[j*t.queries.count+t.queries.at(n, i+r, j)]
			}
		}
		softmax(row)
	}
}

// RelativeAttention implements kernel.Kernels.
func (p *kernels) RelativeAttention(out, q, k, v, bounds kernel.Tensor, r kernel.Relative, o kernel.Attention) {
	clear(out.F32)
	eachHead(q, bounds, o.Heads, func(h head) {
		n := h.length
		t := p.relative(h, k.F32, r, o, false)
		scores := grow(&p.scores, scoreRows*n)
		for i := 0; i < n; i += scoreRows {
			rows := min(scoreRows, n-i)
			p.relativeProbabilities(scores[:rows*n], h, i, q.F32, k.F32, t, o.Scale)
			p.multiply(rows, h.d, n, 1, view{scores, n, 1}, h.of(v.F32, 0), h.of(out.F32, i))
		}
	})
}

// RelativeAttentionGrad implements kernel.Kernels. With dS as in AttentionGrad, dC[i,r] = Σ_j dS[i,j] over the keys j whose
// Keys(i−j) is r, and dB[j,r] = Σ_i dS[i,j] over the queries i whose Queries(i−j) is r,
//
//	dq = dS·k + dC·Keys;  dk = dSᵀ·q + dB·Queries;  dKeys = dCᵀ·q;  dQueries = dBᵀ·k
func (p *kernels) RelativeAttentionGrad(out, keys, queries, q, k, v, bounds kernel.Tensor, r kernel.Relative, dy kernel.Tensor, o kernel.Attention) {
	clear(out.F32)
	clear(keys.F32)
	clear(queries.F32)
	size := len(q.F32)
	dq, dk, dv := out.F32[:size], out.F32[size:2*size], out.F32[2*size:]
	eachHead(q, bounds, o.Heads, func(h head) {
		n := h.length
		t := p.relative(h, k.F32, r, o, true)
		both := grow(&p.scores, 2*scoreRows*n)
		for i := 0; i < n; i += scoreRows {
			rows := min(scoreRows, n-i)
			probabilities, scores := both[:rows*n], both[rows*n:2*rows*n]
			p.relativeProbabilities(probabilities, h, i, q.F32, k.F32, t, o.Scale)
			p.multiply(n, h.d, rows, 1, view{probabilities, 1, n}, h.of(dy.F32, i), h.of(dv, 0))
			clear(scores)
			p.multiply(rows, n, h.d, 1, h.of(dy.F32, i), h.of(v.F32, 0).transposed(), view{scores, n, 1})
			for r := range rows {
				softmaxGrad(scores[r*n:r*n+n], probabilities[r*n:r*n+n], o.Scale)
			}
			p.multiply(rows, h.d, n, 1, view{scores, n, 1}, h.of(k.F32, 0), h.of(dq, i))
			p.multiply(n, h.d, rows, 1, view{scores, 1, n}, h.of(q.F32, i), h.of(dk, 0))
			p.relativeGrad(scores, h, i, rows, t, q.F32, dq, keys.F32)
		}
		if m := t.queries.count; m > 0 {
			p.multiply(n, h.d, m, 1, view{t.db, m, 1}, t.queries.x, h.of(dk, 0))
			if !queries.Empty() {
				p.multiply(m, h.d, n, 1, view{t.db, 1, m}, h.of(k.F32, 0), view{queries.F32[t.queries.first*h.width+h.col:], h.width, 1})
			}
		}
	})
}

// relativeGrad passes dS of query rows i onwards on to the terms of relative positions.
func (p *kernels) relativeGrad(ds []float32, h head, i, rows int, t relative, q, dq, dkeys []float32) {
	n, m := h.length, t.keys.count
	dc := t.c[:rows*m]
	clear(dc)
	for r := range rows {
		for j, g := range ds[r*n : r*n+n] {
			if m > 0 {
				dc[r*m+t.keys.at(n, i+r, j)] += g
			}
			if t.queries.count > 0 {
				t.db[j*t.queries.count+t.queries.at(n, i+r, j)] += g
			}
		}
	}
	if m == 0 {
		return
	}
	p.multiply(rows, h.d, m, 1, view{dc, m, 1}, t.keys.x, h.of(dq, i))
	if dkeys != nil {
		p.multiply(m, h.d, rows, 1, view{dc, 1, m}, h.of(q, i), view{dkeys[t.keys.first*h.width+h.col:], h.width, 1})
	}
}
