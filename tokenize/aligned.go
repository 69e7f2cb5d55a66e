package tokenize

import "unicode/utf8"

// span is a half-open range of bytes of the original text.
type span struct{ start, end int32 }

// aligned is a stretch of normalised text of which every byte knows the span of the original text it came from.
//
// Normalisers rewrite it from left to right: begin, then keep, drop, replace and insert, then commit. Nothing is copied
// before the first change, so that text which is normal already costs a scan only.
type aligned struct {
	text  []byte
	spans []span // one a byte; nil while the text is the original's own
	base  int32  // where the stretch begins in the original

	pos      int // how much of text the rewriting has consumed
	changed  bool
	newText  []byte
	newSpans []span
	bufs     [2][]byte // text lies in bufs[turn&1] once changed; a rewriting goes to the other
	spanBufs [2][]span
	turn     int
}

// reset makes a the stretch of the original that begins at base. The text is not modified.
func (a *aligned) reset(text []byte, base int32) {
	a.text, a.spans, a.base = text, nil, base
}

// begin starts a rewriting.
func (a *aligned) begin() { a.pos, a.changed = 0, false }

// open copies what has been kept so far, as the text is about to differ.
func (a *aligned) open() {
	if a.changed {
		return
	}
	a.changed = true
	other := (a.turn + 1) & 1
	a.newText = append(a.bufs[other][:0], a.text[:a.pos]...)
	a.newSpans = appendSpans(a.spanBufs[other][:0], a, 0, a.pos)
}

// appendSpans appends the spans of the bytes [from, to) of a, which lie on character boundaries.
func appendSpans(dst []span, a *aligned, from, to int) []span {
	if a.spans != nil {
		return append(dst, a.spans[from:to]...)
	}
	for i := from; i < to; {
		w := 1
		if a.text[i] >= utf8.RuneSelf {
			_, w = utf8.DecodeRune(a.text[i:])
		}
		s := span{a.base + int32(i), a.base + int32(i+w)}
		for range w {
			dst = append(dst, s)
		}
		i += w
	}
	return dst
}

// keep passes n bytes on unchanged.
func (a *aligned) keep(n int) {
	if a.changed {
		a.newText = append(a.newText, a.text[a.pos:a.pos+n]...)
		a.newSpans = appendSpans(a.newSpans, a, a.pos, a.pos+n)
	}
	a.pos += n
}

// drop consumes n bytes without writing anything.
func (a *aligned) drop(n int) {
	a.open()
	a.pos += n
}

// next returns the span of the character about to be consumed, or of the last one at the end of the text.
func (a *aligned) next() span {
	if a.pos >= len(a.text) {
		return a.last()
	}
	if a.spans != nil {
		return a.spans[a.pos]
	}
	_, w := runeAt(a.text, a.pos)
	return span{a.base + int32(a.pos), a.base + int32(a.pos+w)}
}

// last returns the span of the byte consumed last, or the empty one at the beginning of the stretch.
func (a *aligned) last() span {
	if a.pos == 0 {
		return span{a.base, a.base}
	}
	if a.spans != nil {
		return a.spans[a.pos-1]
	}
	_, w := utf8.DecodeLastRune(a.text[:a.pos])
	return span{a.base + int32(a.pos-w), a.base + int32(a.pos)}
}

// write appends a character that came from s.
func (a *aligned) write(r rune, s span) {
	a.open()
	if r < utf8.RuneSelf {
		a.newText = append(a.newText, byte(r))
		a.newSpans = append(a.newSpans, s)
		return
	}
	n := len(a.newText)
	a.newText = utf8.AppendRune(a.newText, r)
	for range len(a.newText) - n {
		a.newSpans = append(a.newSpans, s)
	}
}

// writeString appends text that came from one span.
func (a *aligned) writeString(text string, s span) {
	a.open()
	a.newText = append(a.newText, text...)
	for range len(text) {
		a.newSpans = append(a.newSpans, s)
	}
}

// put appends r by the library's rule of changes: 1 for a character that is new and shares the span of what was consumed
// last, 0 for one that replaces the next character, -n for one that replaces the next and swallows n more.
func (a *aligned) put(r rune, change int) {
	a.open()
	a.write(r, a.advance(change))
}

// advance consumes what a change of put consumes and returns the span that it gives.
func (a *aligned) advance(change int) span {
	if change > 0 {
		return a.last()
	}
	s := a.next()
	for ; change <= 0 && a.pos < len(a.text); change++ {
		_, w := runeAt(a.text, a.pos)
		a.pos += w
	}
	return s
}

// commit ends a rewriting; what has not been consumed is dropped.
func (a *aligned) commit() {
	if a.pos < len(a.text) {
		a.open()
	}
	if !a.changed {
		return
	}
	a.turn++
	a.bufs[a.turn&1], a.spanBufs[a.turn&1] = a.newText, a.newSpans
	a.text, a.spans = a.newText, a.newSpans
}

// each calls f for every character with its place and width, between begin and commit; f consumes it.
func (a *aligned) each(f func(r rune, w int)) {
	a.begin()
	for a.pos < len(a.text) {
		f(runeAt(a.text, a.pos))
	}
	a.commit()
}

// mapInPlace puts f(r) in place of every character if that never changes its width, so that the alignment stays as it
// is; else it changes nothing and reports false.
func (a *aligned) mapInPlace(f func(rune) rune) bool {
	other := (a.turn + 1) & 1
	out := a.bufs[other][:0]
	for i := 0; i < len(a.text); {
		r, w := runeAt(a.text, i)
		to := f(r)
		if to < utf8.RuneSelf && w == 1 {
			out = append(out, byte(to))
		} else if r == dottedI || utf8.RuneLen(to) != w {
			return false
		} else {
			out = utf8.AppendRune(out, to)
		}
		i += w
	}
	a.turn++
	a.bufs[other], a.text = out, out
	a.spanBufs[0], a.spanBufs[1] = a.spanBufs[1], a.spanBufs[0] // the spans stay with the text
	return true
}

// filter drops the characters that keep refuses.
func (a *aligned) filter(keep func(rune) bool) {
	a.each(func(r rune, w int) {
		if keep(r) {
			a.keep(w)
		} else {
			a.drop(w)
		}
	})
}

// replaceAll puts content in place of every match, [start, end) pairs in order; it takes the span of the byte before
// the match's end.
func (a *aligned) replaceAll(matches [][2]int, content string) {
	a.begin()
	for _, m := range matches {
		a.keep(m[0] - a.pos)
		a.drop(m[1] - a.pos)
		a.writeString(content, a.last())
	}
	a.keep(len(a.text) - a.pos)
	a.commit()
}

// prepend puts content before the text, on the span of its first character; an empty text stays empty.
func (a *aligned) prepend(content string) {
	if len(a.text) == 0 {
		return
	}
	a.begin()
	a.writeString(content, a.next())
	a.keep(len(a.text))
	a.commit()
}
