//go:build gpu && cgo && linux

package gpu

import (
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/internal/cuda"
)

// heads are the columns of some heads of a matrix of a call's width, as a batch with a head each.
func (c *call) heads(x cuda.Ptr, trans bool) cuda.Matrix {
	return cuda.Matrix{Ptr: x + cuda.Ptr(4*c.head*c.d), Type: cuda.Float32, LD: c.width, Stride: c.d, Trans: trans}
}

// scores are products with relative positions: for each head [rows, n].
func (c *call) scores(at cuda.Ptr, n int, trans bool) cuda.Matrix {
	return cuda.Matrix{Ptr: at, Type: cuda.Float32, LD: n, Stride: c.rows * n, Trans: trans}
}

// tf32 tells whether products of relative positions are rounded: TensorFloat-32 has more digits than bfloat16.
func (c *call) tf32() bool { return c.o.Precision != kernel.Float32 }

// count is the number of rows of relative positions, 0 where there are none.
func count(p kernel.Positions) int {
	if p.X.Empty() {
		return 0
	}
	return p.X.Rows()
}

// prepare computes the terms of relative positions of some heads: Scale·q·Keysᵀ and Scale·k·Queriesᵀ.
func (k *kernels) prepare(c *call, heads int, keys, queries cuda.Ptr) {
	c.keys, c.queries = keys, queries
	for _, t := range []struct {
		of kernel.Tensor
		p  kernel.Positions
		at cuda.Ptr
	}{{c.q, c.relative.Keys, keys}, {c.k, c.relative.Queries, queries}} {
		if n := count(t.p); n > 0 {
			k.multiply(c.scores(t.at, n, false), c.heads(address(t.of), false), c.heads(address(t.p.X), true),
				cuda.Product{M: c.rows, N: n, K: c.d, Alpha: c.o.Scale, Batch: heads, TF32: c.tf32()})
		}
	}
}

// RelativeAttention implements kernel.Kernels. The products with all rows of relative positions are taken first; attention
// gathers from them.
func (k *kernels) RelativeAttention(out, q, k1, v, bounds kernel.Tensor, r kernel.Relative, o kernel.Attention) {
	c := newCall(q, k1, v, bounds, o)
	c.relative = r
	a, ok := k.attention(c.d, o.Precision)
	if !ok || c.rows == 0 {
		return
	}
	keys, queries := 4*c.rows*count(r.Keys), 4*c.rows*count(r.Queries)
	c.turns(k.maxTerms, keys+queries, func(heads int) {
		s := k.scratch(keys*heads, queries*heads)
		k.prepare(&c, heads, s[0], s[1])
		k.attend(&c, a, a.forward, a.forwardBytes, heads, at(out))
	})
}

// RelativeAttentionGrad implements kernel.Kernels: with dC and dB as package portable has them,
//
//	dq = dS·k + dC·Keys;  dk = dSᵀ·q + dB·Queries;  dKeys = dCᵀ·q;  dQueries = dBᵀ·k
func (k *kernels) RelativeAttentionGrad(out, keys, queries, q, k1, v, bounds kernel.Tensor, r kernel.Relative, dy kernel.Tensor,
	o kernel.Attention) {
	c := newCall(q, k1, v, bounds, o)
	c.relative = r
	a, ok := k.attention(c.d, o.Precision)
	if !ok {
		return
	}
	if c.rows == 0 {
		for _, x := range []kernel.Tensor{keys, queries} {
			if !x.Empty() {
				k.fillRows(address(x), kernel.Tensor{}, x.Rows(), x.Cols())
			}
		}
		return
	}
	keyBytes, queryBytes := 4*c.rows*count(r.Keys), 4*c.rows*count(r.Queries)
	inside := func(x kernel.Tensor) int { // of a copy of the rows that lie in sequences
		if x.Empty() {
			return 0
		}
		return 4 * c.rows * c.width
	}
	c.turns(k.maxTerms, 2*(keyBytes+queryBytes), func(heads int) {
		s := k.scratch(keyBytes*heads, queryBytes*heads, keyBytes*heads, queryBytes*heads, c.statBytes(heads), inside(keys),
			inside(queries))
		k.prepare(&c, heads, s[0], s[1])
		dc, db := s[2], s[3]
		if keyBytes == 0 {
			dc = 0
		}
		if queryBytes == 0 {
			db = 0
		}
		k.fill(s[2], 0, keyBytes/4*heads)
		k.fill(s[3], 0, queryBytes/4*heads)
		k.attendGrad(&c, a, heads, out, dy, s[4], dc, db)
		k.relativeGrad(&c, heads, r.Keys, dc, c.part(out, 0), keys, q, s[5])
		k.relativeGrad(&c, heads, r.Queries, db, c.part(out, 1), queries, k1, s[6])
	})
}

// relativeGrad passes the gradient of one term's products on: to what the positions met, and to the positions, where that is
// asked for. met is copied without the rows of no sequence, since nothing is known of them.
func (k *kernels) relativeGrad(c *call, heads int, p kernel.Positions, products, dmet cuda.Ptr, dx, met kernel.Tensor,
	inside cuda.Ptr) {
	n := count(p)
	if n == 0 {
		return
	}
	k.multiply(c.heads(dmet, false), c.scores(products, n, false), c.heads(address(p.X), false),
		cuda.Product{M: c.rows, N: c.d, K: n, Alpha: 1, Beta: 1, Batch: heads, TF32: c.tf32()})
	if dx.Empty() {
		return
	}
	k.launch("inside_rows", cuda.Line(c.rows, min(256, ceil(c.width, 32)*32)), cuda.P(inside), at(met), at(c.bounds),
		cuda.I(len(c.bounds.I32)-1), cuda.I(c.width))
	k.multiply(c.heads(address(dx), false), c.scores(products, n, true), c.heads(inside, false),
		cuda.Product{M: n, N: c.d, K: c.rows, Alpha: 1, Batch: heads, TF32: c.tf32()})
}
