package tokenize

import "unicode/utf8"

// bertNormaliser is the normaliser of the original BERT: it cleans control characters and white space, sets Chinese
// characters apart with spaces, strips accents and lowers the case, each if asked.
type bertNormaliser struct {
	clean, han, accents, lower bool
	flags                      *charTable
	plain                      [utf8.RuneSelf]bool // ASCII that stays as it is
}

func newBertNormaliser(o object) (normaliser, error) {
	b := &bertNormaliser{flags: charFlags()}
	var err error
	if b.clean, err = o.boolean("clean_text"); err != nil {
		return nil, err
	}
	if b.han, err = o.boolean("handle_chinese_chars"); err != nil {
		return nil, err
	}
	if b.lower, err = o.boolean("lowercase"); err != nil {
		return nil, err
	}
	if b.accents, err = o.booleanOr("strip_accents", b.lower); err != nil {
		return nil, err
	}
	b.init()
	return b, nil
}

func (b *bertNormaliser) init() {
	for c := range b.plain {
		r := rune(c)
		b.plain[c] = !(b.clean && (b.flags.at(r)&flagControl != 0 || r != ' ' && isSpace(r)) || b.lower && lower(r) != r)
	}
}

func (b *bertNormaliser) normalise(a *aligned) error {
	text := a.text
	first := 0
	for first < len(text) && text[first] < utf8.RuneSelf && b.plain[text[first]] {
		first++
	}
	if first == len(text) {
		return nil
	}
	b.cleanAndSpace(a, first)
	if b.accents {
		if needsForm(a.text, b.flags) {
			decompose(a, canonical)
		}
		a.filter(func(r rune) bool { return b.flags.at(r)&flagAccent == 0 })
	}
	if b.lower {
		return lowercase{}.normalise(a)
	}
	return nil
}

// cleanAndSpace does what clean_text and handle_chinese_chars ask in one pass. The first bytes are known to be plain.
func (b *bertNormaliser) cleanAndSpace(a *aligned, first int) {
	a.begin()
	a.keep(first)
	for a.pos < len(a.text) {
		r, w := runeAt(a.text, a.pos)
		switch {
		case r < utf8.RuneSelf && b.plain[r]:
			end := a.pos + 1
			for end < len(a.text) && a.text[end] < utf8.RuneSelf && b.plain[a.text[end]] {
				end++
			}
			a.keep(end - a.pos)
		case b.clean && b.flags.at(r)&flagControl != 0:
			a.drop(w)
		case b.clean && r != ' ' && isSpace(r):
			a.put(' ', 0)
		case b.han && isHan(r):
			a.put(' ', 0)
			a.put(r, 1)
			a.put(' ', 1)
		default:
			a.keep(w)
		}
	}
	a.commit()
}
