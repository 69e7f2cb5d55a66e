package op

import (
	"errors"
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Positions are a term of relative positions in the scores of RelativeAttention: X [rows, heads·d], and Rows int32
// [2n−1], the row of X for each distance query − key from −(n−1) to n−1, for sequences of up to n tokens. Both are nil
// where the term is left out.
type Positions struct{ X, Rows *G.Node }

// RelativeAttention is disentangled attention (He et al. 2021) within each sequence of a packed batch: Attention with,
// for query i and key j,
//
//	S_ij = scale · (q_i·k_j + q_i·keys.X[keys.Rows(i−j)] + queries.X[queries.Rows(i−j)]·k_j)
//
// in place of scale·q_i·k_j; o has neither a window nor a bias. With dS as there, dC[i,r] = Σ_j dS_ij over the keys j whose
// row is r and dB[j,r] = Σ_i dS_ij over the queries i whose row is r,
//
//	dq = dS·k + dC·keys,  dk = dSᵀ·q + dB·queries,  dv = Pᵀ·dy,  dkeys = dCᵀ·q,  dqueries = dBᵀ·k
func RelativeAttention(q, k, v, bounds *G.Node, keys, queries Positions, o kernel.Attention) (*G.Node, error) {
	if o.Window != 0 || !o.Bias.Empty() {
		return nil, errors.New("relative attention: there is none with a window or with a bias by distance")
	}
	a := relativeAttention{o: o, keys: -1, queries: -1}
	in := G.Nodes{q, k, v, bounds}
	for _, p := range []struct {
		at *int
		Positions
	}{{&a.keys, keys}, {&a.queries, queries}} {
		switch {
		case (p.X == nil) != (p.Rows == nil):
			return nil, errors.New("relative attention: positions without rows, or rows without positions")
		case p.X != nil:
			*p.at = len(in)
			in = append(in, p.X, p.Rows)
		}
	}
	if len(in) == 4 {
		return Attention(q, k, v, bounds, nil, a.o)
	}
	r := &Op{name: "RelativeAttention", attrs: a.String(), infer: a.infer}
	r.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) {
		k.RelativeAttention(out, in[0], in[1], in[2], in[3], a.terms(in), a.o)
	}
	r.flops = func(_ kernel.Tensor, in []kernel.Tensor) float64 {
		t, width := a.terms(in), float64(in[0].Cols())
		return width * (4*pairs(in[3]) + termPairs(t.Keys, in[3]) + termPairs(t.Queries, in[3]))
	}
	r.diff = func(in G.Nodes, _, g *G.Node, need []bool) (G.Nodes, error) { return a.diff(in, g, need) }
	return apply(r, in...)
}

// relativeAttention is the operator's attributes: where the operands of the terms stand among its inputs, −1 where there
// is none.
type relativeAttention struct {
	o             kernel.Attention
	keys, queries int
}

func (a relativeAttention) String() string {
	return fmt.Sprintf("heads=%d,scale=%g,keys=%t,queries=%t,%v", a.o.Heads, a.o.Scale, a.keys > 0, a.queries > 0, a.o.Precision)
}

func (a relativeAttention) infer(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
	if err := ranks(in, 2, 2, 2, 1); err != nil {
		return nil, err
	}
	if !in[0].Eq(in[1]) || !in[0].Eq(in[2]) {
		return nil, fmt.Errorf("q, k and v differ in shape")
	}
	if a.o.Heads < 1 || in[0][1]%a.o.Heads != 0 {
		return nil, fmt.Errorf("%d columns do not split into %d heads", in[0][1], a.o.Heads)
	}
	for _, i := range []int{a.keys, a.queries} {
		if i < 0 {
			continue
		}
		if err := rank(in, i, 2); err != nil {
			return nil, err
		}
		if err := rank(in, i+1, 1); err != nil {
			return nil, err
		}
		if in[i][1] != in[0][1] || in[i+1][0]%2 == 0 {
			return nil, fmt.Errorf("positions %v with rows for %v distances do not fit %v", in[i], in[i+1], in[0])
		}
	}
	return append(dst, in[0]...), nil
}

// terms are the positions among the operands.
func (a relativeAttention) terms(in []kernel.Tensor) kernel.Relative {
	at := func(i int) kernel.Positions {
		if i < 0 {
			return kernel.Positions{}
		}
		return kernel.Positions{X: in[i], Rows: in[i+1]}
	}
	return kernel.Relative{Keys: at(a.keys), Queries: at(a.queries)}
}

// termPairs is 2·Σ n·r over the sequences of a batch, for r rows of positions that a sequence of n tokens takes.
func termPairs(p kernel.Positions, bounds kernel.Tensor) float64 {
	sum := 0.0
	for i := 1; i < len(bounds.I32); i++ {
		if n := int(bounds.I32[i] - bounds.I32[i-1]); n > 0 {
			_, rows := p.Span(n)
			sum += 2 * float64(n) * float64(rows)
		}
	}
	return sum
}

// diff takes the gradients out of one operator's result.
func (a relativeAttention) diff(in G.Nodes, dy *G.Node, need []bool) (G.Nodes, error) {
	rows := func(i int) int {
		if i < 0 || !need[i] {
			return 0
		}
		return in[i].Shape()[0]
	}
	keys, queries := rows(a.keys), rows(a.queries)
	all, err := a.grad(in, dy, keys, queries)
	if err != nil {
		return nil, err
	}
	r := make(G.Nodes, len(in))
	for i := range 3 {
		if need[i] && err == nil {
			r[i], err = third(all, i, keys+queries)
		}
	}
	if keys > 0 && err == nil {
		r[a.keys], err = rowsOf(all, in[a.keys], keys+queries)
	}
	if queries > 0 && err == nil {
		r[a.queries], err = rowsOf(all, in[a.queries], queries)
	}
	return r, err
}

// grad is [3·T+keys+queries, heads·d]: the gradients of q, k and v, then keys rows for those of the position keys and
// queries rows for those of the position queries, of which a batch may have fewer; 0 where they are not wanted.
func (a relativeAttention) grad(in G.Nodes, dy *G.Node, keys, queries int) (*G.Node, error) {
	o := &Op{name: "RelativeAttentionGrad", attrs: fmt.Sprintf("%v,%d,%d", a, keys, queries)}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		return append(dst, 3*in[0][0]+keys+queries, in[0][1]), nil
	}
	last := len(in)
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) {
		t, width := in[0].Rows(), in[0].Cols()
		terms := a.terms(in)
		// The shapes are those of operands, since new ones would be allocated in every step.
		part := func(first int, like kernel.Tensor) kernel.Tensor {
			return kernel.Tensor{Shape: like.Shape, F32: out.F32[first*width:][:len(like.F32)]}
		}
		var dkeys, dqueries kernel.Tensor
		if keys > 0 {
			dkeys = part(3*t, terms.Keys.X)
		}
		if queries > 0 {
			dqueries = part(3*t+keys, terms.Queries.X)
		}
		k.RelativeAttentionGrad(kernel.Tensor{F32: out.F32[:3*t*width]}, dkeys, dqueries,
			in[0], in[1], in[2], in[3], terms, in[last], a.o)
	}
	// Attention's five products, and of each term the scores again, q's or k's gradient and, where it is wanted, its own.
	o.flops = func(_ kernel.Tensor, in []kernel.Tensor) float64 {
		t, width := a.terms(in), float64(in[0].Cols())
		products := func(rows int) float64 {
			if rows > 0 {
				return 3
			}
			return 2
		}
		return width * (10*pairs(in[3]) + products(keys)*termPairs(t.Keys, in[3]) + products(queries)*termPairs(t.Queries, in[3]))
	}
	o.diff = noSecondDerivative("terms of relative positions")
	return apply(o, append(append(G.Nodes{}, in...), dy)...)
}

// third is part i of three of the rows of x before the last few.
func third(x *G.Node, i, last int) (*G.Node, error) {
	o := &Op{name: "Third", attrs: fmt.Sprint(i, last)}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		if len(in[0]) != 2 || in[0][0] < last {
			return nil, fmt.Errorf("there are no %d last rows", last)
		}
		return append(dst, (in[0][0]-last)/3, in[0][1]), nil
	}
	o.diff = noSecondDerivative("terms of relative positions")
	o.view = func(in tensor.Shape) int { return i * ((in[0] - last) / 3) * in[1] }
	return apply(o, x)
}

// rowsOf are the rows of x that begin a number of rows before its end, as many as like has.
func rowsOf(x, like *G.Node, before int) (*G.Node, error) {
	o := &Op{name: "RowsOf", attrs: fmt.Sprint(before)}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		if len(in[0]) != 2 || len(in[1]) != 2 || in[0][0] < before || in[1][0] > before {
			return nil, fmt.Errorf("there are no %v rows, %d before the end", in[1], before)
		}
		return append(dst, in[1][0], in[0][1]), nil
	}
	o.diff = noSecondDerivative("terms of relative positions")
	o.view = func(in tensor.Shape) int { return (in[0] - before) * in[1] }
	return apply(o, x, like)
}
