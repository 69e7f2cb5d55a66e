package tokenize

import (
	"errors"
	"iter"
	"math"
)

// unigram finds the way through a word whose pieces have the largest sum of scores (Viterbi). A character that is no
// piece by itself may be taken as unknown, at the lowest score less unknownPenalty; unknowns in a row are one token.
type unigram struct {
	trie         *trie
	texts        []string
	scores       []float64
	last         map[string]int32 // of texts that stand in the list twice, which the library gives the later id
	unknown      int              // index, or none
	unknownScore float64
	byteFallback bool
	bytes        [256]int32 // the ids of <0x00> to <0xFF>, or none
	cache        *wordCache
}

const unknownPenalty = 10

var errNoUnknown = errors.New("a text has unknown characters, but the model has no unk_id")

// scoredPiece is an entry of the vocabulary: its text and its logarithmic probability.
type scoredPiece struct {
	text  string
	score float64
}

func newUnigram(o object) (model, error) {
	raw, ok := o.fields["vocab"]
	if !ok {
		return nil, o.errorf("vocab", "%w", errMissing)
	}
	entries, err := scanScored(raw)
	if err != nil {
		return nil, o.errorf("vocab", "%w", err)
	}
	m := &unigram{unknown: none, cache: newWordCache()}
	var unknown *int
	if err := o.decodeIf("unk_id", &unknown); err != nil {
		return nil, err
	}
	if unknown != nil {
		if m.unknown = *unknown; m.unknown < 0 || m.unknown >= len(entries) {
			return nil, o.errorf("unk_id", "%d is not among the %d pieces", m.unknown, len(entries))
		}
	}
	if m.byteFallback, err = o.booleanOr("byte_fallback", false); err != nil {
		return nil, err
	}
	if err := m.index(entries); err != nil {
		return nil, o.errorf("vocab", "%w", err)
	}
	return m, nil
}

// index builds the trie. Of pieces with one text the last counts.
func (m *unigram) index(entries []scoredPiece) (err error) {
	m.texts, m.scores = make([]string, len(entries)), make([]float64, len(entries))
	m.last = make(map[string]int32)
	lowest := math.Inf(1)
	for i, e := range entries {
		m.texts[i], m.scores[i] = e.text, e.score
		lowest = min(lowest, e.score)
		if e.text == "" {
			m.last[""] = int32(i)
		}
	}
	m.unknownScore = lowest - unknownPenalty
	if m.trie, err = newTrie(m.texts); errors.Is(err, errTwice) {
		m.trie, err = newTrie(lastOfEach(m.texts))
	}
	if err != nil {
		return err
	}
	for c := range m.bytes {
		m.bytes[c] = none
		if i, ok := m.id(byteName(byte(c))); ok {
			m.bytes[c] = i
		}
	}
	return nil
}

// lastOfEach returns the texts with all but the last of equal ones made empty.
func lastOfEach(texts []string) []string {
	at := make(map[string]int, len(texts))
	for i, text := range texts {
		at[text] = i
	}
	keys := make([]string, len(texts))
	for _, i := range at {
		keys[i] = texts[i]
	}
	return keys
}

func (m *unigram) size() int { return len(m.texts) }

func (m *unigram) all() iter.Seq2[string, int32] {
	return func(yield func(string, int32) bool) {
		for _, text := range m.texts {
			if id, _ := m.id(text); !yield(text, id) {
				return
			}
		}
	}
}

func (m *unigram) token(id int32) (string, bool) {
	if id < 0 || int(id) >= len(m.texts) {
		return "", false
	}
	return m.texts[id], true
}

func (m *unigram) id(text string) (int32, bool) {
	if i, ok := m.trie.find(text); ok {
		return int32(i), true
	}
	i, ok := m.last[text]
	return i, ok
}

// step is a piece of the best way.
type step struct{ piece, from, to int32 }

// cell is the best way to a place in the word: its score, the piece it ends with and where that begins.
type cell struct {
	score float64
	piece int32
	from  int32 // none while the place has not been reached
}

func (m *unigram) tokenize(s *scratch, text []byte, start, end int) error {
	return m.cache.tokenize(s, text, start, end, m.encode)
}

// encode is tokenize without the cache.
func (m *unigram) encode(s *scratch, text []byte, start, end int) error {
	word := text[start:end]
	if err := m.viterbi(s, word); err != nil {
		return err
	}
	s.path = s.path[:0] // from the end back
	for at := int32(len(word)); at > 0; {
		c := s.cells[at]
		if n := len(s.path); int(c.piece) == m.unknown && n > 0 && int(s.path[n-1].piece) == m.unknown {
			s.path[n-1].from = c.from
		} else {
			s.path = append(s.path, step{c.piece, c.from, at})
		}
		at = c.from
	}
	for i := len(s.path) - 1; i >= 0; i-- {
		c := s.path[i]
		from, to := start+int(c.from), start+int(c.to)
		if int(c.piece) != m.unknown {
			s.tokens = append(s.tokens, token{c.piece, from, to, m.texts[c.piece]})
		} else {
			m.emitUnknown(s, string(text[from:to]), from, to)
		}
	}
	return nil
}

// emitUnknown appends the tokens of a stretch of unknown characters: it may be a piece after all, now that it is whole,
// or become its bytes, each with the span of the whole.
func (m *unigram) emitUnknown(s *scratch, text string, from, to int) {
	id, ok := m.id(text)
	if !ok && m.byteFallback && m.hasBytes(text) {
		for i := range len(text) {
			id := m.bytes[text[i]]
			s.tokens = append(s.tokens, token{id, from, to, m.texts[id]})
		}
		return
	}
	if !ok {
		id = int32(m.unknown)
	}
	s.tokens = append(s.tokens, token{id, from, to, text})
}

func (m *unigram) hasBytes(text string) bool {
	for i := range len(text) {
		if m.bytes[text[i]] == none {
			return false
		}
	}
	return true
}

// viterbi fills s.cells for the word.
func (m *unigram) viterbi(s *scratch, word []byte) error {
	if cap(s.cells) <= len(word) {
		s.cells = make([]cell, len(word)+1, 2*len(word)+16)
	}
	cells := s.cells[:len(word)+1]
	s.cells = cells
	for i := range cells {
		cells[i] = cell{from: none}
	}
	units := m.trie.units
	for at := 0; at < len(word); {
		score := cells[at].score
		_, w := runeAt(word, at)
		single := false
		node := uint32(root)
		for i := at; i < len(word); i++ {
			c := word[i]
			node = units[node].base() ^ uint32(c)
			unit := units[node]
			if unit.label() != uint32(c) {
				break
			}
			v := unit.value()
			if v == 0 {
				continue
			}
			single = single || i+1 == at+w
			if to := &cells[i+1]; to.from == none || score+m.scores[v-1] > to.score {
				*to = cell{score + m.scores[v-1], v - 1, int32(at)}
			}
		}
		if !single {
			if to := &cells[at+w]; to.from == none || score+m.unknownScore > to.score {
				if m.unknown == none {
					return errNoUnknown
				}
				*to = cell{score + m.unknownScore, int32(m.unknown), int32(at)}
			}
		}
		at += w
	}
	return nil
}
