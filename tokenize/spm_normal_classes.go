package tokenize

// What the converters of transformers put before the model, by class; charsmap may be nil.

// normalisers is a sequence without those that are nil.
func normalisers(list ...normaliser) normaliser {
	var s normaliserSequence
	for _, n := range list {
		if n != nil {
			s = append(s, n)
		}
	}
	return s
}

// spacesMarked puts U+2581 in place of two and more spaces and takes off the last.
func spacesMarked(charsmap normaliser, _ *tokenizerConfig) (normaliser, error) {
	return normalisers(charsmap, strip{right: true}, squeeze(spaceMark)), nil
}

// quotesAndCase is ALBERT's and its like's, with the defaults of do_lower_case and keep_accents.
func quotesAndCase(lower, accents bool) func(normaliser, *tokenizerConfig) (normaliser, error) {
	return func(charsmap normaliser, c *tokenizerConfig) (normaliser, error) {
		unaccented, lowered, err := caseOptions(c, lower, accents)
		return normalisers(quoted("``"), quoted("''"), unaccented, lowered, charsmap, squeeze(" ")), err
	}
}

// spacesThenCase is RemBERT's.
func spacesThenCase(charsmap normaliser, c *tokenizerConfig) (normaliser, error) {
	unaccented, lowered, err := caseOptions(c, false, true)
	return normalisers(quoted("``"), quoted("''"), squeeze(" "), unaccented, lowered, charsmap), err
}

// trimmedAndCase is DeBERTa-v2's.
func trimmedAndCase(charsmap normaliser, c *tokenizerConfig) (normaliser, error) {
	_, lowered, err := caseOptions(c, false, true)
	return normalisers(lowered, strip{left: true, right: true}, charsmap, squeeze(" ")), err
}

// caseOptions reads do_lower_case and keep_accents.
func caseOptions(c *tokenizerConfig, lower, accents bool) (unaccented, lowered normaliser, err error) {
	if accents, err = c.fields.booleanOr("keep_accents", accents); err != nil {
		return nil, nil, err
	}
	if lower, err = c.fields.booleanOr("do_lower_case", lower); err != nil {
		return nil, nil, err
	}
	if !accents {
		unaccented = normaliserSequence{decomposition(compatibility), stripAccents{charFlags()}}
	}
	if lower {
		lowered = lowercase{}
	}
	return unaccented, lowered, nil
}

// quoted puts one quotation mark in place of two characters.
func quoted(two string) normaliser { return replace{&pattern{plain: []byte(two)}, `"`} }

// squeeze puts a text in place of two or more spaces.
type squeeze string

func (q squeeze) normalise(a *aligned) error {
	var matches [][2]int
	for i := 0; i < len(a.text); i++ {
		from := i
		for i < len(a.text) && a.text[i] == ' ' {
			i++
		}
		if i-from >= 2 {
			matches = append(matches, [2]int{from, i})
		}
	}
	if len(matches) > 0 {
		a.replaceAll(matches, string(q))
	}
	return nil
}
