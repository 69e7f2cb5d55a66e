package tokenize

import (
	"fmt"
	"unicode/utf8"
)

// wordPiece takes the longest piece that a word begins with, then the longest that the rest begins with among those that
// carry the prefix, and so on; a word that cannot be taken apart so is one unknown token.
type wordPiece struct {
	*vocabulary
	unknown  string
	maxChars int // of a word, beyond which it is unknown
	rest     uint32
	hasRest  bool // a piece begins with the prefix; rest is the trie's node for it
}

func newWordPiece(o object) (model, error) {
	unknown, err := o.text("unk_token")
	if err != nil {
		return nil, err
	}
	prefix, err := o.text("continuing_subword_prefix")
	if err != nil {
		return nil, err
	}
	var maxChars uint32
	if err := o.decode("max_input_chars_per_word", &maxChars); err != nil {
		return nil, err
	}
	v, err := readVocabulary(o)
	if err != nil {
		return nil, err
	}
	return makeWordPiece(v, unknown, prefix, int(maxChars)), nil
}

func makeWordPiece(v *vocabulary, unknown, prefix string, maxChars int) *wordPiece {
	m := &wordPiece{vocabulary: v, unknown: unknown, maxChars: maxChars}
	m.rest, m.hasRest = v.trie.walk(prefix)
	return m
}

func (m *wordPiece) tokenize(s *scratch, text []byte, start, end int) error {
	before := len(s.tokens)
	known := end-start <= m.maxChars || utf8.RuneCount(text[start:end]) <= m.maxChars
	node := uint32(root)
	for at := start; known && at < end; node = m.rest {
		found, to := m.longest(node, text[at:end])
		if known = found >= 0 && (at == start || m.hasRest); known {
			s.tokens = append(s.tokens, token{m.ids[found], at, at + to, m.texts[found]})
			at += to
		}
	}
	if known {
		return nil
	}
	id, ok := m.id(m.unknown)
	if !ok {
		return fmt.Errorf("the word %.100q is unknown, but the unknown token %q is not in the vocabulary",
			text[start:end], m.unknown)
	}
	s.tokens = append(s.tokens[:before], token{id, start, end, m.unknown})
	return nil
}

// longest returns the longest piece below node that text begins with, and its length; -1 if there is none.
func (m *wordPiece) longest(node uint32, text []byte) (found, length int) {
	found = -1
	units := m.trie.units
	for i, c := range text {
		node = units[node].base() ^ uint32(c)
		unit := units[node]
		if unit.label() != uint32(c) {
			break
		}
		if v := unit.value(); v > 0 {
			found, length = int(v)-1, i+1
		}
	}
	return found, length
}
