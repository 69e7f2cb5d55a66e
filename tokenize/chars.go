package tokenize

import (
	"sort"
	"sync"
	"unicode/utf8"
)

// The flags of a character in flagRuns, each the answer of the component named.
const (
	flagControl uint8 = 1 << iota // removed by BertNormalizer's clean_text
	flagPunct                     // punctuation for BertPreTokenizer and Punctuation
	flagAccent                    // removed by BertNormalizer's strip_accents after NFD
	flagMark                      // removed by StripAccents
	flagNumeric                   // a digit for Digits
	flagWord                      // \w for Whitespace and for added tokens that must be single words
	flagNormal                    // has a decomposition or a combining class other than 0 (Unicode 9)
)

// charTable maps code points to small values in two steps: a page for every 256 code points, equal pages shared.
type charTable struct {
	index [0x1100]uint16
	pages [][256]uint8
}

// at returns the value of r; it must be a valid rune.
func (t *charTable) at(r rune) uint8 {
	return t.pages[t.index[uint32(r)>>8]][uint8(r)]
}

// newCharTable builds a table from runs that hold the first code point of each run above its value of the given bits.
func newCharTable(runs []uint32, bits uint) *charTable {
	t := &charTable{}
	known := map[[256]uint8]uint16{}
	next, value := 0, uint8(0)
	for block := range t.index {
		var page [256]uint8
		for i := range page {
			if c := uint32(block<<8 | i); next < len(runs) && runs[next]>>bits == c {
				value = uint8(runs[next] & (1<<bits - 1))
				next++
			}
			page[i] = value
		}
		at, ok := known[page]
		if !ok {
			at = uint16(len(t.pages))
			known[page] = at
			t.pages = append(t.pages, page)
		}
		t.index[block] = at
	}
	return t
}

var (
	charFlags   = sync.OnceValue(func() *charTable { return newCharTable(flagRuns[:], 7) })
	graphemes   = sync.OnceValue(func() *charTable { return newCharTable(graphemeRuns[:], 5) })
	charScripts = sync.OnceValue(func() *charTable { return newCharTable(scriptRuns[:], 8) })
)

// isSpace reports whether r has Unicode's White_Space property, which has not changed since Unicode 6.3.
func isSpace(r rune) bool {
	switch {
	case r < 0x80:
		return r == ' ' || r >= 9 && r <= 13
	case r < 0x1680:
		return r == 0x85 || r == 0xa0
	case r >= 0x2000 && r <= 0x200a:
		return true
	}
	return r == 0x1680 || r == 0x2028 || r == 0x2029 || r == 0x202f || r == 0x205f || r == 0x3000
}

// isHan reports whether BertNormalizer sets r apart as a Chinese character.
func isHan(r rune) bool {
	return r >= 0x3400 && (r >= 0x4e00 && r <= 0x9fff || r <= 0x4dbf || r >= 0xf900 && r <= 0xfaff ||
		r >= 0x20000 && r <= 0x2a6df || r >= 0x2a700 && r <= 0x2b73f || r >= 0x2b740 && r <= 0x2b81f ||
		r >= 0x2b920 && r <= 0x2ceaf || r >= 0x2f800 && r <= 0x2fa1f)
}

// dottedI is the one character whose lower case is two characters, i and U+0307.
const dottedI = 0x130

// lower returns the lower case of one character, without regard to its context; dottedI is left to the caller.
func lower(r rune) rune {
	if r < 0x80 {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	i := sort.Search(len(lowerRows), func(i int) bool { return lowerRows[i][1] >= r })
	if i < len(lowerRows) {
		if row := lowerRows[i]; row[0] <= r && (r-row[0])%row[2] == 0 {
			return r + row[3]
		}
	}
	return r
}

// runeAt decodes the rune at text[i:] and its width. The text is valid UTF-8, so the width is never 0 before its end.
func runeAt(text []byte, i int) (rune, int) {
	if c := text[i]; c < utf8.RuneSelf {
		return rune(c), 1
	}
	return utf8.DecodeRune(text[i:])
}
