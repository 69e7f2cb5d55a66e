package tokenize

import (
	"encoding/json"
	"fmt"
	"math"
	"unicode/utf8"
)

// addedToken is an entry of added_tokens: a token that is cut out of the text before anything else is done to it.
type addedToken struct {
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"` // only between characters that are no word characters
	LStrip     bool   `json:"lstrip"`      // with the white space before it
	RStrip     bool   `json:"rstrip"`      // with the white space after it
	Normalised bool   `json:"normalized"`  // looked for in the normalised text
	Special    bool   `json:"special"`     // left out by Decode when asked
}

// addedVocabulary holds the added tokens.
type addedVocabulary struct {
	ids     map[string]int32
	tokens  map[int32]addedToken
	shown   map[int32]string // what a token is called: its normalised content, where that differs
	special map[string]bool
	raw     matcher // looked for in the text as given
	normal  matcher // looked for in the normalised text
	flags   *charTable
}

// readAdded reads the added tokens.
func readAdded(raws []json.RawMessage, m model, n normaliser) (*addedVocabulary, error) {
	tokens := make([]addedToken, len(raws))
	for i, raw := range raws {
		if err := json.Unmarshal(raw, &tokens[i]); err != nil {
			return nil, fmt.Errorf("reading $.added_tokens[%d]: %w", i, err)
		}
	}
	return newAdded(tokens, m, n)
}

// newAdded indexes added tokens. As in the library their ids are not the file's, but the model's, or the next free ones
// after it, in order.
func newAdded(list []addedToken, m model, n normaliser) (*addedVocabulary, error) {
	v := &addedVocabulary{
		ids: map[string]int32{}, tokens: map[int32]addedToken{}, shown: map[int32]string{},
		special: map[string]bool{}, flags: charFlags(),
	}
	next := m.size()
	var order []int32
	for i, t := range list {
		id, known := v.ids[t.Content]
		if t.Content == "" || known && v.tokens[id] == t {
			continue
		}
		if !known {
			if id, known = m.id(t.Content); !known {
				if next > math.MaxInt32 {
					return nil, fmt.Errorf("reading $.added_tokens[%d]: id %d is out of range", i, next)
				}
				id = int32(next)
				next++
			}
		}
		if _, again := v.tokens[id]; !again {
			order = append(order, id)
		}
		v.ids[t.Content], v.tokens[id] = id, t
		if t.Special {
			v.special[t.Content] = true
		}
		delete(v.shown, id)
		if t.Normalised && n != nil {
			a := &aligned{}
			a.reset([]byte(t.Content), 0)
			if err := n.normalise(a); err != nil {
				return nil, fmt.Errorf("normalising $.added_tokens[%d]: %w", i, err)
			}
			if string(a.text) != t.Content {
				v.shown[id] = string(a.text)
			}
		}
	}
	return v, v.index(order)
}

// index builds the matchers. Of two tokens that look alike once normalised the first is found.
func (v *addedVocabulary) index(order []int32) error {
	var err error
	for _, m := range []struct {
		*matcher
		normalised bool
	}{{&v.raw, false}, {&v.normal, true}} {
		var texts []string
		known := map[string]bool{}
		for _, id := range order {
			text := v.name(id)
			if v.tokens[id].Normalised != m.normalised || text == "" || known[text] {
				continue
			}
			known[text] = true
			texts = append(texts, text)
			m.ids = append(m.ids, id)
			m.first[text[0]] = true
		}
		if m.trie, err = newTrie(texts); err != nil {
			return fmt.Errorf("indexing $.added_tokens: %w", err)
		}
	}
	return nil
}

// name returns what a token is called.
func (v *addedVocabulary) name(id int32) string {
	if s, ok := v.shown[id]; ok {
		return s
	}
	return v.tokens[id].Content
}

// shownAs returns the text of an added token that stands in a text as found there.
func (v *addedVocabulary) shownAs(id int32, found []byte) string {
	if name := v.name(id); name == string(found) {
		return name
	}
	return string(found)
}

// matcher finds the longest of a set of tokens at the leftmost place.
type matcher struct {
	trie  *trie
	ids   []int32
	first [256]bool // a token begins with the byte
}

// at returns the longest token that text begins with.
func (m *matcher) at(text []byte) (id int32, n int) {
	node := uint32(root)
	for i, c := range text {
		var ok bool
		if node, ok = m.trie.step(node, c); !ok {
			break
		}
		if k, ok := m.trie.key(node); ok {
			id, n = m.ids[k], i+1
		}
	}
	return id, n
}

// maxOverlap bounds the bytes that are in several added tokens: one found in the white space that another has taken
// reaches, with RStrip, over the rest of it too, and so has a part of the text again, as in the library.
const maxOverlap = 1 << 24

// find appends the pieces of text[start:end], cut at the tokens of m.
func (v *addedVocabulary) find(dst []piece, m *matcher, text []byte, start, end int) ([]piece, error) {
	if len(m.ids) == 0 {
		return append(dst, piece{start, end, none}), nil
	}
	from, overlap := start, 0
	spaceEnd := start // of the white space last looked through
	for i := start; i < end; {
		if !m.first[text[i]] {
			i++
			continue
		}
		id, n := m.at(text[i:end])
		if n == 0 {
			i++
			continue
		}
		a, b := i, i+n
		i = b
		t := v.tokens[id]
		if t.SingleWord && (v.wordBefore(text[start:a]) || v.wordAfter(text[b:end])) {
			continue
		}
		if t.LStrip {
			a = from + len(trimRightSpace(text[from:max(a, from)]))
		}
		if t.RStrip {
			if b >= spaceEnd {
				spaceEnd = end - len(trimLeftSpace(text[b:end]))
			}
			b = spaceEnd
		}
		if a > b {
			continue // all of it is white space that the token before has taken; the library panics
		}
		if from < a {
			dst = append(dst, piece{from, a, none})
		} else if overlap += from - a; overlap > maxOverlap {
			return nil, fmt.Errorf("the added token %.100q is found over and over in one stretch of white space", t.Content)
		}
		dst = append(dst, piece{a, b, id})
		from = b
	}
	if from != end {
		dst = append(dst, piece{from, end, none})
	}
	return dst, nil
}

// wordBefore reports whether the text ends with a word character.
func (v *addedVocabulary) wordBefore(text []byte) bool {
	if len(text) == 0 {
		return false
	}
	r, _ := utf8.DecodeLastRune(text)
	return v.flags.at(r)&flagWord != 0
}

// wordAfter reports whether the text begins with a word character.
func (v *addedVocabulary) wordAfter(text []byte) bool {
	if len(text) == 0 {
		return false
	}
	r, _ := runeAt(text, 0)
	return v.flags.at(r)&flagWord != 0
}
