package tokenize

import "unicode/utf8"

// whitespace cuts into runs of word characters (\w) and runs of what is neither word character nor white space.
type whitespace struct{ flags *charTable }

func (t whitespace) preTokenize(p *pieces) error {
	return p.cut(func(start, end int) error {
		const space, word, other = 0, 1, 2
		class := space
		for i := start; i < end; {
			r, w := runeAt(p.text, i)
			c := other
			if t.flags.at(r)&flagWord != 0 {
				c = word
			} else if isSpace(r) {
				c = space
			}
			if c != class {
				if class != space {
					p.emit(start, i)
				}
				start, class = i, c
			}
			i += w
		}
		if class != space {
			p.emit(start, end)
		}
		return nil
	})
}

// runeSplit cuts at every character of a kind.
type runeSplit struct {
	is        func(rune) bool
	behaviour behaviour
}

func (t runeSplit) preTokenize(p *pieces) error {
	return p.split(func(dst []segment, start, end int) ([]segment, error) {
		return findRunes(dst, p.text, start, end, t.is), nil
	}, t.behaviour)
}

// newPunctuation cuts at punctuation.
func newPunctuation(o object) (preTokenizer, error) {
	b, err := behaviourOf(o, "behavior", true)
	flags := charFlags()
	return runeSplit{func(r rune) bool { return flags.at(r)&flagPunct != 0 }, b}, err
}

// newDigits cuts between numbers and other text, or makes every digit a word.
func newDigits(o object) (preTokenizer, error) {
	individual, err := o.boolean("individual_digits")
	flags := charFlags()
	t := runeSplit{func(r rune) bool { return flags.at(r)&flagNumeric != 0 }, contiguous}
	if individual {
		t.behaviour = isolated
	}
	return t, err
}

// newCharDelimiterSplit cuts at a character, which it drops.
func newCharDelimiterSplit(o object) (preTokenizer, error) {
	c, err := o.character("delimiter")
	return runeSplit{func(r rune) bool { return r == c }, removed}, err
}

// splitter cuts at the matches of a pattern or, inverted, at what lies between.
type splitter struct {
	pattern   *pattern
	behaviour behaviour
	inverted  bool
}

func newSplit(o object) (preTokenizer, error) {
	var s splitter
	var err error
	if s.pattern, err = readPattern(o, "pattern"); err != nil {
		return nil, err
	}
	if s.behaviour, err = behaviourOf(o, "behavior", false); err != nil {
		return nil, err
	}
	s.inverted, err = o.boolean("invert")
	return s, err
}

func (s splitter) preTokenize(p *pieces) error {
	return p.split(func(dst []segment, start, end int) ([]segment, error) {
		return s.pattern.segments(dst, p.text, start, end, s.inverted)
	}, s.behaviour)
}

// fixedLength cuts into words of so many characters.
type fixedLength int

func newFixedLength(o object) (preTokenizer, error) {
	n := uint32(5)
	if err := o.decodeIf("length", &n); err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, o.errorf("length", "words of no characters")
	}
	return fixedLength(n), nil
}

func (n fixedLength) preTokenize(p *pieces) error {
	return p.cut(func(start, end int) error {
		count := 0
		for i := start; i < end; {
			if count == int(n) {
				p.emit(start, i)
				start, count = i, 0
			}
			_, w := utf8.DecodeRune(p.text[i:])
			i += w
			count++
		}
		p.emit(start, end)
		return nil
	})
}

// unicodeScripts cuts where the script changes, as SentencePiece does: Han, Hiragana and Katakana are one script, spaces
// and what belongs to no script go with what is before them. What stands before the first character with a script is
// lost, as in the library.
type unicodeScripts struct{ scripts *charTable }

func (t unicodeScripts) preTokenize(p *pieces) error {
	return p.cut(func(start, end int) error {
		last := uint8(0)
		for i := start; i < end; {
			r, w := runeAt(p.text, i)
			if script := t.scripts.at(r); script != 0 && script != last {
				if last != 0 {
					p.emit(start, i)
				}
				start, last = i, script
			}
			i += w
		}
		if last != 0 {
			p.emit(start, end)
		}
		return nil
	})
}
