package tokenize

// normaliser rewrites a stretch of text, keeping its alignment.
type normaliser interface {
	normalise(a *aligned) error
}

// normaliserTypes holds the constructor of every type of normaliser.
func normaliserTypes() map[string]func(object) (normaliser, error) {
	return map[string]func(object) (normaliser, error){
		"BertNormalizer": newBertNormaliser,
		"ByteLevel":      newByteLevelNormaliser,
		"Lowercase":      func(object) (normaliser, error) { return lowercase{}, nil },
		"NFC":            func(object) (normaliser, error) { return newComposer(canonical), nil },
		"NFD":            func(object) (normaliser, error) { return decomposition(canonical), nil },
		"NFKC":           func(object) (normaliser, error) { return newComposer(compatibility), nil },
		"NFKD":           func(object) (normaliser, error) { return decomposition(compatibility), nil },
		"Nmt":            func(object) (normaliser, error) { return nmt{}, nil },
		"Precompiled":    newPrecompiled,
		"Prepend":        newPrepend,
		"Replace":        newReplace,
		"Sequence":       newNormaliserSequence,
		"Strip":          newStrip,
		"StripAccents":   func(object) (normaliser, error) { return stripAccents{charFlags()}, nil },
	}
}

func newNormaliser(o object) (normaliser, error) { return build(o, normaliserTypes()) }

// normaliserSequence applies several normalisers in turn.
type normaliserSequence []normaliser

func newNormaliserSequence(o object) (normaliser, error) {
	list, err := buildList(o, "normalizers", newNormaliser)
	return normaliserSequence(list), err
}

func (s normaliserSequence) normalise(a *aligned) error {
	for _, n := range s {
		if err := n.normalise(a); err != nil {
			return err
		}
	}
	return nil
}

// lowercase maps every character to its lower case.
type lowercase struct{}

func (lowercase) normalise(a *aligned) error {
	if a.mapInPlace(lower) {
		return nil
	}
	a.each(func(r rune, w int) {
		if r == dottedI {
			a.put('i', 0)
			a.put(0x307, 1)
		} else if l := lower(r); l != r {
			a.put(l, 0)
		} else {
			a.keep(w)
		}
	})
	return nil
}

// stripAccents drops marks (categories Mn, Mc and Me).
type stripAccents struct{ flags *charTable }

func (s stripAccents) normalise(a *aligned) error {
	a.filter(func(r rune) bool { return s.flags.at(r)&flagMark == 0 })
	return nil
}

// strip drops white space at the ends.
type strip struct{ left, right bool }

func newStrip(o object) (normaliser, error) {
	var s strip
	var err error
	if s.left, err = o.boolean("strip_left"); err != nil {
		return nil, err
	}
	if s.right, err = o.boolean("strip_right"); err != nil {
		return nil, err
	}
	return s, nil
}

func (s strip) normalise(a *aligned) error {
	from, to := 0, len(a.text)
	if s.left {
		from = to - len(trimLeftSpace(a.text))
	}
	if s.right {
		to = from + len(trimRightSpace(a.text[from:]))
	}
	if from > 0 || to < len(a.text) {
		a.begin()
		a.drop(from)
		a.keep(to - from)
		a.commit()
	}
	return nil
}

// prepend puts a text before one that is not empty.
type prepend string

func newPrepend(o object) (normaliser, error) {
	s, err := o.text("prepend")
	return prepend(s), err
}

func (p prepend) normalise(a *aligned) error {
	if p != "" {
		a.prepend(string(p))
	}
	return nil
}

// nmt drops and replaces control characters and odd spaces as SentencePiece's rule set nmt does.
type nmt struct{}

func (nmt) normalise(a *aligned) error {
	a.each(func(r rune, w int) {
		switch {
		case r >= 1 && r <= 8, r == 0xb, r >= 0xe && r <= 0x1f, r == 0x7f, r == 0x8f, r == 0x9f:
			a.drop(w)
		case r == 9, r == 0xa, r == 0xc, r == 0xd, r == 0x1680, r >= 0x200b && r <= 0x200f, r == 0x2028, r == 0x2029,
			r == 0x2581, r == 0xfeff, r == 0xfffd:
			a.put(' ', 0)
		default:
			a.keep(w)
		}
	})
	return nil
}
