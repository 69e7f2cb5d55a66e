package tokenize

import (
	"slices"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// form is how far characters are taken apart.
type form bool

const (
	canonical     form = false // NFD, NFC
	compatibility form = true  // NFKD, NFKC
)

// part is a character of a decomposition with its canonical combining class and its change (see aligned.put).
type part struct {
	r      rune
	class  uint8
	change int
}

// needsForm reports whether the text has a character that a normal form may touch.
func needsForm(text []byte, flags *charTable) bool {
	for i := 0; i < len(text); {
		r, w := runeAt(text, i)
		if r >= utf8.RuneSelf && flags.at(r)&flagNormal != 0 {
			return true
		}
		i += w
	}
	return false
}

// decompose brings the text to NFD or NFKD of Unicode 9.
func decompose(a *aligned, f form) {
	d := decomposer{flags: charFlags(), form: f}
	a.begin()
	for a.pos < len(a.text) {
		a.keep(d.inactive(a.text[a.pos:]))
		if a.pos == len(a.text) {
			break
		}
		d.next(a.text[a.pos:])
		for _, p := range d.parts {
			a.put(p.r, p.change)
		}
	}
	a.commit()
}

// decomposer takes text apart one reorderable stretch at a time.
type decomposer struct {
	flags *charTable
	form  form
	parts []part
}

// next puts the decomposition of the next stretch into d.parts, in canonical order, and returns the rest of the text:
// stretches end before a character whose decomposition begins with class 0.
func (d *decomposer) next(text []byte) []byte {
	d.parts = d.parts[:0]
	for i := 0; i < len(text); {
		r, w := runeAt(text, i)
		if i > 0 && d.class(d.first(r)) == 0 {
			text = text[i:]
			d.sort()
			return text
		}
		d.add(r)
		i += w
	}
	d.sort()
	return nil
}

// sort puts the marks between characters of class 0 in order of their classes, stably.
func (d *decomposer) sort() {
	for i := 0; i < len(d.parts); {
		j := i + 1
		for j < len(d.parts) && d.parts[j].class != 0 {
			j++
		}
		if d.parts[i].class == 0 {
			i++
		}
		slices.SortStableFunc(d.parts[i:j], func(x, y part) int { return int(x.class) - int(y.class) })
		i = j
	}
}

// active reports whether the character had a decomposition or a class in Unicode 9; both are fixed once assigned.
func (d *decomposer) active(r rune) bool {
	return r >= utf8.RuneSelf && d.flags.at(r)&flagNormal != 0
}

// inactive returns the length of the characters at the beginning of text that stay as they are.
func (d *decomposer) inactive(text []byte) int {
	for i := 0; i < len(text); {
		r, w := runeAt(text, i)
		if d.active(r) {
			return i
		}
		i += w
	}
	return len(text)
}

func (d *decomposer) class(r rune) uint8 {
	if !d.active(r) {
		return 0
	}
	var b [utf8.UTFMax]byte
	return norm.NFD.Properties(b[:utf8.EncodeRune(b[:], r)]).CCC()
}

// decomposition returns the full decomposition of r in UTF-8, or nil where r stays.
func (d *decomposer) decomposition(r rune) []byte {
	if !d.active(r) {
		return nil
	}
	var b [utf8.UTFMax]byte
	enc := b[:utf8.EncodeRune(b[:], r)]
	if d.form == compatibility {
		return norm.NFKD.Bytes(enc)
	}
	return norm.NFD.Bytes(enc)
}

func (d *decomposer) first(r rune) rune {
	if dec := d.decomposition(r); len(dec) > 0 {
		r, _ = utf8.DecodeRune(dec)
	}
	return r
}

// add appends the decomposition of r: its first character replaces r, the others are new.
func (d *decomposer) add(r rune) {
	dec := d.decomposition(r)
	if len(dec) == 0 {
		d.parts = append(d.parts, part{r, d.class(r), 0})
		return
	}
	change := 0
	for len(dec) > 0 {
		c, w := utf8.DecodeRune(dec)
		d.parts = append(d.parts, part{c, d.class(c), change})
		dec, change = dec[w:], 1
	}
}
