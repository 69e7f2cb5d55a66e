package tokenize

import (
	"encoding/json"
	"fmt"
	"strings"
)

// bpe joins the characters of a word pair by pair, the pair that was learnt first before others and the leftmost of
// equal ones (byte-pair encoding). Dropout, a matter of training, is not applied.
type bpe struct {
	*vocabulary
	merges       map[uint64]bpeMerge // by the ids of the pair
	unknown      string              // may be empty for none
	hasUnknown   bool
	unknownID    int32
	unknownFound bool
	fuseUnknown  bool
	byteFallback bool
	whole        bool   // ignore_merges: a word that is a token is that token
	prefix       string // of characters that do not begin a word
	suffix       string // of the character that ends a word
	bytes        [256]int32
	cache        *wordCache
}

// bpeMerge is what a pair becomes, and when it was learnt.
type bpeMerge struct{ rank, id int32 }

func bpePair(a, b int32) uint64 { return uint64(uint32(a))<<32 | uint64(uint32(b)) }

func newBPE(o object) (model, error) {
	m := &bpe{cache: newWordCache()}
	var err error
	if m.vocabulary, err = readVocabulary(o); err != nil {
		return nil, err
	}
	m.hasUnknown = o.has("unk_token")
	for name, into := range map[string]any{
		"unk_token": &m.unknown, "continuing_subword_prefix": &m.prefix, "end_of_word_suffix": &m.suffix,
		"fuse_unk": &m.fuseUnknown, "byte_fallback": &m.byteFallback, "ignore_merges": &m.whole,
	} {
		if err := o.decodeIf(name, into); err != nil {
			return nil, err
		}
	}
	if m.hasUnknown {
		m.unknownID, m.unknownFound = m.id(m.unknown)
	}
	for c := range m.bytes {
		m.bytes[c] = none
		if id, ok := m.id(fmt.Sprintf("<0x%02X>", c)); ok {
			m.bytes[c] = id
		}
	}
	return m, m.readMerges(o)
}

// readMerges reads the pairs: arrays of two strings, or in older files strings with a space between.
func (m *bpe) readMerges(o object) error {
	var raws []json.RawMessage
	if err := o.decode("merges", &raws); err != nil {
		return err
	}
	m.merges = make(map[uint64]bpeMerge, len(raws))
	rank := int32(0)
	for i, raw := range raws {
		pair, err := mergePair(raw)
		if err == nil && pair == nil {
			continue
		}
		if err == nil {
			err = m.addMerge(pair[0], pair[1], rank)
		}
		if err != nil {
			return o.errorf(fmt.Sprintf("merges[%d]", i), "%w", err)
		}
		rank++
	}
	return nil
}

// mergePair returns the two texts of a merge, nil for the line that some files begin with.
func mergePair(raw json.RawMessage) ([]string, error) {
	var pair []string
	if len(raw) > 0 && raw[0] == '"' {
		var line string
		if err := json.Unmarshal(raw, &line); err != nil {
			return nil, err
		}
		if strings.HasPrefix(line, "#version") {
			return nil, nil
		}
		pair = strings.Split(line, " ")
	} else if err := json.Unmarshal(raw, &pair); err != nil {
		return nil, err
	}
	if len(pair) != 2 {
		return nil, fmt.Errorf("%.100s is no pair", raw)
	}
	return pair, nil
}

func (m *bpe) addMerge(a, b string, rank int32) error {
	if len(b) < len(m.prefix) {
		return fmt.Errorf("%q does not begin with the prefix %q", b, m.prefix)
	}
	var ids [3]int32
	for i, text := range [3]string{a, b, a + b[len(m.prefix):]} {
		id, ok := m.id(text)
		if !ok {
			return fmt.Errorf("the token %q is not in the vocabulary", text)
		}
		ids[i] = id
	}
	m.merges[bpePair(ids[0], ids[1])] = bpeMerge{rank, ids[2]}
	return nil
}

// bpeSymbol is a token in the making, linked to its neighbours. A symbol that has been joined to the one before has
// length 0.
type bpeSymbol struct {
	id         int32
	length     int32 // bytes of the word
	prev, next int32 // none at the ends
}

func (m *bpe) tokenize(s *scratch, text []byte, start, end int) error {
	return m.cache.tokenize(s, text, start, end, m.encode)
}

// encode is tokenize without the cache.
func (m *bpe) encode(s *scratch, text []byte, start, end int) error {
	word := text[start:end]
	if m.whole {
		if id, ok := m.id(string(word)); ok {
			t, _ := m.token(id)
			s.tokens = append(s.tokens, token{id, start, end, t})
			return nil
		}
	}
	if err := m.symbols(s, word); err != nil {
		return err
	}
	m.join(s)
	at := start
	for _, y := range s.symbols {
		if y.length == 0 {
			continue
		}
		t, _ := m.token(y.id)
		s.tokens = append(s.tokens, token{y.id, at, at + int(y.length), t})
		at += int(y.length)
	}
	return nil
}

// symbols fills s.symbols with the characters of a word.
func (m *bpe) symbols(s *scratch, word []byte) error {
	s.symbols = s.symbols[:0]
	pending := int32(0) // bytes that are unknown and not yet a symbol
	flush := func() {
		if pending > 0 {
			s.addSymbol(m.unknownID, pending)
			pending = 0
		}
	}
	for i := 0; i < len(word); {
		_, w := runeAt(word, i)
		text := word[i : i+w]
		if first, last := i == 0, i+w == len(word); !first && m.prefix != "" || last && m.suffix != "" {
			s.char = s.char[:0]
			if !first {
				s.char = append(s.char, m.prefix...)
			}
			s.char = append(s.char, text...)
			if last {
				s.char = append(s.char, m.suffix...)
			}
			text = s.char
		}
		i += w
		if id, ok := m.id(string(text)); ok {
			flush()
			s.addSymbol(id, int32(w))
			continue
		}
		if m.byteFallback && m.hasBytes(text) {
			// an unknown still pending comes after these bytes, as in the library
			for _, c := range text {
				s.addSymbol(m.bytes[c], 1)
			}
			continue
		}
		if !m.hasUnknown {
			continue
		}
		if !m.unknownFound {
			return fmt.Errorf("the character %q is unknown, but the unknown token %q is not in the vocabulary", text, m.unknown)
		}
		if !m.fuseUnknown {
			flush()
		}
		pending += int32(w)
	}
	flush()
	return nil
}

func (m *bpe) hasBytes(text []byte) bool {
	for _, c := range text {
		if m.bytes[c] == none {
			return false
		}
	}
	return true
}

func (s *scratch) addSymbol(id, length int32) {
	n := int32(len(s.symbols))
	if n > 0 {
		s.symbols[n-1].next = n
	}
	s.symbols = append(s.symbols, bpeSymbol{id, length, n - 1, none})
}
