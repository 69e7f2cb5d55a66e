package tokenize

// Span is a half-open range of bytes or of runes.
type Span struct{ Start, End int }

// Encoding is a text, or a pair of texts, as a model takes it. All slices but Overflow have one element a token.
type Encoding struct {
	IDs    []int32
	Tokens []string
	// Bytes and Runes say which part of its own text (or, in pre-split input, of its own word) a token comes from; both
	// are zero for special tokens added by the post-processor and for padding.
	Bytes, Runes []Span
	// Words numbers the words of each text, or is the index into the given words; -1 for special tokens and padding.
	Words []int
	// Sequences is 0 or 1 for tokens of the first or second text, -1 for special tokens and padding.
	Sequences []int8
	TypeIDs   []int32
	// SpecialMask is true for special tokens added by the post-processor and for padding. A special token that stands in
	// the text is not one of them.
	SpecialMask []bool
	// Overflow holds what truncation cut off, in further encodings of the same shape.
	Overflow []*Encoding
}

// Len returns the number of tokens.
func (e *Encoding) Len() int { return len(e.IDs) }

// newEncoding returns an encoding with room for n tokens.
func newEncoding(n int) *Encoding {
	spans := make([]Span, 2*n)
	numbers := make([]int32, 2*n)
	return &Encoding{
		IDs: numbers[:0:n], TypeIDs: numbers[n : n : 2*n], Tokens: make([]string, 0, n),
		Bytes: spans[:0:n], Runes: spans[n : n : 2*n], Words: make([]int, 0, n),
		Sequences: make([]int8, 0, n), SpecialMask: make([]bool, 0, n),
	}
}

// addSpecial appends a special token.
func (e *Encoding) addSpecial(id int32, text string, typeID int32, masked bool) {
	e.IDs = append(e.IDs, id)
	e.Tokens = append(e.Tokens, text)
	e.Bytes = append(e.Bytes, Span{})
	e.Runes = append(e.Runes, Span{})
	e.Words = append(e.Words, -1)
	e.Sequences = append(e.Sequences, -1)
	e.TypeIDs = append(e.TypeIDs, typeID)
	e.SpecialMask = append(e.SpecialMask, masked)
}

// clone returns a copy with room for n tokens and without the overflow.
func (e *Encoding) clone(n int) *Encoding {
	c := newEncoding(n)
	c.append(e)
	return c
}

// append adds the tokens of o, not its overflow.
func (e *Encoding) append(o *Encoding) {
	e.IDs = append(e.IDs, o.IDs...)
	e.Tokens = append(e.Tokens, o.Tokens...)
	e.Bytes = append(e.Bytes, o.Bytes...)
	e.Runes = append(e.Runes, o.Runes...)
	e.Words = append(e.Words, o.Words...)
	e.Sequences = append(e.Sequences, o.Sequences...)
	e.TypeIDs = append(e.TypeIDs, o.TypeIDs...)
	e.SpecialMask = append(e.SpecialMask, o.SpecialMask...)
}

// maxOverflowTokens bounds the tokens of all overflowing encodings of a pair, of which there are as many as products of
// the pieces of both texts.
const maxOverflowTokens = 1 << 23

// merge returns e followed by o. The overflow pairs each overflow of e with o and every overflow of o, then e, itself
// with its overflow, with every overflow of o, as the library does. The budget of tokens is reduced by what is made;
// below zero the overflow is incomplete.
func (e *Encoding) merge(o *Encoding, budget *int) *Encoding {
	m := e.clone(e.Len() + o.Len())
	m.append(o)
	*budget -= m.Len() + 1
	for _, eo := range e.Overflow {
		if *budget < 0 {
			return m
		}
		m.Overflow = append(m.Overflow, eo.merge(o, budget))
		for _, oo := range o.Overflow {
			m.Overflow = append(m.Overflow, eo.merge(oo, budget))
		}
	}
	for _, oo := range o.Overflow {
		if *budget < 0 {
			return m
		}
		m.Overflow = append(m.Overflow, e.merge(oo, budget))
	}
	return m
}
