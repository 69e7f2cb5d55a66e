package importer

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// Index computes the row numbers of an embedding table from a sequence's tokens: the token ids themselves, their type
// ids, or positions that the graph derives from them. It may be used by several goroutines.
type Index struct {
	Input string // the model input that it is, if it is one

	g     *graph
	value string
	need  map[*onnx.Node]bool
	cache *indexCache // where only the sequence's length matters
	fixed bool        // it depends on the sequence's length alone
}

func newIndex(g *graph, value string) Index {
	x := Index{g: g, value: g.resolve(value), cache: &indexCache{rows: map[int][]int32{}}}
	if g.input(x.value) {
		x.Input = x.value
		return x
	}
	x.need, x.fixed = g.closure(x.value)
	return x
}

// indexCache are row numbers by sequence length.
type indexCache struct {
	sync.RWMutex
	rows map[int][]int32
}

func (c *indexCache) load(n int) []int32 {
	c.RLock()
	defer c.RUnlock()
	return c.rows[n]
}

func (c *indexCache) store(n int, rows []int32) {
	c.Lock()
	defer c.Unlock()
	c.rows[n] = rows
}

// AppendRows appends the row numbers for a sequence without padding to dst. types may be nil, for zeros. It allocates
// nothing for what is a model input, nor for a length that was asked for before where only that matters.
func (x *Index) AppendRows(dst, ids, types []int32) ([]int32, error) {
	if x.Input == "token_type_ids" && types == nil {
		n := len(dst)
		dst = slices.Grow(dst, len(ids))[:n+len(ids)]
		clear(dst[n:])
		return dst, nil
	}
	r, err := x.Rows(ids, types)
	return append(dst, r...), err
}

// Rows returns the row numbers for a sequence without padding. types may be nil, for zeros.
func (x *Index) Rows(ids, types []int32) ([]int32, error) {
	if types != nil && len(types) != len(ids) {
		return nil, fmt.Errorf("%d types for %d tokens", len(types), len(ids))
	}
	switch {
	case x.Input == "input_ids":
		return ids, nil
	case x.Input == "token_type_ids" && types != nil:
		return types, nil
	case x.Input == "token_type_ids":
		return make([]int32, len(ids)), nil
	case x.fixed:
		if r := x.cache.load(len(ids)); r != nil {
			return r, nil
		}
	}
	s, err := x.g.specialise(1, len(ids), func(n *onnx.Node) bool { return x.need[n] })
	if err != nil {
		return nil, err
	}
	memo := s.feeds([]int{len(ids)})
	fill(memo["input_ids"], ids)
	if types == nil {
		types = make([]int32, len(ids))
	}
	fill(memo["token_type_ids"], types)
	a, err := s.compute(x.value, memo)
	if err != nil {
		return nil, err
	}
	if a.Size() != len(ids) || a.Ints == nil {
		return nil, fmt.Errorf("the index %q of an embedding is %v for %d tokens", x.value, a, len(ids))
	}
	rows := make([]int32, len(ids))
	for i, v := range a.Ints {
		if v < 0 || v > math.MaxInt32 {
			return nil, fmt.Errorf("the index %q of an embedding is %d for token %d", x.value, v, i)
		}
		rows[i] = int32(v)
	}
	if x.fixed {
		x.cache.store(len(ids), rows)
	}
	return rows, nil
}

// fill copies a sequence into a model input, where the model has that.
func fill(a *fold.Array, x []int32) {
	if a != nil {
		for i, v := range x {
			a.Ints[i] = int64(v)
		}
	}
}

var errPadding = errors.New("it is something else where the sequence is padded")

// check holds the index of padded batches to that of each sequence alone, which is what a packed network computes.
func (x *Index) check(s *spec) error {
	if x.Input != "" {
		return nil
	}
	for trial := range s.seq {
		lengths := s.lengths(trial)
		memo := s.feeds(lengths)
		a, err := s.compute(x.value, memo)
		if err == nil {
			a, err = fold.Expand(a, []int{s.batch, s.seq})
		}
		if err != nil {
			return fmt.Errorf("the index %q of an embedding: %w", x.value, err)
		}
		for i, n := range lengths {
			row := func(a *fold.Array) []int32 {
				var out []int32
				for _, v := range a.Ints[i*s.seq : i*s.seq+n] {
					out = append(out, int32(v))
				}
				return out
			}
			var ids, types []int32
			if in := memo["input_ids"]; in != nil {
				ids = row(in)
			}
			if in := memo["token_type_ids"]; in != nil {
				types = row(in)
			}
			rows, err := x.Rows(ids, types)
			if err == nil && !slices.Equal(rows, row(a)) {
				err = errPadding
			}
			if err != nil {
				return fmt.Errorf("the index %q of an embedding: %w", x.value, err)
			}
		}
	}
	return nil
}

// lengths are those of a batch's sequences: all full in trial 0, then others in each of the trials below seq.
func (s *spec) lengths(trial int) []int {
	out := make([]int, s.batch)
	for i := range out {
		out[i] = 1 + (s.seq-1+trial*(i+1))%s.seq
	}
	return out
}

// feeds makes model inputs for sequences of the given lengths, padded to the specialised length: arbitrary token ids
// and types, the mask of what is real, positions, and zeros for the padding.
func (s *spec) feeds(lengths []int) map[string]*fold.Array {
	memo := map[string]*fold.Array{}
	for _, in := range s.g.inputs {
		x := make([]int64, s.batch*s.seq)
		for i := range x {
			seq, pos := i/s.seq, i%s.seq
			if in.Name == positionIDs {
				x[i] = int64(pos)
			}
			if pos >= lengths[seq] {
				continue
			}
			switch in.Name {
			case "input_ids":
				x[i] = int64(2 + (7*pos+3*seq)%5)
			case "attention_mask":
				x[i] = 1
			case "token_type_ids":
				x[i] = int64((pos + seq) % 2)
			}
		}
		a := fold.Ints(x, s.batch, s.seq)
		a.Type = s.values[in.Name].Type
		memo[in.Name] = a
	}
	return memo
}
