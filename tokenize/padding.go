package tokenize

import (
	"encoding/json"
	"slices"
)

// Padding says how to bring encodings to one length.
type Padding struct {
	Length   int    // to which they are padded; 0 is that of the longest
	Multiple int    // the length is rounded up to a multiple of this; 0 leaves it
	Side     Side   // where padding goes; the zero value is the end
	ID       int32  // of the padding token
	TypeID   int32  // of the padding token
	Token    string // the padding token
}

// Apply pads the encodings, and what overflows them, in place. Longer ones stay as they are.
func (p Padding) Apply(encodings []*Encoding) {
	n := p.Length
	if n == 0 {
		for _, e := range encodings {
			n = max(n, e.Len())
		}
	}
	if p.Multiple > 0 && n%p.Multiple > 0 {
		n += p.Multiple - n%p.Multiple
	}
	for _, e := range encodings {
		p.pad(e, n)
	}
}

func (p Padding) pad(e *Encoding, n int) {
	for _, o := range e.Overflow {
		p.pad(o, n)
	}
	missing := n - e.Len()
	if missing <= 0 {
		return
	}
	padded := newEncoding(n)
	if p.Side == Right {
		padded.append(e)
	}
	for range missing {
		padded.addSpecial(p.ID, p.Token, p.TypeID, true)
	}
	if p.Side == Left {
		padded.append(e)
	}
	padded.Overflow = e.Overflow
	*e = *padded
}

// Padding returns the padding that the tokenizer's file sets, which is not applied by itself.
func (t *Tokenizer) Padding() (Padding, bool) {
	if t.padding == nil {
		return Padding{}, false
	}
	return *t.padding, true
}

// Truncation returns the truncation that the tokenizer's file sets, which is not applied by itself.
func (t *Tokenizer) Truncation() (Options, bool) {
	if t.truncation == nil {
		return Options{}, false
	}
	return *t.truncation, true
}

// PadID returns the id of the padding token: that of the file's padding or else of the special token [PAD] or <pad>.
func (t *Tokenizer) PadID() (int32, bool) {
	if t.padding != nil {
		return t.padding.ID, true
	}
	for _, name := range []string{"[PAD]", "<pad>", "<|pad|>", "<PAD>"} {
		if id, ok := t.TokenID(name); ok {
			return id, true
		}
	}
	return none, false
}

// readPadding reads the settings of the file for padding, if there are any.
func readPadding(o object) (*Padding, error) {
	p := &Padding{}
	if err := o.decodeIf("pad_to_multiple_of", &p.Multiple); err != nil {
		return nil, err
	}
	for name, into := range map[string]any{"pad_id": &p.ID, "pad_type_id": &p.TypeID, "pad_token": &p.Token} {
		if err := o.decode(name, into); err != nil {
			return nil, err
		}
	}
	var err error
	if p.Side, err = o.side("direction"); err != nil {
		return nil, err
	}
	var fixed struct{ Fixed *int }
	var name string
	if json.Unmarshal(o.fields["strategy"], &fixed) == nil && fixed.Fixed != nil && *fixed.Fixed > 0 {
		p.Length = *fixed.Fixed
	} else if json.Unmarshal(o.fields["strategy"], &name) != nil || name != "BatchLongest" {
		return nil, o.errorf("strategy", "%.100s is neither BatchLongest nor Fixed", o.fields["strategy"])
	}
	return p, nil
}

// readTruncation reads the settings of the file for truncation, if there are any.
func readTruncation(o object) (*Options, error) {
	t := &Options{}
	if err := o.decode("max_length", &t.MaxLength); err != nil {
		return nil, err
	}
	if err := o.decode("stride", &t.Stride); err != nil {
		return nil, err
	}
	if t.MaxLength < 0 || t.Stride < 0 {
		return nil, o.errorf("", "a length is negative")
	}
	var err error
	if o.has("direction") {
		if t.Side, err = o.side("direction"); err != nil {
			return nil, err
		}
	}
	strategy, err := o.text("strategy")
	if err != nil {
		return nil, err
	}
	at := slices.Index([]string{"LongestFirst", "OnlyFirst", "OnlySecond"}, strategy)
	if at < 0 {
		return nil, o.errorf("strategy", "the strategy %q is not known", strategy)
	}
	t.Strategy = Truncation(at)
	return t, nil
}

// side reads Left or Right.
func (o object) side(name string) (Side, error) {
	s, err := o.text(name)
	switch {
	case err != nil:
		return 0, err
	case s == "Left":
		return Left, nil
	case s != "Right":
		return 0, o.errorf(name, "%q is neither Left nor Right", s)
	}
	return Right, nil
}
