package tokenize

import (
	"cmp"
	"slices"
)

// spmBPE is SentencePiece's own BPE: of the neighbours in the whole text those are joined first whose piece has the
// largest score, the leftmost of equal ones. User-defined pieces are never joined. A piece that is not to be used serves
// to build others; what is left of it is taken apart again.
type spmBPE struct {
	*spmVocabulary
	rank   []int32 // of each piece by its score; equal scores have equal ranks
	unused bool    // there are pieces not to be used
}

func newSPMBPE(v *spmVocabulary) *spmBPE {
	m := &spmBPE{spmVocabulary: v, rank: make([]int32, len(v.pieces))}
	order := make([]int32, len(v.pieces))
	for i := range order {
		order[i] = int32(i)
		m.unused = m.unused || v.pieces[i].kind == unusedPiece
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Compare(v.pieces[b].score, v.pieces[a].score) })
	for k, i := range order {
		if k > 0 && v.pieces[i].score == v.pieces[order[k-1]].score {
			m.rank[i] = m.rank[order[k-1]]
		} else {
			m.rank[i] = int32(k)
		}
	}
	return m
}

// frozen is the id of symbols that are user-defined pieces, while the text is put together.
const frozen = -2

func (m *spmBPE) tokenize(s *scratch, text []byte, start, end int) error {
	m.symbols(s, text[start:end])
	parts := m.join(s, text[start:end])
	first := len(s.tokens)
	at := start
	for i := int32(0); i != none; i = s.symbols[i].next {
		n := int(s.symbols[i].length)
		m.segment(s, first, text, at, at+n, parts, 0)
		at += n
	}
	m.nameUnknown(s, first, text)
	return nil
}

// symbols fills s.symbols with the user-defined pieces and other characters of a text, and s.starts with their places.
func (m *spmBPE) symbols(s *scratch, text []byte) {
	s.symbols, s.starts = s.symbols[:0], s.starts[:0]
	for at := 0; at < len(text); {
		n, id := 0, int32(none)
		if m.user != nil {
			node := uint32(root)
			for i := at; i < len(text); i++ {
				var ok bool
				if node, ok = m.user.step(node, text[i]); !ok {
					break
				}
				if _, ok := m.user.key(node); ok {
					n, id = i+1-at, frozen
				}
			}
		}
		if n == 0 {
			_, n = runeAt(text, at)
		}
		s.starts = append(s.starts, int32(at))
		s.addSymbol(id, int32(n))
		at += n
	}
}

// join joins neighbours as long as there is a piece for two. It returns the length of the first part of each piece that
// is not to be used, by piece.
func (m *spmBPE) join(s *scratch, text []byte) (parts map[int32]int32) {
	if m.unused {
		parts = map[int32]int32{}
	}
	s.heap = s.heap[:0]
	offer := func(pos int32) {
		if pos == none || s.symbols[pos].next == none {
			return
		}
		left, right := s.symbols[pos], s.symbols[s.symbols[pos].next]
		if left.id == frozen || right.id == frozen {
			return
		}
		id, ok := m.find(text[s.starts[pos] : s.starts[pos]+left.length+right.length])
		if !ok {
			return
		}
		if m.pieces[id].kind == unusedPiece {
			parts[id] = left.length
		}
		s.push(bpeCandidate{m.rank[id], pos, id})
	}
	for i := range s.symbols {
		offer(int32(i))
	}
	for len(s.heap) > 0 {
		c := s.pop()
		y := &s.symbols[c.pos]
		if y.length == 0 || y.next == none || int(y.length+s.symbols[y.next].length) != len(m.pieces[c.id].text) {
			continue // one of the two has been joined since
		}
		right := &s.symbols[y.next]
		y.length, y.next = y.length+right.length, right.next
		right.length = 0
		if y.next != none {
			s.symbols[y.next].prev = c.pos
		}
		offer(y.prev)
		offer(c.pos)
	}
	return parts
}

// maxResegment bounds how often a piece is taken apart, as SentencePiece does.
const maxResegment = 100

// segment appends the token that text[from:to] is, or those of its parts if it is not to be used.
func (m *spmBPE) segment(s *scratch, first int, text []byte, from, to int, parts map[int32]int32, depth int) {
	id, ok := m.find(text[from:to])
	switch {
	case !ok:
		id = m.unknown
	case m.pieces[id].kind == unusedPiece && depth <= maxResegment:
		if n, ok := parts[id]; ok {
			m.segment(s, first, text, from, from+int(n), parts, depth+1)
			m.segment(s, first, text, from+int(n), to, parts, depth+1)
			return
		}
		id = m.unknown
	}
	m.emit(s, first, text, id, from, to)
}
