package picture

import (
	"fmt"
	"strings"

	"github.com/seed-aefebe89/graft/importer"
)

// segment is count repetitions of period operations from start on; a single operation where count is 1.
type segment struct{ start, period, count int }

const (
	minPeriod = 3 // operations: fewer are no layer
	maxPeriod = 1 << 10
	common    = 3 // uses from which on a value that is used far apart belongs to no layer
)

// sequence is an encoder's operations in the order in which they are drawn: what all layers share comes first, though the
// first layer may be what computes it. Positions count in that order.
type sequence struct {
	e      *importer.Encoder
	order  []importer.Value
	at     []int  // by value: its position
	shared []bool // by value: whether layers have it in common
}

func newSequence(e *importer.Encoder) *sequence {
	s := &sequence{e: e, at: make([]int, len(e.Ops)), shared: shared(e)}
	early := make([]bool, len(e.Ops)) // what shared values are computed of
	for v := len(e.Ops) - 1; v >= 0; v-- {
		if early[v] = early[v] || s.shared[v]; early[v] {
			for _, u := range e.Operands(importer.Value(v)) {
				early[u] = true
			}
		}
	}
	for _, pass := range []bool{true, false} {
		for v := range e.Ops {
			if early[v] == pass {
				s.at[v] = len(s.order)
				s.order = append(s.order, importer.Value(v))
			}
		}
	}
	return s
}

// shared tells of each value whether layers have it in common: it is used more than once, far apart.
func shared(e *importer.Encoder) []bool {
	type span struct{ first, last, n int }
	uses := make([]span, len(e.Ops))
	for v := range e.Ops {
		for _, u := range e.Operands(importer.Value(v)) {
			if uses[u].n == 0 {
				uses[u].first = v
			}
			uses[u].last = v
			uses[u].n++
		}
	}
	out := make([]bool, len(e.Ops))
	for v, u := range uses {
		out[v] = u.n >= common && 2*(u.last-u.first) > len(e.Ops)
	}
	return out
}

// operands are the positions of what the operation at a position is computed of.
func (s *sequence) operands(i int) []int {
	var out []int
	for _, u := range s.e.Operands(s.order[i]) {
		out = append(out, s.at[u])
	}
	return out
}

// segments folds the operations: the longest stretch that repeats itself becomes one segment, and what stands before and
// after it is folded in the same way.
func (s *sequence) segments() []segment {
	signs := s.signatures()
	var out []segment
	var fold func(lo, hi int)
	fold = func(lo, hi int) {
		r, ok := s.repetition(signs, lo, hi)
		if !ok {
			for i := lo; i < hi; i++ {
				out = append(out, segment{i, 1, 1})
			}
			return
		}
		fold(lo, r.start)
		out = append(out, r)
		fold(r.start+r.period*r.count, hi)
	}
	fold(0, len(s.order))
	return out
}

// signatures numbers operations so that two have the same number where they would be drawn alike and take their operands
// from the same distance, or from the same value that all layers share.
func (s *sequence) signatures() []int {
	numbers := map[string]int{}
	out := make([]int, len(s.order))
	for i, v := range s.order {
		l := labelOf(s.e.Ops[v], false)
		var b strings.Builder
		fmt.Fprintf(&b, "%T %s %q", s.e.Ops[v], l.title, l.detail)
		for _, w := range s.e.WeightsOf(v) {
			fmt.Fprint(&b, w.Shape)
		}
		for _, u := range s.operands(i) {
			if s.shared[s.order[u]] {
				fmt.Fprintf(&b, " @%d", u)
			} else {
				fmt.Fprintf(&b, " %d", i-u)
			}
		}
		sign := b.String()
		if _, ok := numbers[sign]; !ok {
			numbers[sign] = len(numbers)
		}
		out[i] = numbers[sign]
	}
	return out
}

// repetition finds the segment of at least two repetitions that covers most of the operations from lo to hi. Among those
// it prefers short periods, and then the start at which the fewest values pass from one repetition to the next, the
// earliest of them.
func (s *sequence) repetition(signs []int, lo, hi int) (best segment, ok bool) {
	for period := minPeriod; 2*period <= hi-lo && period <= maxPeriod; period++ {
		for i := lo; i+period < hi; i++ {
			from := i
			for i+period < hi && signs[i] == signs[i+period] {
				i++
			}
			if count := (i-from)/period + 1; count >= 2 && count*period > best.count*best.period {
				best, ok = segment{from, period, count}, true
				least := -1
				for start := from; start+count*period <= i+period; start++ {
					if n := s.crossing(start, period); least < 0 || n < least {
						best.start, least = start, n
					}
				}
			}
		}
	}
	return best, ok
}

// crossing counts the values that one repetition hands to the next.
func (s *sequence) crossing(start, period int) int {
	seen := map[int]bool{}
	for i := start + period; i < start+2*period; i++ {
		for _, u := range s.operands(i) {
			if u < start+period {
				seen[u] = true
			}
		}
	}
	return len(seen)
}
