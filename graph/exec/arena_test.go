package exec

import (
	"math/rand/v2"
	"testing"
)

// Spans that are out at one time never overlap, and what comes back is used again.
func TestSpansNeverOverlap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var a arena
	var out []span
	total := 0
	for range 5000 {
		if len(out) > 0 && r.IntN(2) == 0 {
			i := r.IntN(len(out))
			a.give(out[i].offset, out[i].size)
			out = append(out[:i], out[i+1:]...)
			continue
		}
		n := round(1 + r.IntN(400))
		s := span{a.take(n), n}
		total += n
		for _, o := range out {
			if s.offset < o.offset+o.size && o.offset < s.offset+s.size {
				t.Fatalf("%v overlaps %v", s, o)
			}
		}
		if s.offset+s.size > a.top {
			t.Fatalf("%v lies beyond %d", s, a.top)
		}
		out = append(out, s)
		for i := 1; i < len(a.free); i++ {
			if p := a.free[i-1]; p.offset+p.size >= a.free[i].offset {
				t.Fatalf("free spans %v and %v touch or overlap", p, a.free[i])
			}
		}
	}
	if a.top > total/10 {
		t.Errorf("%d elements for %d that were taken in all: spans are not used again", a.top, total)
	}
	for _, s := range out {
		a.give(s.offset, s.size)
	}
	if len(a.free) != 1 || a.free[0] != (span{0, a.top}) {
		t.Errorf("after everything came back, %v are free of %d", a.free, a.top)
	}
}
