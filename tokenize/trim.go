package tokenize

import (
	"strings"
	"unicode/utf8"
)

// trim takes the white space at the ends of tokens off their offsets, as byte-level tokenizers may ask. A single leading
// space at the beginning stays where it is taken for one that the tokenizer added itself.
type trim struct{ prefixSpace bool }

// byteSpace is how byte-level tokens write a space.
const byteSpace = 'Ġ'

func isTrimmed(r rune) bool { return r == byteSpace || isSpace(r) }

// apply trims the offsets of a token, which count in src; first says that it is the first of its encoding.
func (t trim) apply(token string, first bool, src *source, bytes, runes *Span) {
	leading := utf8.RuneCountInString(token[:len(token)-len(strings.TrimLeftFunc(token, isTrimmed))])
	trailing := utf8.RuneCountInString(token[len(strings.TrimRightFunc(token, isTrimmed)):])
	if leading == 1 && t.prefixSpace && (first || runes.Start == 0) {
		leading = 0
	}
	for ; leading > 0 && runes.Start < runes.End; leading-- {
		_, w := utf8.DecodeRuneInString(src.text[bytes.Start:])
		bytes.Start += w
		runes.Start++
	}
	if runes.End < trailing {
		return
	}
	for ; trailing > 0 && runes.End > runes.Start; trailing-- {
		_, w := utf8.DecodeLastRuneInString(src.text[:bytes.End])
		bytes.End -= w
		runes.End--
	}
}
