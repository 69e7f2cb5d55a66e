package tokenize

import (
	"errors"
	"math"
	"unicode/utf8"
)

// limit is where tokenising a text may stop.
type limit struct {
	tokens int // 0 for nowhere
	side   Side
}

var errTooLong = errors.New("texts of 1 GiB or more are not taken")

// addText tokenises a text and adds its tokens to q. The tokens of a text that is not pre-split are numbered by word,
// others all have the given number.
func (t *Tokenizer) addText(s *scratch, q *sequence, text string, word int, l limit) error {
	if len(text) > math.MaxInt32/2 {
		return errTooLong
	}
	src := newSource(text)
	q.texts = append(q.texts, src)
	s.original = append(s.original[:0], src.text...)
	if err := t.segment(s); err != nil {
		return err
	}
	list := s.pieces.list
	from, err := t.firstPiece(s, l)
	if err != nil {
		return err
	}
	runes := runeCounter{text: src.text}
	total := 0
	for i, p := range list[from:] {
		if err := t.tokens(s, p); err != nil {
			return err
		}
		number := word
		if word < 0 {
			number = i
		}
		q.add(s, p, &runes, number)
		if word < 0 && t.marks != nil {
			from := len(q.ids) - len(s.tokens)
			t.marks.number(q.words[from:], q.tokens[from:])
		}
		total += len(s.tokens)
		if p.added == none && l.side == Right && l.tokens > 0 && total >= l.tokens {
			break
		}
	}
	if word >= 0 {
		for len(q.source) < len(q.ids) {
			q.source = append(q.source, len(q.texts)-1)
		}
	}
	return nil
}

// segment normalises the original and cuts it into the words that s.pieces then lists.
func (t *Tokenizer) segment(s *scratch) (err error) {
	p := &s.pieces
	p.reset()
	if s.raw, err = t.added.find(s.raw[:0], &t.added.raw, s.original, 0, len(s.original)); err != nil {
		return err
	}
	if len(s.raw) == 1 && s.raw[0].added == none {
		if err := t.normalise(s, 0, len(s.original)); err != nil {
			return err
		}
		p.text, p.spans = s.aligned.text, s.aligned.spans
		if p.list, err = t.added.find(p.list, &t.added.normal, p.text, 0, len(p.text)); err != nil {
			return err
		}
	} else if err := t.segmentAdded(s); err != nil {
		return err
	}
	p.list = withoutEmpty(p.list)
	if t.preTokenizer == nil {
		return nil
	}
	return t.preTokenizer.preTokenize(p)
}

func withoutEmpty(list []piece) []piece {
	kept := list[:0]
	for _, q := range list {
		if q.start < q.end {
			kept = append(kept, q)
		}
	}
	return kept
}

// normalise normalises original[start:end] in s.aligned.
func (t *Tokenizer) normalise(s *scratch, start, end int) error {
	s.aligned.reset(s.original[start:end], int32(start))
	if t.normaliser == nil || start == end {
		return nil
	}
	return t.normaliser.normalise(&s.aligned)
}

// segmentAdded normalises the parts between added tokens, each by itself, and puts all together.
func (t *Tokenizer) segmentAdded(s *scratch) (err error) {
	p := &s.pieces
	p.turn++
	text, spans := p.bufs[p.turn&1][:0], p.spanBufs[p.turn&1][:0]
	for _, r := range s.raw {
		if r.added == none {
			if err := t.normalise(s, r.start, r.end); err != nil {
				return err
			}
		} else {
			s.aligned.reset(s.original[r.start:r.end], int32(r.start))
		}
		from := len(text)
		text = append(text, s.aligned.text...)
		spans = appendSpans(spans, &s.aligned, 0, len(s.aligned.text))
		if r.added != none {
			p.list = append(p.list, piece{from, len(text), r.added})
		} else if p.list, err = t.added.find(p.list, &t.added.normal, text, from, len(text)); err != nil {
			return err
		}
	}
	p.bufs[p.turn&1], p.spanBufs[p.turn&1] = text, spans
	p.text, p.spans = text, spans
	return nil
}

// tokens puts the tokens of a piece into s.tokens.
func (t *Tokenizer) tokens(s *scratch, p piece) error {
	s.tokens = s.tokens[:0]
	if p.added != none {
		s.tokens = append(s.tokens, token{p.added, p.start, p.end, t.added.shownAs(p.added, s.pieces.text[p.start:p.end])})
		return nil
	}
	return t.model.tokenize(s, s.pieces.text, p.start, p.end)
}

// firstPiece returns the first piece that is tokenised: under a limit that keeps the end of the text it is the one with
// which, from the end, the limit is reached. Added tokens count, but do not end the search.
func (t *Tokenizer) firstPiece(s *scratch, l limit) (int, error) {
	if l.tokens == 0 || l.side == Right {
		return 0, nil
	}
	total := 0
	for i := len(s.pieces.list) - 1; i > 0; i-- {
		p := s.pieces.list[i]
		if err := t.tokens(s, p); err != nil {
			return 0, err
		}
		if total += len(s.tokens); p.added == none && total >= l.tokens {
			return i, nil
		}
	}
	return 0, nil
}

// add adds the tokens of a piece.
func (q *sequence) add(s *scratch, p piece, runes *runeCounter, word int) {
	for _, k := range s.tokens {
		bytes := s.spanOf(p, k)
		q.ids = append(q.ids, k.id)
		q.tokens = append(q.tokens, k.text)
		q.bytes = append(q.bytes, bytes)
		q.runes = append(q.runes, runes.span(bytes))
		q.words = append(q.words, word)
	}
}

// spanOf returns the part of the original that a token of the piece comes from. One that is longer than its piece, as
// bytes that a suffix brought in are, has its place in the piece, as in the library, but ends where the text does.
func (s *scratch) spanOf(q piece, k token) Span {
	if k.end <= q.end {
		b := s.pieces.span(k.start, k.end)
		return Span{int(b.start), int(b.end)}
	}
	return Span{s.character(k.start - q.start), s.character(k.end - q.start)}
}

// character returns where the character of the original begins that the byte at belongs to.
func (s *scratch) character(at int) int {
	at = min(at, len(s.original))
	for at > 0 && at < len(s.original) && !utf8.RuneStart(s.original[at]) {
		at--
	}
	return at
}
