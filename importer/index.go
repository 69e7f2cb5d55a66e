package importer

import (
	"fmt"
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
	cache *sync.Map // by sequence length: []int32, where only that matters
	fixed bool      // it depends on the sequence's length alone
}

func newIndex(g *graph, value string) Index {
	x := Index{g: g, value: g.resolve(value), need: map[*onnx.Node]bool{}, cache: &sync.Map{}}
	if g.maker[x.value] == nil {
		x.Input = x.value
		return x
	}
	x.fixed = true
	var visit func(name string, elements bool)
	visit = func(name string, elements bool) {
		name = g.resolve(name)
		n := g.maker[name]
		if n == nil {
			x.fixed = x.fixed && !(elements && g.input(name))
			return
		}
		if x.need[n] {
			return
		}
		x.need[n] = true
		for _, in := range n.Inputs {
			if in != "" {
				visit(in, elements && n.OpType != "Shape" && n.OpType != "Size")
			}
		}
	}
	visit(x.value, true)
	return x
}

// input tells whether the graph has an input of a name.
func (g *graph) input(name string) bool {
	for _, in := range g.inputs {
		if in.Name == name {
			return true
		}
	}
	return false
}

// Rows returns the row numbers for a sequence without padding. types may be nil, for zeros.
func (x *Index) Rows(ids, types []int32) ([]int32, error) {
	switch {
	case x.Input == "input_ids":
		return ids, nil
	case x.Input == "token_type_ids" && types != nil:
		return types, nil
	case x.Input == "token_type_ids":
		return make([]int32, len(ids)), nil
	case x.fixed:
		if r, ok := x.cache.Load(len(ids)); ok {
			return r.([]int32), nil
		}
	}
	s, err := x.g.specialise(1, len(ids), func(n *onnx.Node) bool { return x.need[n] })
	if err != nil {
		return nil, err
	}
	memo := s.feeds([]int{len(ids)})
	for i, v := range ids {
		memo["input_ids"].Ints[i] = int64(v)
	}
	if a := memo["token_type_ids"]; a != nil && types != nil {
		for i, v := range types {
			a.Ints[i] = int64(v)
		}
	}
	a, err := s.compute(x.value, memo)
	if err != nil {
		return nil, err
	}
	if a.Size() != len(ids) || a.Ints == nil {
		return nil, fmt.Errorf("the index %q of an embedding is %v for %d tokens", x.value, a, len(ids))
	}
	rows := make([]int32, len(ids))
	for i, v := range a.Ints {
		rows[i] = int32(v)
	}
	if x.fixed {
		x.cache.Store(len(ids), rows)
	}
	return rows, nil
}

// feeds makes model inputs for sequences of the given lengths, padded to the specialised length: arbitrary token ids,
// the mask of what is real, and zeros for the others.
func (s *spec) feeds(lengths []int) map[string]*fold.Array {
	memo := map[string]*fold.Array{}
	for _, in := range s.g.inputs {
		x := make([]int64, s.batch*s.seq)
		for i := range x {
			seq, pos := i/s.seq, i%s.seq
			real := pos < lengths[seq]
			switch in.Name {
			case "input_ids":
				if x[i] = int64(2 + (7*pos+3*seq)%5); !real {
					x[i] = 0
				}
			case "attention_mask":
				x[i] = int64(b2i(real))
			case "position_ids":
				x[i] = int64(pos)
			}
		}
		a := fold.Ints(x, s.batch, s.seq)
		a.Type = s.values[in.Name].Type
		memo[in.Name] = a
	}
	return memo
}
