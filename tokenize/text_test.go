package tokenize

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestIllFormedPartsAreReplaced(t *testing.T) {
	for _, c := range []struct {
		text, want string
		parts      []string // of the text as given, one a rune
	}{
		{"a\xffb", "a\uFFFDb", []string{"a", "\xff", "b"}},
		{"\xe2\x82", "\uFFFD", []string{"\xe2\x82"}},
		{"\xe2\x82c\xe2\x82\xac", "\uFFFDc€", []string{"\xe2\x82", "c", "€"}},
		{"\xf0\x9f\x98", "\uFFFD", []string{"\xf0\x9f\x98"}},
		{"\xf0\x8f\x98", "\uFFFD\uFFFD\uFFFD", []string{"\xf0", "\x8f", "\x98"}},
		{"\xed\xa0\x80", "\uFFFD\uFFFD\uFFFD", []string{"\xed", "\xa0", "\x80"}},
		{"\xf4\x90\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD", []string{"\xf4", "\x90", "\x80", "\x80"}},
		{"\xc0\xaf", "\uFFFD\uFFFD", []string{"\xc0", "\xaf"}},
		{"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", "\uFFFD\uFFFD\uFFFD\uFFFDA", []string{"\xe1\x80", "\xe2", "\xf0\x91\x92", "\xf1\xbf", "A"}},
		{"ok", "ok", []string{"o", "k"}},
	} {
		src := newSource(c.text)
		if src.text != c.want {
			t.Errorf("%q becomes %q, want %q", c.text, src.text, c.want)
		}
		var parts []string
		for i, r := range src.text {
			b := src.given(Span{i, i + utf8.RuneLen(r)})
			parts = append(parts, c.text[b.Start:b.End])
		}
		if !slices.Equal(parts, c.parts) {
			t.Errorf("%q has the parts %q, want %q", c.text, parts, c.parts)
		}
	}
}

func TestOffsetsPointIntoIllFormedText(t *testing.T) {
	tok := mustParse(t, wordLevelJSON)
	text := "\xff\xfe a \xe2\x82b\xc3 b"
	e, err := tok.Encode(text, Options{NoSpecial: true})
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, b := range e.Bytes {
		words = append(words, text[b.Start:b.End])
	}
	if want := []string{"\xff\xfe", "a", "\xe2\x82b\xc3", "b"}; !slices.Equal(words, want) {
		t.Errorf("words = %q, want %q", words, want)
	}
	if want := []Span{{0, 2}, {3, 4}, {5, 8}, {9, 10}}; !slices.Equal(e.Runes, want) {
		t.Errorf("runes = %v, want %v", e.Runes, want)
	}
}

// Each of these texts would take minutes if any step were quadratic.
func TestLongTextsTakeLinearTime(t *testing.T) {
	if testing.Short() {
		t.Skip("long texts")
	}
	n := 1 << 18
	texts := map[string]string{
		"one letter": strings.Repeat("a", n), "letters": strings.Repeat("abcdefgh", n/8), "Han": strings.Repeat("漢", n/3),
		"marks": "a" + strings.Repeat("\u0301\u0323", n/4), "wide letters with marks": strings.Repeat("Ａ\u0301", n/5),
		"spaces": strings.Repeat(" ", n), "spaces before a letter": strings.Repeat(" ", n) + "a", "punctuation": strings.Repeat("!", n),
		"special tokens": strings.Repeat("[MASK]", n/6), "digits": strings.Repeat("1", n), "unknown and known": strings.Repeat("qa", n/2),
		"ill-formed": strings.Repeat("\xff", n/2), "unknown letters": strings.Repeat("Ⴀ", n/3),
	}
	for _, name := range []string{
		"model/bpe-bytes", "model/bpe-fallback", "model/wordpiece", "model/unigram-bytes", "model/unigram-whole",
		"pre_tokenizer/llama3", "pre_tokenizer/o200k", "normalizer/mixed", "normalizer/nfkc", "normalizer/bert-True-True-None-True",
		"post_processor/roberta",
	} {
		tok := recordedTokenizer(t, name)
		for kind, text := range texts {
			e, err := tok.Encode(text, Options{})
			if err != nil {
				t.Errorf("%s, %s: %v", name, kind, err)
				continue
			}
			if e.Len() == 0 && kind != "spaces" && kind != "ill-formed" && kind != "one letter" {
				t.Errorf("%s, %s: no tokens", name, kind)
			}
		}
	}
}
