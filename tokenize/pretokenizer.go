package tokenize

import "unicode/utf8"

// preTokenizer cuts text into words.
type preTokenizer interface {
	preTokenize(p *pieces) error
}

// preTokenizerTypes holds the constructor of every type of pre-tokenizer.
func preTokenizerTypes() map[string]func(object) (preTokenizer, error) {
	return map[string]func(object) (preTokenizer, error){
		"BertPreTokenizer":   func(object) (preTokenizer, error) { return bertPreTokenizer{charFlags()}, nil },
		"ByteLevel":          newByteLevelPreTokenizer,
		"CharDelimiterSplit": newCharDelimiterSplit,
		"Digits":             newDigits,
		"FixedLength":        newFixedLength,
		"Metaspace":          newMetaspace,
		"Punctuation":        newPunctuation,
		"Sequence":           newPreTokenizerSequence,
		"Split":              newSplit,
		"UnicodeScripts":     func(object) (preTokenizer, error) { return unicodeScripts{charScripts()}, nil },
		"Whitespace":         func(object) (preTokenizer, error) { return whitespace{charFlags()}, nil },
		"WhitespaceSplit":    func(object) (preTokenizer, error) { return whitespaceSplit{}, nil },
	}
}

func newPreTokenizer(o object) (preTokenizer, error) { return build(o, preTokenizerTypes()) }

// preTokenizerSequence applies several pre-tokenizers in turn.
type preTokenizerSequence []preTokenizer

func newPreTokenizerSequence(o object) (preTokenizer, error) {
	list, err := buildList(o, "pretokenizers", newPreTokenizer)
	return preTokenizerSequence(list), err
}

func (s preTokenizerSequence) preTokenize(p *pieces) error {
	for _, t := range s {
		if err := t.preTokenize(p); err != nil {
			return err
		}
	}
	return nil
}

// whitespaceSplit cuts at white space, which it drops.
type whitespaceSplit struct{}

func (whitespaceSplit) preTokenize(p *pieces) error {
	return p.cut(func(start, end int) error {
		for i := start; i < end; {
			r, w := runeAt(p.text, i)
			i += w
			if isSpace(r) {
				p.emit(start, i-w)
				start = i
			}
		}
		p.emit(start, end)
		return nil
	})
}

// bertPreTokenizer cuts at white space, which it drops, and makes every punctuation character a word.
type bertPreTokenizer struct{ flags *charTable }

func (b bertPreTokenizer) preTokenize(p *pieces) error {
	ascii := &b.flags.pages[b.flags.index[0]]
	return p.cut(func(start, end int) error {
		for i := start; i < end; {
			r, w := rune(p.text[i]), 1
			var flags uint8
			if r < utf8.RuneSelf {
				flags = ascii[r]
			} else {
				r, w = utf8.DecodeRune(p.text[i:])
				flags = b.flags.at(r)
			}
			i += w
			if isSpace(r) {
				p.emit(start, i-w)
				start = i
			} else if flags&flagPunct != 0 {
				p.emit(start, i-w)
				p.emit(i-w, i)
				start = i
			}
		}
		p.emit(start, end)
		return nil
	})
}
