package tokenize

// bpeCandidate is a pair that may be joined: the symbol at pos and the next.
type bpeCandidate struct {
	rank, pos int32
	id        int32 // what they become
}

func (c bpeCandidate) before(o bpeCandidate) bool {
	return c.rank < o.rank || c.rank == o.rank && c.pos < o.pos
}

// join joins the pairs of s.symbols in order of rank, then of place.
func (m *bpe) join(s *scratch) {
	s.heap = s.heap[:0]
	for i := range s.symbols {
		m.offer(s, int32(i))
	}
	for len(s.heap) > 0 {
		c := s.pop()
		y := &s.symbols[c.pos]
		if y.length == 0 || y.next == none {
			continue
		}
		right := s.symbols[y.next]
		if g, ok := m.merges[bpePair(y.id, right.id)]; !ok || g.id != c.id {
			continue // one of the two has been joined since
		}
		s.symbols[y.next].length = 0
		y.id, y.length, y.next = c.id, y.length+right.length, right.next
		if right.next != none {
			s.symbols[right.next].prev = c.pos
		}
		if y.prev != none {
			m.offer(s, y.prev)
		}
		m.offer(s, c.pos)
	}
}

// offer puts the pair of the symbol at pos and the next on the heap, if there is a merge for it.
func (m *bpe) offer(s *scratch, pos int32) {
	y := s.symbols[pos]
	if y.next == none {
		return
	}
	if g, ok := m.merges[bpePair(y.id, s.symbols[y.next].id)]; ok {
		s.push(bpeCandidate{g.rank, pos, g.id})
	}
}

// push adds a candidate to the heap, which has the one to be joined first on top.
func (s *scratch) push(c bpeCandidate) {
	s.heap = append(s.heap, c)
	i := len(s.heap) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !c.before(s.heap[up]) {
			break
		}
		s.heap[i] = s.heap[up]
		i = up
	}
	s.heap[i] = c
}

// pop takes the candidate on top off the heap.
func (s *scratch) pop() bpeCandidate {
	top := s.heap[0]
	n := len(s.heap) - 1
	c := s.heap[n]
	s.heap = s.heap[:n]
	i := 0
	for {
		down := 2*i + 1
		if down >= n {
			break
		}
		if down+1 < n && s.heap[down+1].before(s.heap[down]) {
			down++
		}
		if !s.heap[down].before(c) {
			break
		}
		s.heap[i] = s.heap[down]
		i = down
	}
	if n > 0 {
		s.heap[i] = c
	}
	return top
}
