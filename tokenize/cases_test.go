package tokenize

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
)

// recorded is a line of testdata/cases.jsonl.gz, made by testdata/record.py.
type recorded struct {
	Name      string
	Tokenizer json.RawMessage
	Cases     []struct {
		A, B json.RawMessage // a text or a list of words
		Bare bool            // without special tokens
		Cut  *struct {
			MaxLength int `json:"max_length"`
			Stride    int
			Strategy  string
			Direction string
		}
		Want reference
	}
	Decode []struct {
		Tokens []string
		Want   string
	}
}

// input is a text or a list of words.
type input struct {
	text   string
	words  []string
	given  bool
	isText bool
}

func readInput(t *testing.T, raw json.RawMessage) input {
	t.Helper()
	in := input{given: raw != nil}
	if raw == nil {
		return in
	}
	if in.isText = raw[0] == '"'; in.isText {
		if err := json.Unmarshal(raw, &in.text); err != nil {
			t.Fatal(err)
		}
	} else if err := json.Unmarshal(raw, &in.words); err != nil {
		t.Fatal(err)
	}
	return in
}

func encodeInputs(tok *Tokenizer, a, b input, o Options) (*Encoding, error) {
	switch {
	case a.isText && b.given:
		return tok.EncodePair(a.text, b.text, o)
	case a.isText:
		return tok.Encode(a.text, o)
	case b.given:
		return tok.EncodeWordsPair(a.words, b.words, o)
	}
	return tok.EncodeWords(a.words, o)
}

// checkAll is check for everything recorded, overflow included.
func (r *reference) checkAll(t *testing.T, what string, e *Encoding, texts ...string) {
	t.Helper()
	if !r.check(t, what, e, texts...) {
		return
	}
	if r.Tok != nil && !slices.Equal(e.Tokens, r.Tok) {
		t.Errorf("%s: tokens = %q, want %q", what, e.Tokens, r.Tok)
	}
	for i, s := range r.Seq {
		if want := int8(none); s == nil && e.Sequences[i] != want || s != nil && e.Sequences[i] != *s {
			t.Errorf("%s: sequences = %v", what, e.Sequences)
			break
		}
	}
	if len(e.Overflow) != len(r.Over) {
		t.Errorf("%s: %d overflowing, want %d", what, len(e.Overflow), len(r.Over))
		return
	}
	for i := range r.Over {
		r.Over[i].checkAll(t, fmt.Sprintf("%s overflow %d", what, i), e.Overflow[i], texts...)
	}
}

func caseLines() ([][]byte, error) { return packedLines("testdata/cases.jsonl.gz") }

func TestEqualsRecordedCases(t *testing.T) {
	lines, err := caseLines()
	if err != nil {
		t.Fatal(err)
	}
	checkCases(t, lines)
}

// checkCases holds tokenizers against what is recorded of them.
func checkCases(t *testing.T, lines [][]byte) {
	for _, line := range lines {
		var r recorded
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		t.Run(r.Name, func(t *testing.T) {
			tok, err := Parse(r.Tokenizer)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range r.Cases {
				a, b := readInput(t, c.A), readInput(t, c.B)
				o := Options{NoSpecial: c.Bare, Full: true}
				if c.Cut != nil {
					o.MaxLength, o.Stride = c.Cut.MaxLength, c.Cut.Stride
					o.Strategy = map[string]Truncation{"only_first": OnlyFirst, "only_second": OnlySecond}[c.Cut.Strategy]
					o.Side = map[string]Side{"left": Left}[c.Cut.Direction]
				}
				what := fmt.Sprintf("%.200s / %.200s %+v", c.A, c.B, o)
				e, err := encodeInputs(tok, a, b, o)
				if (err != nil) != c.Want.Error {
					t.Errorf("%s: error = %v, want %t", what, err, c.Want.Error)
				}
				if err != nil {
					continue
				}
				var texts []string
				if a.isText {
					texts = []string{a.text, b.text}
				}
				c.Want.checkAll(t, what, e, texts...)
			}
			for _, d := range r.Decode {
				got := ""
				for _, s := range tok.decoder.decode(slices.Clone(d.Tokens)) {
					got += s
				}
				if got != d.Want {
					t.Errorf("decoding %q = %q, want %q", d.Tokens, got, d.Want)
				}
			}
		})
	}
}
