package tokenize

import "unicode/utf8"

// byteLevel writes every byte as a visible character: those of Latin-1 that can be seen as themselves, the others from
// U+0100 on. It is a normaliser, a pre-tokenizer, a post-processor (see trim) and a decoder.
type byteLevel struct {
	prefixSpace bool
	trimOffsets bool
	split       *regex // nil if the text is not split
	chars       [256]rune
}

// byteLevelPattern is how GPT-2 splits text into words.
const byteLevelPattern = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

// byteChars returns the character for every byte.
func byteChars() (chars [256]rune) {
	next := rune(0x100)
	for c := range chars {
		if c >= '!' && c <= '~' || c >= 0xa1 && c <= 0xac || c >= 0xae {
			chars[c] = rune(c)
		} else {
			chars[c] = next
			next++
		}
	}
	return chars
}

func readByteLevel(o object) (*byteLevel, error) {
	b := &byteLevel{chars: byteChars()}
	var err error
	if b.prefixSpace, err = o.boolean("add_prefix_space"); err != nil {
		return nil, err
	}
	if b.trimOffsets, err = o.boolean("trim_offsets"); err != nil {
		return nil, err
	}
	split, err := o.booleanOr("use_regex", true)
	if err == nil && split {
		b.split, err = compileRegex(byteLevelPattern)
	}
	return b, err
}

func newByteLevelNormaliser(object) (normaliser, error) { return &byteLevel{chars: byteChars()}, nil }

func newByteLevelPreTokenizer(o object) (preTokenizer, error) { return readByteLevel(o) }

func newByteLevelPostProcessor(o object) (postProcessor, error) { return readByteLevel(o) }

func newByteLevelDecoder(o object) (decoder, error) { return readByteLevel(o) }

func (b *byteLevel) normalise(a *aligned) error {
	a.each(func(_ rune, w int) {
		text := a.text[a.pos : a.pos+w]
		if w == 1 && b.chars[text[0]] == rune(text[0]) {
			a.keep(1)
			return
		}
		for i, c := range text {
			a.put(b.chars[c], min(i, 1))
		}
	})
	return nil
}

func (b *byteLevel) preTokenize(p *pieces) error {
	if b.prefixSpace {
		if err := p.rewrite(func(w *pieceWriter, start, end int) error {
			if p.text[start] != ' ' {
				_, n := runeAt(p.text, start)
				w.write(" ", p.span(start, start+n))
			}
			w.copy(start, end)
			return nil
		}); err != nil {
			return err
		}
	}
	if b.split != nil {
		pat := pattern{regex: b.split}
		if err := p.split(func(dst []segment, start, end int) ([]segment, error) {
			return pat.segments(dst, p.text, start, end, false)
		}, isolated); err != nil {
			return err
		}
	}
	return p.rewrite(func(w *pieceWriter, start, end int) error {
		for i := start; i < end; {
			_, n := runeAt(p.text, i)
			s := p.span(i, i+n)
			for _, c := range p.text[i : i+n] {
				before := len(w.text)
				w.text = utf8.AppendRune(w.text, b.chars[c])
				for range len(w.text) - before {
					w.spans = append(w.spans, s)
				}
			}
			i += n
		}
		return nil
	})
}

func (b *byteLevel) added(bool) int { return 0 }

func (b *byteLevel) process(members []member, _ bool) ([]member, error) {
	if b.trimOffsets {
		addTrims(members, trim{b.prefixSpace})
	}
	return members, nil
}

// addTrims adds a trim to all texts.
func addTrims(members []member, t trim) {
	for _, m := range members {
		for i := range m {
			if m[i].text != none {
				m[i].trims = append(m[i].trims[:len(m[i].trims):len(m[i].trims)], t)
			}
		}
	}
}

// decode turns the characters of all tokens back into bytes; a token with others stays as it is.
func (b *byteLevel) decode(tokens []string) []string {
	bytes := make(map[rune]byte, 256)
	for c, r := range b.chars {
		bytes[r] = byte(c)
	}
	var out []byte
	for _, t := range tokens {
		before := len(out)
		for _, r := range t {
			c, ok := bytes[r]
			if !ok {
				out = append(out[:before], t...)
				break
			}
			out = append(out, c)
		}
	}
	return []string{newSource(string(out)).text}
}
