package tokenize

import (
	"hash/maphash"
	"sync/atomic"
)

// wordCache remembers the tokens of words, which depend on nothing but the word. It has a fixed number of slots; a word
// takes one when it comes a second time without another having come to the slot in between. It may be used by several
// goroutines.
type wordCache struct {
	seed  maphash.Seed
	slots []cacheSlot
}

type cacheSlot struct {
	seen atomic.Uint64 // the hash of the word that came last and was not found
	word atomic.Pointer[cachedWord]
}

// cachedWord is a word with its tokens, whose offsets count from the word's beginning.
type cachedWord struct {
	word   string
	tokens []token
}

const (
	cacheSlots   = 1 << 15
	maxCacheWord = 64 // bytes; longer words hardly come again
)

func newWordCache() *wordCache {
	return &wordCache{maphash.MakeSeed(), make([]cacheSlot, cacheSlots)}
}

// tokenize appends the tokens of the word text[start:end], asking the model for those it does not know.
func (c *wordCache) tokenize(s *scratch, text []byte, start, end int, model func(*scratch, []byte, int, int) error) error {
	word := text[start:end]
	if len(word) > maxCacheWord {
		return model(s, text, start, end)
	}
	hash := maphash.Bytes(c.seed, word)
	slot := &c.slots[hash%cacheSlots]
	if w := slot.word.Load(); w != nil && w.word == string(word) {
		for _, t := range w.tokens {
			s.tokens = append(s.tokens, token{t.id, start + t.start, start + t.end, t.text})
		}
		return nil
	}
	first := len(s.tokens)
	if err := model(s, text, start, end); err != nil {
		return err
	}
	if slot.seen.Swap(hash) == hash {
		w := &cachedWord{string(word), append([]token(nil), s.tokens[first:]...)}
		for i := range w.tokens {
			w.tokens[i].start -= start
			w.tokens[i].end -= start
		}
		slot.word.Store(w)
	}
	return nil
}
