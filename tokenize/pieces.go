package tokenize

import (
	"slices"
	"unicode/utf8"
)

// piece is a part of the text on its way to become a word: bytes [start, end) of the pieces' text.
type piece struct {
	start, end int
	added      int32 // the id of the added token that it is, or none
}

const none = -1

// pieces is a text cut into parts by the added tokens and the pre-tokenizer. Parts that are added tokens are left alone.
type pieces struct {
	text  []byte
	spans []span // one a byte; nil while the text is the original itself
	list  []piece

	spare    []piece // the list before, for reuse
	bufs     [2][]byte
	spanBufs [2][]span
	turn     int
	segments []segment
}

// reset makes p the whole original, not yet cut.
func (p *pieces) reset() {
	p.text, p.spans, p.list = nil, nil, p.list[:0]
}

// span returns the part of the original that bytes [start, end) come from.
func (p *pieces) span(start, end int) span {
	if start >= end { // the library gives an empty range back as it is, counted from its piece
		return span{int32(start), int32(end)}
	}
	if p.spans != nil {
		return span{p.spans[start].start, p.spans[end-1].end}
	}
	for start > 0 && !utf8.RuneStart(p.text[start]) {
		start--
	}
	for end < len(p.text) && !utf8.RuneStart(p.text[end]) {
		end++
	}
	return span{int32(start), int32(end)}
}

// cut puts in place of every part that is text what f emits for it; empty parts vanish.
func (p *pieces) cut(f func(start, end int) error) error {
	old := p.list
	p.list = p.spare[:0]
	for _, q := range old {
		if q.added != none {
			p.list = append(p.list, q)
		} else if err := f(q.start, q.end); err != nil {
			return err
		}
	}
	p.spare = old
	return nil
}

// emit adds a part that is text, between cut's calls.
func (p *pieces) emit(start, end int) {
	if start < end {
		p.list = append(p.list, piece{start, end, none})
	}
}

// rewrite puts in place of every part that is text the text that f writes for it, while the parts stay as many; parts
// that are added tokens are copied.
func (p *pieces) rewrite(f func(w *pieceWriter, start, end int) error) error {
	p.turn++
	w := &pieceWriter{p: p, text: p.bufs[p.turn&1][:0], spans: p.spanBufs[p.turn&1][:0]}
	for i, q := range p.list {
		from := len(w.text)
		if q.added != none {
			w.copy(q.start, q.end)
		} else if err := f(w, q.start, q.end); err != nil {
			return err
		}
		p.list[i].start, p.list[i].end = from, len(w.text)
	}
	p.bufs[p.turn&1], p.spanBufs[p.turn&1] = w.text, w.spans
	p.text, p.spans = w.text, w.spans
	p.list = slices.DeleteFunc(p.list, func(q piece) bool { return q.start == q.end })
	return nil
}

// pieceWriter collects the new text of pieces.
type pieceWriter struct {
	p     *pieces
	text  []byte
	spans []span
}

// copy passes bytes [start, end) of the old text on.
func (w *pieceWriter) copy(start, end int) {
	w.text = append(w.text, w.p.text[start:end]...)
	if w.p.spans != nil {
		w.spans = append(w.spans, w.p.spans[start:end]...)
		return
	}
	a := aligned{text: w.p.text}
	w.spans = appendSpans(w.spans, &a, start, end)
}

// write adds text that came from one span.
func (w *pieceWriter) write(text string, s span) {
	w.text = append(w.text, text...)
	for range len(text) {
		w.spans = append(w.spans, s)
	}
}
