package importer

import (
	"fmt"
	"sync"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// Distance tells which row of a matrix of relative positions an attention takes for a query and a key: it depends on
// their distance alone. It may be used by several goroutines.
type Distance struct {
	Limit int // the matrix's rows

	g     *graph
	value string // the index in the graph, [..,sequence,sequence]
	byKey bool   // its rows are keys and its columns queries, else the other way round
	need  map[*onnx.Node]bool

	mu   sync.Mutex
	rows []int32 // for distances from −len/2 to len/2
}

// atOnce is the length for which rows are computed at once; it is doubled where that does not suffice.
const atOnce = 256

// Rows returns the rows for the distances query − key of a sequence of n tokens: 2n−1 of them, from −(n−1) on. Callers
// must not change them.
func (d *Distance) Rows(n int) ([]int32, error) {
	if n < 1 {
		return nil, fmt.Errorf("a sequence of %d tokens has no distances", n)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.rows) < 2*n-1 {
		size := atOnce
		for size < n {
			size *= 2
		}
		rows, err := d.evaluate(size)
		if err != nil && size != n { // more than the model takes
			rows, err = d.evaluate(n)
		}
		if err == nil {
			err = d.agree(rows)
		}
		if err != nil {
			return nil, fmt.Errorf("the relative positions %q at %d tokens: %w", d.value, n, err)
		}
		d.rows = rows
	}
	skip := len(d.rows)/2 - (n - 1)
	return d.rows[skip : len(d.rows)-skip : len(d.rows)-skip], nil
}

// agree checks that the rows known so far are among those of a longer sequence.
func (d *Distance) agree(rows []int32) error {
	skip := len(rows)/2 - len(d.rows)/2
	for i, r := range d.rows {
		if rows[skip+i] != r {
			return fmt.Errorf("at distance %d row %d is taken, in shorter sequences row %d", skip+i-len(rows)/2, rows[skip+i], r)
		}
	}
	return nil
}

// evaluate computes the rows for one sequence of n tokens from the graph.
func (d *Distance) evaluate(n int) ([]int32, error) {
	s, err := d.g.specialise(1, n, func(n *onnx.Node) bool { return d.need[n] })
	if err != nil {
		return nil, err
	}
	return d.read(s)
}

// read takes the rows out of a specialised graph, where they are constant, and checks that they depend on the distance
// alone.
func (d *Distance) read(s *spec) ([]int32, error) {
	a, n := s.value(d.value), s.seq
	if a == nil || a.kind != constant || a.Ints == nil {
		return nil, fmt.Errorf("they depend on what the model's inputs hold")
	}
	if k := len(a.Shape); k < 2 || a.Shape[k-1] != n || a.Shape[k-2] != n || len(a.Ints) == 0 {
		return nil, fmt.Errorf("they are %v, want [..,%d,%d]", a.Array, n, n)
	}
	rows := make([]int32, 2*n-1)
	for i := range rows {
		rows[i] = -1
	}
	for i, v := range a.Ints {
		if v < 0 {
			v += int64(d.Limit)
		}
		if v < 0 || v >= int64(d.Limit) {
			return nil, fmt.Errorf("row %d is taken of a matrix of %d", a.Ints[i], d.Limit)
		}
		query, key := i/n%n, i%n
		if d.byKey {
			query, key = key, query
		}
		switch at := &rows[query-key+n-1]; {
		case *at < 0:
			*at = int32(v)
		case *at != int32(v):
			return nil, fmt.Errorf("query %d and key %d take row %d, others of that distance row %d", query, key, v, *at)
		}
	}
	return rows, nil
}

// distance numbers the rows that an index value of the graph takes.
func (r *recogniser) distance(index string, limit int, byKey bool) (int, error) {
	if n := r.s.g.producer(index); n != nil && n.OpType == "Expand" { // whose input is the same without the heads
		if s := r.s.value(n.Inputs[0]).Shape; len(s) >= 2 && s[len(s)-1] == r.s.seq && s[len(s)-2] == r.s.seq {
			index = n.Inputs[0]
		}
	}
	index = r.s.g.resolve(index)
	key := fmt.Sprintf("%x %d %t", r.signature(index), limit, byKey)
	if i, ok := r.distances[key]; ok {
		return i, nil
	}
	d := &Distance{Limit: limit, g: r.s.g, value: index, byKey: byKey}
	d.need, _ = r.s.g.closure(index)
	rows, err := d.read(r.s)
	if err != nil {
		return 0, fmt.Errorf("the relative positions %q: %w", index, err)
	}
	d.rows = rows
	if r.probe == 0 { // a longer sequence too, where the model takes one
		for n := atOnce; n > r.s.seq; n /= 2 {
			rows, err := d.evaluate(n)
			if err != nil {
				continue
			}
			if err := d.agree(rows); err != nil {
				return 0, fmt.Errorf("the relative positions %q at %d tokens: %w", index, n, err)
			}
			d.rows = rows
			break
		}
	}
	i := len(r.e.Distances)
	r.distances[key] = i
	r.e.Distances = append(r.e.Distances, d)
	return i, nil
}

// sameDistance tells whether two attentions take the same rows of relative positions.
func sameDistance(a, b *Relative) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Distance == b.Distance
}
