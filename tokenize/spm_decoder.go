package tokenize

import (
	"strings"
	"unicode/utf8"
)

// spmDecoder is SentencePiece's own way back to text: control symbols vanish, the unknown piece becomes the surface that
// the file sets, bytes become characters, the space at the beginning goes.
type spmDecoder struct {
	vocabulary   *spmVocabulary
	spec         spmNormalSpec
	surface      string
	denormaliser *spmNormaliser // may be nil
}

func (d *spmDecoder) decode(tokens []string) []string {
	var out, bytes []byte
	flush := func() {
		for len(bytes) > 0 {
			r, n := utf8.DecodeRune(bytes)
			out, bytes = utf8.AppendRune(out, r), bytes[n:]
		}
	}
	begins := true
	for _, text := range tokens {
		id, ok := d.vocabulary.id(text)
		kind := unknownPieceKind
		if ok {
			kind = d.vocabulary.pieces[id].kind
		}
		if kind == bytePiece {
			bytes = append(bytes, byteOf(text))
			continue
		}
		flush()
		begins = begins && len(out) == 0
		if kind == controlPiece {
			continue
		}
		piece, space := text, false
		if begins && (d.spec.dummyPrefix || d.spec.removeExtraSpaces) {
			piece, space = strings.CutPrefix(piece, spaceMark)
			space = space && !d.spec.removeExtraSpaces
		}
		switch {
		case kind != unknownPieceKind:
			out = append(out, strings.ReplaceAll(piece, spaceMark, " ")...)
		case ok:
			out = append(out, d.surface...)
		default:
			out = append(out, text...)
		}
		begins = begins && !space
	}
	flush()
	if d.denormaliser != nil && len(out) > 0 {
		a := &aligned{}
		a.reset([]byte(newSource(string(out)).text), 0)
		if d.denormaliser.normalise(a) == nil {
			out = a.text
		}
	}
	return []string{string(out)}
}

// byteOf returns the byte of a piece like <0xE2>.
func byteOf(piece string) byte {
	digit := func(c byte) byte {
		if c >= 'A' {
			return c - 'A' + 10
		}
		return c - '0'
	}
	if len(piece) != len("<0x00>") {
		return 0
	}
	return digit(piece[3])<<4 | digit(piece[4])
}

// markedWords numbers the words of a text that was not cut into words, by the mark that tokens begin with (▁) or, where
// white space ends words, end with.
type markedWords struct {
	mark string
	ends bool
}

// number writes the number of the word of each token.
func (m *markedWords) number(words []int, tokens []string) {
	word := 0
	for i, text := range tokens {
		if i > 0 && (m.ends && strings.HasSuffix(tokens[i-1], m.mark) || !m.ends && strings.HasPrefix(text, m.mark)) {
			word++
		}
		words[i] = word
	}
}
