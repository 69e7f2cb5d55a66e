package tokenize

// spmUnigram is SentencePiece's own Unigram: over the whole text, in single precision as there, so that of segmentations
// with equal scores the same one is found.
type spmUnigram struct {
	*spmVocabulary
	unknownScore float32
}

// spmCell is the best way to a place in the text: its score, the piece it ends with and where that begins.
type spmCell struct {
	score float32
	piece int32
	from  int32 // none while the place has not been reached
}

// maxSPMScore is the sum at which scores are counted from 0 again, as SentencePiece does.
const maxSPMScore = 100000

func newSPMUnigram(v *spmVocabulary) *spmUnigram {
	lowest, any := float32(0), false
	for _, p := range v.pieces {
		if p.kind == normalPiece && (!any || p.score < lowest) {
			lowest, any = p.score, true
		}
	}
	return &spmUnigram{v, lowest - unknownPenalty}
}

func (m *spmUnigram) tokenize(s *scratch, text []byte, start, end int) error {
	m.viterbi(s, text[start:end])
	s.path = s.path[:0] // from the end back
	for at := int32(end - start); at > 0; {
		c := s.spm[at]
		s.path = append(s.path, step{c.piece, c.from, at})
		at = c.from
	}
	first := len(s.tokens)
	for i := len(s.path) - 1; i >= 0; i-- {
		c := s.path[i]
		m.emit(s, first, text, c.piece, start+int(c.from), start+int(c.to))
	}
	m.nameUnknown(s, first, text)
	return nil
}

// viterbi fills s.spm for the text.
func (m *spmUnigram) viterbi(s *scratch, text []byte) {
	if cap(s.spm) <= len(text) {
		s.spm = make([]spmCell, len(text)+1, 2*len(text)+16)
	}
	cells := s.spm[:len(text)+1]
	s.spm = cells
	for i := range cells {
		cells[i] = spmCell{from: none}
	}
	reached := 0
	reach := func(at, from int, piece int32, score float32) {
		reached = max(reached, at)
		if to := &cells[at]; to.from == none || score > to.score {
			*to = spmCell{score, piece, int32(from)}
		}
	}
	for at := 0; at < len(text); {
		score := cells[at].score
		if score < -maxSPMScore || score > maxSPMScore {
			for i := at; i <= reached; i++ {
				if i == at || cells[i].from != none {
					cells[i].score -= score
				}
			}
			score = 0
		}
		_, w := runeAt(text, at)
		single := false
		node := uint32(root)
		for i := at; i < len(text); i++ {
			var ok bool
			if node, ok = m.trie.step(node, text[i]); !ok {
				break
			}
			id, ok := m.trie.key(node)
			if !ok || m.pieces[id].kind == unusedPiece {
				continue
			}
			bonus := m.pieces[id].score
			if m.pieces[id].kind == userPiece { // large enough to be chosen always
				bonus = float32(0.1 * float64(i-at))
			}
			reach(i+1, at, int32(id), bonus+score)
			single = single || i+1 == at+w
		}
		if !single {
			reach(at+w, at, m.unknown, m.unknownScore+score)
		}
		at += w
	}
}
