package graph

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
)

// maxShapes bounds the shapes of padded batches that a session keeps programs for. The one that was used longest ago goes.
const maxShapes = 16

// paddedWork is the work of a padded shard, in tokens, at least. It is less than shardWork: small shards have sequences of
// about one length, so that little is filled up.
const paddedWork = 128

// roundLength is the length that sequences of n tokens are filled up to, so that few shapes serve all batches: at most a
// fifth more from 32 tokens on.
func roundLength(n int) int {
	step := 8
	for step < n/8 {
		step *= 2
	}
	return (n + step - 1) / step * step
}

// roundCount is the number of sequences that n are filled up to: a power of two, or one and a half.
func roundCount(n int) int {
	p := 1
	for 2*p <= n {
		p *= 2
	}
	switch {
	case n == p:
		return p
	case 2*n <= 3*p:
		return 3 * p / 2
	}
	return 2 * p
}

// shape is that of a batch of count sequences, the longest of length tokens. Without an attention mask nothing may be
// filled up, nor from the length on at which that was seen to fail.
func (s *Session) shape(length, count int) Capacity {
	if s.params.Model.Padded.Masked && (s.exact == 0 || length < s.exact) {
		length = roundLength(length)
	}
	count = roundCount(count)
	return Capacity{Tokens: length * count, Sequences: count, Rows: length * count}
}

// longest is the length of the longest of some sequences.
func longest(seqs []*Sequence, part []int) (n int) {
	for _, i := range part {
		n = max(n, len(seqs[i].IDs))
	}
	return n
}

// cutPadded deals the sequences of a batch out to shards, such that little has to be filled up: sorted by length, and cut
// where the largest shard becomes as small as it can. Without an attention mask a shard has sequences of one length. The
// result depends on the lengths alone.
func (s *Session) cutPadded(seqs []*Sequence) [][]int {
	order, work := make([]int, len(seqs)), 0
	for i, q := range seqs {
		order[i], work = i, work+len(q.IDs)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(len(seqs[b].IDs), len(seqs[a].IDs)) })
	most := s.shape(longest(seqs, order), len(seqs)).Tokens
	parts := s.cuts(seqs)
	if n := len(s.kernels); s.memory == nil && Count(s.train) <= shardValues { // more of them, so that less is filled up
		parts = n * max(1, min(shardCuts, work/(n*paddedWork)))
	}
	parts = max(parts, len(s.cutAt(seqs, order, most)))
	limit := sort.Search(most, func(limit int) bool { return len(s.cutAt(seqs, order, limit)) <= parts })
	out := s.cutAt(seqs, order, limit)
	for _, part := range out {
		slices.Sort(part)
	}
	return out
}

// cutAt cuts sequences, the longest first, into as many at a time as make a batch of at most limit tokens, filled up.
func (s *Session) cutAt(seqs []*Sequence, order []int, limit int) (out [][]int) {
	for len(order) > 0 {
		length, n := len(seqs[order[0]].IDs), 1
		for n < len(order) && s.shape(length, n+1).Tokens <= limit &&
			(s.params.Model.Padded.Masked || len(seqs[order[n]].IDs) == length) {
			n++
		}
		out, order = append(out, slices.Clone(order[:n])), order[n:]
	}
	return out
}

// shaped returns the started program for some sequences, and makes room for it if need be.
func (s *Session) shaped(seqs []*Sequence, part []int) (*program, error) {
	for _, i := range part {
		if err := seqs[i].sound(i); err != nil {
			return nil, err
		}
	}
	p, err := s.find(s.shape(longest(seqs, part), len(part)), longest(seqs, part))
	if err != nil {
		return nil, err
	}
	return p, s.start(p)
}

// find returns the program of a shape, for sequences of up to length tokens, and builds it if need be. Where sequences that
// are filled up would have more tokens than the model has positions, they are not.
func (s *Session) find(c Capacity, length int) (*program, error) {
	i := slices.IndexFunc(s.shapes, func(p *program) bool { return p.cap == c })
	if i >= 0 {
		p := s.shapes[i]
		copy(s.shapes[1:i+1], s.shapes[:i])
		s.shapes[0] = p
		return p, nil
	}
	p, err := s.build(c)
	if err != nil {
		if p, err = s.build(Capacity{Tokens: length * c.Sequences, Sequences: c.Sequences, Rows: length * c.Sequences}); err != nil {
			return nil, fmt.Errorf("the network cannot be built for %d sequences of %d tokens, which may be longer than the model takes: %w",
				c.Sequences, length, err)
		}
		if s.exact == 0 || length < s.exact {
			s.exact = length
		}
	}
	for len(s.shapes) >= s.keeps() {
		last := len(s.shapes) - 1
		if s.memory != nil { // on the host a shard of this batch may still be waiting for it
			s.shapes[last].release()
		}
		s.shapes = s.shapes[:last]
	}
	s.shapes = append([]*program{p}, s.shapes...)
	return p, nil
}

// ask notes the shapes that a batch will have.
func (s *Session) ask(seqs []*Sequence) {
	parts := s.cutPadded(seqs)
	s.most = max(s.most, len(parts))
	if s.asked == nil {
		s.asked = map[Capacity]int{}
	}
	for _, part := range parts {
		n := longest(seqs, part)
		s.asked[s.shape(n, len(part))] = n
	}
}

// largest builds the programs of those shapes that were asked for, or used, which no other is at least as large as in both
// directions: what memory is told by.
func (s *Session) largest() ([]*program, error) {
	if s.asked == nil {
		return s.shapes, nil
	}
	length := func(c Capacity) int { return c.Tokens / c.Sequences }
	var out []*program
	for c, n := range s.asked {
		covered := false
		for d := range s.asked {
			covered = covered || d != c && d.Sequences >= c.Sequences && length(d) >= length(c)
		}
		if covered {
			continue
		}
		p, err := s.find(c, n)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}
