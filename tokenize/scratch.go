package tokenize

// scratch is the memory of one encoding, kept for the next.
type scratch struct {
	original []byte
	aligned  aligned
	pieces   pieces
	raw      []piece
	tokens   []token
	cells    []cell
	path     []step
	spm      []spmCell
	starts   []int32
	symbols  []bpeSymbol
	heap     []bpeCandidate
	char     []byte
	first    sequence
	second   sequence
}

// maxKept bounds the text whose memory is kept.
const maxKept = 1 << 16

func (t *Tokenizer) getScratch() *scratch {
	if s, ok := t.pool.Get().(*scratch); ok {
		s.first.reset()
		s.second.reset()
		return s
	}
	return &scratch{}
}

func (t *Tokenizer) putScratch(s *scratch) {
	if cap(s.original) <= maxKept && cap(s.first.ids) <= maxKept && cap(s.second.ids) <= maxKept {
		t.pool.Put(s)
	}
}
