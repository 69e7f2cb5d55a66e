package tokenize

import (
	"fmt"
	"sync"
)

// Tokenizer turns texts into tokens as its file says. It is safe for use by several goroutines.
type Tokenizer struct {
	added        *addedVocabulary
	normaliser   normaliser   // may be nil
	preTokenizer preTokenizer // may be nil
	model        model
	plans        [2][2]plan   // what the post-processor does, by pair and by NoSpecial
	special      [2]int       // how many special tokens it adds to a text and to a pair
	decoder      decoder      // may be nil
	marks        *markedWords // of models that take a text as a whole; else nil
	padding      *Padding     // may be nil, as may be
	truncation   *Options
	pool         sync.Pool
}

// Encode encodes one text.
func (t *Tokenizer) Encode(text string, o Options) (*Encoding, error) {
	s := t.getScratch()
	defer t.putScratch(s)
	if err := t.addText(s, &s.first, text, none, t.limit(o, 0)); err != nil {
		return nil, fmt.Errorf("encoding a text of %d bytes: %w", len(text), err)
	}
	return t.finish(s, false, o)
}

// EncodePair encodes two texts as one input.
func (t *Tokenizer) EncodePair(a, b string, o Options) (*Encoding, error) {
	s := t.getScratch()
	defer t.putScratch(s)
	if err := t.addText(s, &s.first, a, none, t.limit(o, 0)); err != nil {
		return nil, fmt.Errorf("encoding the first text of a pair: %w", err)
	}
	if err := t.addText(s, &s.second, b, none, t.limit(o, 1)); err != nil {
		return nil, fmt.Errorf("encoding the second text of a pair: %w", err)
	}
	return t.finish(s, true, o)
}

// EncodeWords encodes a text that is already split into words. Words holds the index of each token's word, offsets are
// relative to that word.
func (t *Tokenizer) EncodeWords(words []string, o Options) (*Encoding, error) {
	s := t.getScratch()
	defer t.putScratch(s)
	if err := t.addWords(s, &s.first, words, t.limit(o, 0)); err != nil {
		return nil, fmt.Errorf("encoding words: %w", err)
	}
	return t.finish(s, false, o)
}

// EncodeWordsPair encodes two texts that are already split into words as one input.
func (t *Tokenizer) EncodeWordsPair(a, b []string, o Options) (*Encoding, error) {
	s := t.getScratch()
	defer t.putScratch(s)
	if err := t.addWords(s, &s.first, a, t.limit(o, 0)); err != nil {
		return nil, fmt.Errorf("encoding the words of the first text of a pair: %w", err)
	}
	if err := t.addWords(s, &s.second, b, t.limit(o, 1)); err != nil {
		return nil, fmt.Errorf("encoding the words of the second text of a pair: %w", err)
	}
	return t.finish(s, true, o)
}

func (t *Tokenizer) addWords(s *scratch, q *sequence, words []string, l limit) error {
	for i, w := range words {
		if err := t.addText(s, q, w, i, l); err != nil {
			return fmt.Errorf("word %d: %w", i, err)
		}
	}
	return nil
}

// limit returns how many tokens of a text are looked at. That the special tokens are not taken off, and that OnlyFirst
// stops in the second text too, is the library's way.
func (t *Tokenizer) limit(o Options, seq int) limit {
	if o.MaxLength <= 0 || o.Full || o.Strategy == OnlySecond && seq == 0 {
		return limit{}
	}
	return limit{o.MaxLength, o.Side}
}

// finish truncates what s holds and adds the special tokens.
func (t *Tokenizer) finish(s *scratch, pair bool, o Options) (*Encoding, error) {
	plan := &t.plans[bit(pair)][bit(o.NoSpecial)]
	na, nb := len(s.first.ids), len(s.second.ids)
	wa, wb := []window{{0, na}}, []window{{0, nb}}
	if o.MaxLength > 0 {
		room := o.MaxLength
		// the library asks this of the special tokens of a single text, whether or not they are added
		if left := room - t.special[0]; left < o.Stride && (left >= 0 || !o.NoSpecial) {
			return nil, fmt.Errorf("truncating: the stride %d leaves nothing of %d tokens, of which %d are special",
				o.Stride, o.MaxLength, t.special[0])
		}
		if !o.NoSpecial {
			if room -= t.special[bit(pair)]; room < 0 {
				return nil, fmt.Errorf("truncating: %d tokens hold no text, as %d are special", o.MaxLength, t.special[bit(pair)])
			}
		}
		var err error
		if wa, wb, err = o.truncate(na, nb, room, pair); err != nil {
			return nil, err
		}
	}
	return plan.apply([2]*sequence{&s.first, &s.second}, [2][]window{wa, wb})
}

// bit is 1 for true.
func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// VocabSize returns how many tokens there are, added tokens included.
func (t *Tokenizer) VocabSize() int {
	n := t.model.size()
	for text := range t.added.ids {
		if _, ok := t.model.id(text); !ok {
			n++
		}
	}
	return n
}

// TokenID returns the id of a token.
func (t *Tokenizer) TokenID(text string) (int32, bool) {
	if id, ok := t.added.ids[text]; ok {
		return id, true
	}
	return t.model.id(text)
}

// Token returns the token with an id.
func (t *Tokenizer) Token(id int32) (string, bool) {
	if _, ok := t.added.tokens[id]; ok {
		return t.added.name(id), true
	}
	return t.model.token(id)
}
