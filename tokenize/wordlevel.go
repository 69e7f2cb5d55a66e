package tokenize

import "fmt"

// wordLevel takes every word as one token.
type wordLevel struct {
	*vocabulary
	unknown string
}

func newWordLevel(o object) (model, error) {
	unknown, err := o.text("unk_token")
	if err != nil {
		return nil, err
	}
	v, err := readVocabulary(o)
	return &wordLevel{v, unknown}, err
}

func (m *wordLevel) tokenize(s *scratch, text []byte, start, end int) error {
	word := string(text[start:end])
	id, ok := m.id(word)
	if !ok {
		if id, ok = m.id(m.unknown); !ok {
			return fmt.Errorf("the word %.100q is unknown, but the unknown token %q is not in the vocabulary", word, m.unknown)
		}
		word = m.unknown
	}
	s.tokens = append(s.tokens, token{id, start, end, word})
	return nil
}
