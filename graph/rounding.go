package graph

import (
	"math/bits"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/importer"
)

// rounded tells whether batches are rounded up to sizes that recur: where the device records what it computes for each.
func (s *Session) rounded() bool {
	_, ok := s.memory.(kernel.Recorder)
	return ok
}

// roundUp is the next of the sizes that recur: a multiple of 16, and of the highest power of two that is at most an
// eighth of it.
func roundUp(n int) int {
	if n == 0 {
		return 0
	}
	step := 1 << max(4, bits.Len(uint(n-1))-4)
	return (n + step - 1) / step * step
}

// rounded is the capacity of a batch after pad. Rows go along with tokens, sequences with powers of two, so that there
// are few sizes in all; one sequence more than there are takes the tokens that are added.
func (c Capacity) rounded(top bool) Capacity {
	r := Capacity{Tokens: roundUp(c.Tokens), Sequences: c.Sequences, Rows: roundUp(c.Rows)}
	if !top {
		r.Rows = max(r.Rows, r.Tokens)
		r.Sequences = max(8, 1<<bits.Len(uint(c.Sequences)))
	}
	return r
}

// pad rounds the batch up. What is added changes no result: tokens lie in no sequence, sequences are empty, and rows have
// no label and belong to nobody.
func (b *batch) pad(e *importer.Encoder, top bool) {
	now := b.need()
	c := now.rounded(top)
	for k := range b.index {
		b.index[k] = append(b.index[k], make([]int32, c.Tokens-now.Tokens)...)
	}
	for k := range b.tables {
		b.tables[k] = append(b.tables[k], make([]float32, (c.Tokens-now.Tokens)*e.Tables[k].Width)...)
	}
	b.tokens = c.Tokens
	if !top {
		for range c.Tokens - now.Tokens {
			b.owners = append(b.owners, int32(c.Sequences-1))
		}
		b.shares = append(b.shares, make([]float32, c.Sequences-now.Sequences)...)
		for range c.Sequences - now.Sequences {
			b.bounds, b.firsts = append(b.bounds, b.bounds[len(b.bounds)-1]), append(b.firsts, 0)
		}
	}
	for range c.Rows - now.Rows {
		b.rows, b.targets = append(b.rows, 0), append(b.targets, -1)
	}
	b.features = append(b.features, make([]float32, (c.Rows-now.Rows)*b.width)...)
	if !top {
		b.stretch(e, roundUp(b.longest))
	}
}

// stretch makes what goes by distance that of a sequence of n tokens, if the model takes so many.
func (b *batch) stretch(e *importer.Encoder, n int) {
	longer, slopes := make([][]int32, len(e.Buckets)), make([][]float32, len(e.Slopes))
	for k, s := range e.Slopes {
		x, err := s.Rows(n)
		if err != nil {
			return
		}
		slopes[k] = x
	}
	for k := range e.Buckets {
		x, err := e.Buckets[k].Rows(n)
		if err != nil {
			return
		}
		longer[k] = x
	}
	for _, d := range e.Distances {
		if _, err := d.Rows(n); err != nil {
			return
		}
	}
	for k, x := range slopes {
		b.slopes[k] = append(b.slopes[k][:0], x...)
	}
	for k, x := range longer {
		b.buckets[k] = append(b.buckets[k][:0], x...)
	}
	b.longest = n
}
