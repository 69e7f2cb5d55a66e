package tokenize

import (
	"cmp"
	"slices"
	"unicode"
	"unicode/utf8"
)

// runeRange is a closed range of code points.
type runeRange struct{ lo, hi rune }

// ranges is a set of code points: ascending, disjoint, not adjacent once normalised.
type ranges []runeRange

func (r ranges) normal() ranges {
	if len(r) == 0 {
		return nil
	}
	r = slices.Clone(r)
	slices.SortFunc(r, func(a, b runeRange) int { return cmp.Compare(a.lo, b.lo) })
	out := r[:1]
	for _, x := range r[1:] {
		if last := &out[len(out)-1]; x.lo <= last.hi+1 {
			last.hi = max(last.hi, x.hi)
		} else {
			out = append(out, x)
		}
	}
	return out
}

// negate returns all other code points.
func (r ranges) negate() ranges {
	var out ranges
	next := rune(0)
	for _, x := range r.normal() {
		if next < x.lo {
			out = append(out, runeRange{next, x.lo - 1})
		}
		next = x.hi + 1
	}
	if next <= unicode.MaxRune {
		out = append(out, runeRange{next, unicode.MaxRune})
	}
	return out
}

func (r ranges) union(o ranges) ranges { return append(slices.Clone(r), o...).normal() }

func (r ranges) intersect(o ranges) ranges { return r.negate().union(o.negate()).negate() }

// folded adds all characters that differ in case only, one for one.
func (r ranges) folded() ranges {
	const lastCased = 0x1efff
	out := slices.Clone(r)
	for _, x := range r.normal() {
		for c := x.lo; c <= min(x.hi, lastCased); c++ {
			for f := unicode.SimpleFold(c); f != c; f = unicode.SimpleFold(f) {
				out = append(out, runeRange{f, f})
			}
		}
	}
	return out.normal()
}

// runeSet answers quickly whether a rune is in a set: a page of bits for every 256 code points.
type runeSet struct {
	ascii [2]uint64
	index [0x1100]uint16
	pages [][4]uint64
}

func newRuneSet(r ranges) *runeSet {
	s := &runeSet{pages: [][4]uint64{{}, {^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}}}
	for _, x := range r.normal() {
		for c := x.lo; c <= x.hi; {
			block := c >> 8
			end := min(x.hi, block<<8|0xff)
			if c == block<<8 && end == block<<8|0xff {
				s.index[block] = 1
			} else {
				if s.index[block] == 0 {
					s.index[block] = uint16(len(s.pages))
					s.pages = append(s.pages, [4]uint64{})
				}
				page := &s.pages[s.index[block]]
				for k := c; k <= end; k++ {
					page[k>>6&3] |= 1 << (k & 63)
				}
			}
			c = end + 1
		}
	}
	page := &s.pages[s.index[0]]
	s.ascii = [2]uint64{page[0], page[1]}
	return s
}

func (s *runeSet) has(r rune) bool {
	if r < utf8.RuneSelf {
		return s.ascii[r>>6]>>(r&63)&1 != 0
	}
	return s.pages[s.index[r>>8]][r>>6&3]>>(r&63)&1 != 0
}
