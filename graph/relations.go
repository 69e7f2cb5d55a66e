package graph

import (
	"github.com/seed-aefebe89/graft/importer"
)

// relations are the relative positions of a batch: for tables of how many rows, which of them its sequences need, and
// where among those the row of each distance stands.
type relations struct {
	positions map[int][]int32 // by the tables' rows: a range of them
	distances [][]int32       // as importer.Encoder.Distances, for the longest sequence
	spans     map[int]span    // by the tables' rows
}

// span is a range of rows, both ends among them.
type span struct{ low, high int32 }

// relate looks up the relative positions for sequences of up to n tokens. It keeps its memory.
func (r *relations) relate(e *importer.Encoder, n int) error {
	if len(e.Distances) == 0 || n == 0 {
		return nil
	}
	if r.positions == nil {
		r.positions, r.distances, r.spans = map[int][]int32{}, make([][]int32, len(e.Distances)), map[int]span{}
	}
	clear(r.spans)
	for i, d := range e.Distances {
		rows, err := d.Rows(n)
		if err != nil {
			return err
		}
		r.distances[i] = append(r.distances[i][:0], rows...)
		s, ok := r.spans[d.Limit]
		if !ok {
			s = span{rows[0], rows[0]}
		}
		for _, row := range rows {
			s.low, s.high = min(s.low, row), max(s.high, row)
		}
		r.spans[d.Limit] = s
	}
	for i, d := range e.Distances {
		for k := range r.distances[i] {
			r.distances[i][k] -= r.spans[d.Limit].low
		}
	}
	for limit, s := range r.spans {
		at := r.positions[limit][:0]
		for row := s.low; row <= s.high; row++ {
			at = append(at, row)
		}
		r.positions[limit] = at
	}
	return nil
}
