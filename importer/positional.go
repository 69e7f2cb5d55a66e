package importer

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// isPositional tells whether a value depends on positions alone: on the sequences' length and perhaps on weights, as the
// tables of sinusoids of some models do.
func (r *recogniser) isPositional(name string) bool {
	v := r.s.value(name)
	return v != nil && v.positional
}

// byLength evaluates a value of the graph that depends on positions alone, for one sequence.
type byLength struct {
	g     *graph
	value string
	need  map[*onnx.Node]bool
}

func newByLength(g *graph, value string) byLength {
	need, _ := g.closure(value)
	return byLength{g, g.resolve(value), need}
}

// at is the value for a sequence of n tokens.
func (b byLength) at(n int) (*fold.Array, error) {
	s, err := b.g.specialise(1, n, func(n *onnx.Node) bool { return b.need[n] })
	if err != nil {
		return nil, err
	}
	if s.value(b.value) == nil {
		if _, err := s.operand(b.value); err != nil {
			return nil, err
		}
	}
	return s.compute(b.value, s.feeds([]int{n}))
}

// grown keeps what has been computed for the longest sequence so far, of which that of a shorter one is a part. It may be
// used by several goroutines.
type grown[T any] struct {
	mu   sync.Mutex
	n    int
	data []T
}

// get is what compute gives for n tokens or more, and for how many. It is computed for some more than are asked
// for, where the model takes as much.
func (g *grown[T]) get(n int, compute func(n int) ([]T, error)) ([]T, int, error) {
	if n < 1 {
		return nil, 0, fmt.Errorf("a sequence of %d tokens", n)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if n <= g.n {
		return g.data, g.n, nil
	}
	for _, size := range []int{max(n, 2*g.n), n} {
		data, err := compute(size)
		if err == nil {
			g.n, g.data = size, data
			return data, size, nil
		}
		if size == n {
			return nil, 0, err
		}
	}
	return g.data, g.n, nil
}

// Table gives every token a row of numbers by its position in the sequence: the cosines or sines of rotary embeddings.
type Table struct {
	Width int // of a row

	value byLength
	pick  []int // the columns of the graph's value that make a row
	grown *grown[float32]
}

// Rows are the rows [n, Width] of the tokens of a sequence of n.
func (t *Table) Rows(n int) ([]float32, error) {
	data, _, err := t.grown.get(n, t.compute)
	if err != nil {
		return nil, fmt.Errorf("the positions' table %q: %w", t.value.value, err)
	}
	return data[:n*t.Width], nil
}

func (t *Table) compute(n int) ([]float32, error) {
	a, err := t.value.at(n)
	if err != nil {
		return nil, err
	}
	if len(a.Floats) == 0 || len(a.Floats)%n != 0 || len(a.Floats)/n <= slices.Max(t.pick) {
		return nil, fmt.Errorf("it is %v for %d tokens", a, n)
	}
	width := len(a.Floats) / n
	out := make([]float32, 0, n*t.Width)
	for i := range n {
		for _, k := range t.pick {
			out = append(out, float32(a.Floats[i*width+k]))
		}
	}
	return out, nil
}

var errLengths = errors.New("it is something else for longer sequences")

// table numbers the columns pick of a positional value, whose rows must not depend on how long the sequence is.
func (r *recogniser) table(value string, pick []int) (int, error) {
	key := fmt.Sprint(value, pick)
	if i, ok := r.tables[key]; ok {
		return i, nil
	}
	t := Table{Width: len(pick), value: newByLength(r.s.g, value), pick: pick, grown: &grown[float32]{}}
	short, err := t.compute(r.s.seq)
	if err != nil {
		return 0, fmt.Errorf("the positions' table %q: %w", value, err)
	}
	if long, err := t.compute(2*r.s.seq + 1); err == nil && !slices.Equal(short, long[:len(short)]) {
		return 0, fmt.Errorf("the positions' table %q: %w", value, errLengths)
	}
	r.tables[key] = len(r.e.Tables)
	r.e.Tables = append(r.e.Tables, t)
	return len(r.e.Tables) - 1, nil
}

// Buckets gives every distance between two tokens a row of a table: that of relative position biases.
type Buckets struct {
	value byLength
	grown *grown[int32]
}

// Rows are the rows of the distances key − query from −(n−1) to n−1.
func (b *Buckets) Rows(n int) ([]int32, error) {
	data, have, err := b.grown.get(n, b.compute)
	if err != nil {
		return nil, fmt.Errorf("the distances' buckets %q: %w", b.value.value, err)
	}
	return data[have-n : have+n-1], nil
}

// compute takes the buckets from the first and the last query of the graph's value, which is by query and key.
func (b *Buckets) compute(n int) ([]int32, error) {
	a, err := b.value.at(n)
	if err != nil {
		return nil, err
	}
	if len(a.Ints) != n*n {
		return nil, fmt.Errorf("they are %v for %d tokens", a, n)
	}
	out := make([]int32, 0, 2*n-1)
	for _, x := range slices.Concat(a.Ints[(n-1)*n:], a.Ints[1:n]) {
		if x < 0 || x > 1<<30 {
			return nil, fmt.Errorf("there is a bucket %d", x)
		}
		out = append(out, int32(x))
	}
	for i, x := range a.Ints {
		if query, key := i/n, i%n; int64(out[key-query+n-1]) != x {
			return nil, fmt.Errorf("query %d has another bucket for key %d than others at that distance", query, key)
		}
	}
	return out, nil
}

// bucketsOf numbers the positional value [query, key] of buckets, which must not depend on how long the sequence is.
func (r *recogniser) bucketsOf(value string) (int, error) {
	if i, ok := r.buckets[value]; ok {
		return i, nil
	}
	b := Buckets{value: newByLength(r.s.g, value), grown: &grown[int32]{}}
	n := r.s.seq
	short, err := b.compute(n)
	if err != nil {
		return 0, fmt.Errorf("the distances' buckets %q: %w", value, err)
	}
	if long, err := b.compute(2 * n); err == nil && !slices.Equal(short, long[n:3*n-1]) {
		return 0, fmt.Errorf("the distances' buckets %q: %w", value, errLengths)
	}
	r.buckets[value] = len(r.e.Buckets)
	r.e.Buckets = append(r.e.Buckets, b)
	return len(r.e.Buckets) - 1, nil
}
