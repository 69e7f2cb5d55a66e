package tokenize

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// withAdded returns a tokenizer of words (<unk> 0, x 1) with added tokens from id 2 on, in the text as given or in the
// normalised one.
func withAdded(t testing.TB, normalised bool, tokens ...addedToken) *Tokenizer {
	t.Helper()
	var file map[string]any
	if err := json.Unmarshal([]byte(`{"version":"1.0","truncation":null,"padding":null,"normalizer":null,"post_processor":null,
		"pre_tokenizer":{"type":"WhitespaceSplit"},"decoder":null,
		"model":{"type":"WordLevel","unk_token":"<unk>","vocab":{"<unk>":0,"x":1}}}`), &file); err != nil {
		t.Fatal(err)
	}
	for i := range tokens {
		tokens[i].Normalised = normalised
	}
	file["added_tokens"] = tokens
	data, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	return mustParse(t, string(data))
}

// A token within the white space that the one before has taken is found again where the library finds it, and not at all
// where the library panics.
func TestAddedTokensInWhiteSpaceThatIsTaken(t *testing.T) {
	taking := addedToken{Content: "q", RStrip: true}
	for _, c := range []struct {
		tokens []addedToken
		text   string
		want   []string
		runes  []Span
	}{
		{[]addedToken{taking, {Content: " ", LStrip: true}}, "q    x", []string{"q    ", "x"}, []Span{{0, 5}, {5, 6}}},
		{[]addedToken{taking, {Content: " x", LStrip: true}}, "q   x", []string{"q   ", "x"}, []Span{{0, 4}, {4, 5}}},
		{[]addedToken{{Content: "\n", RStrip: true}}, "\n\n x", []string{"\n\n ", "\n ", "x"}, []Span{{0, 3}, {1, 3}, {3, 4}}},
		{[]addedToken{{Content: " ", LStrip: true}}, "x   x", []string{"x", " ", " ", " ", "x"}, []Span{{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 5}}},
	} {
		for _, normalised := range []bool{false, true} {
			e, err := withAdded(t, normalised, c.tokens...).Encode(c.text, Options{})
			if err != nil || !slices.Equal(e.Tokens, c.want) || !slices.Equal(e.Runes, c.runes) {
				t.Errorf("%q, normalised %t: %q at %v, %v, want %q at %v", c.text, normalised, e.Tokens, e.Runes, err, c.want, c.runes)
			}
		}
	}
}

// Each of these would take minutes if white space were looked through for every token in it.
func TestAddedTokensInMuchWhiteSpace(t *testing.T) {
	n := 1 << 20
	for _, normalised := range []bool{false, true} {
		tok := withAdded(t, normalised, addedToken{Content: " ", LStrip: true}, addedToken{Content: "\n", RStrip: true})
		if e, err := tok.Encode(strings.Repeat(" \t", n/2), Options{}); err != nil || e.Len() != n/2 {
			t.Errorf("normalised %t: %d tokens, %v", normalised, e.Len(), err)
		}
		if _, err := tok.Encode(strings.Repeat("\n", n), Options{}); err == nil || !strings.Contains(err.Error(), `"\n"`) {
			t.Errorf("normalised %t: as many bytes as squares of the text, error %v", normalised, err)
		}
	}
}
