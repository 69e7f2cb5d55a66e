package exec

import "slices"

// arena hands out spans of one growing line of memory, best fit first.
type arena struct {
	free []span // sorted by offset, never adjacent
	top  int
}

type span struct{ offset, size int }

// take returns the offset of a span of n elements.
func (a *arena) take(n int) int {
	best := -1
	for i, s := range a.free {
		if s.size >= n && (best < 0 || s.size < a.free[best].size) {
			best = i
		}
	}
	if best >= 0 {
		s := &a.free[best]
		o := s.offset
		s.offset += n
		s.size -= n
		if s.size == 0 {
			a.free = slices.Delete(a.free, best, best+1)
		}
		return o
	}
	if k := len(a.free) - 1; k >= 0 && a.free[k].offset+a.free[k].size == a.top { // grow the last span
		o := a.free[k].offset
		a.free = a.free[:k]
		a.top = o + n
		return o
	}
	o := a.top
	a.top += n
	return o
}

// give returns a span of n elements at offset o.
func (a *arena) give(o, n int) {
	if n == 0 {
		return
	}
	i, _ := slices.BinarySearchFunc(a.free, o, func(s span, o int) int { return s.offset - o })
	a.free = slices.Insert(a.free, i, span{o, n})
	if i+1 < len(a.free) && o+n == a.free[i+1].offset {
		a.free[i].size += a.free[i+1].size
		a.free = slices.Delete(a.free, i+1, i+2)
	}
	if i > 0 && a.free[i-1].offset+a.free[i-1].size == o {
		a.free[i-1].size += a.free[i].size
		a.free = slices.Delete(a.free, i, i+1)
	}
}
