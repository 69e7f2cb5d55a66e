package tokenize

import (
	"unicode/utf8"
)

// sequence is one text of an input with its tokens, before truncation and post-processing.
type sequence struct {
	texts  []source // one, or one for each given word
	ids    []int32
	tokens []string
	bytes  []Span // in the text made valid
	runes  []Span
	words  []int
	source []int // index into texts; empty where there is one text only
}

func (q *sequence) reset() {
	clear(q.tokens)
	clear(q.texts)
	q.texts, q.ids, q.tokens, q.bytes = q.texts[:0], q.ids[:0], q.tokens[:0], q.bytes[:0]
	q.runes, q.words, q.source = q.runes[:0], q.words[:0], q.source[:0]
}

// sourceOf returns the text that token i comes from.
func (q *sequence) sourceOf(i int) *source {
	if len(q.source) == 0 {
		return &q.texts[0]
	}
	return &q.texts[q.source[i]]
}

// source is a text as it is encoded: valid UTF-8.
type source struct {
	text    string
	repairs []repair
}

// repair says that the bytes from at on lie delta bytes less far in the text as given than in the repaired one.
type repair struct{ at, delta int }

// newSource puts U+FFFD in place of each maximal ill-formed part of a text (Unicode's chapter 3, U+FFFD substitution of
// maximal subparts).
func newSource(text string) source {
	if utf8.ValidString(text) {
		return source{text: text}
	}
	var out []byte
	var repairs []repair
	for i := 0; i < len(text); {
		r, w := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && w == 1 {
			w = illFormed(text[i:])
			out = append(out, "\uFFFD"...)
			i += w
			repairs = append(repairs, repair{len(out), len(out) - i})
			continue
		}
		out = append(out, text[i:i+w]...)
		i += w
	}
	return source{string(out), repairs}
}

// illFormed returns the length of the maximal ill-formed part that text begins with: the longest beginning of a
// well-formed character, or one byte.
func illFormed(text string) int {
	n, low, high := 0, byte(0x80), byte(0xbf)
	switch c := text[0]; {
	case c >= 0xc2 && c <= 0xdf:
		n = 1
	case c >= 0xe0 && c <= 0xef:
		n = 2
		if c == 0xe0 {
			low = 0xa0
		} else if c == 0xed {
			high = 0x9f
		}
	case c >= 0xf0 && c <= 0xf4:
		n = 3
		if c == 0xf0 {
			low = 0x90
		} else if c == 0xf4 {
			high = 0x8f
		}
	}
	i := 1
	for ; i <= n && i < len(text) && text[i] >= low && text[i] <= high; i++ {
		low, high = 0x80, 0xbf
	}
	return i
}

// given returns the span in the text as given of a span of the repaired text that lies on character boundaries.
func (s *source) given(b Span) Span {
	if s.repairs == nil {
		return b
	}
	return Span{s.givenAt(b.Start), s.givenAt(b.End)}
}

func (s *source) givenAt(at int) int {
	lo, hi := 0, len(s.repairs) // the first repair beyond at
	for lo < hi {
		if mid := (lo + hi) / 2; s.repairs[mid].at <= at {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo > 0 {
		at -= s.repairs[lo-1].delta
	}
	return at
}

// runeCounter turns byte offsets into rune offsets, quickly where they come in order or the same ones again.
type runeCounter struct {
	text            string
	byte, rune      int
	last, lastRunes Span
}

// index returns the number of the rune that the byte belongs to, for the end of the text the number of runes.
func (c *runeCounter) index(at int) int {
	for c.byte < at {
		if c.text[c.byte] < utf8.RuneSelf {
			c.byte++
			c.rune++
			continue
		}
		_, w := utf8.DecodeRuneInString(c.text[c.byte:])
		if c.byte+w > at {
			return c.rune
		}
		c.byte += w
		c.rune++
	}
	for c.byte > at {
		_, w := utf8.DecodeLastRuneInString(c.text[:c.byte])
		c.byte -= w
		c.rune--
	}
	return c.rune
}

// span turns a span of bytes into one of runes.
func (c *runeCounter) span(b Span) Span {
	if b != c.last {
		c.last, c.lastRunes = b, Span{c.index(b.Start), c.index(b.End)}
	}
	return c.lastRunes
}
