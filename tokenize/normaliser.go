package tokenize

// normaliser rewrites a stretch of text, keeping its alignment.
type normaliser interface {
	normalise(a *aligned) error
}

// normaliserTypes holds the constructor of every type of normaliser.
func normaliserTypes() map[string]func(object) (normaliser, error) {
	return map[string]func(object) (normaliser, error){
		"BertNormalizer": newBertNormaliser,
		"Lowercase":      func(object) (normaliser, error) { return lowercase{}, nil },
		"Precompiled":    newPrecompiled,
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
