package tokenize

import (
	"slices"
	"strings"
	"testing"
)

func TestWindowsCoverTheText(t *testing.T) {
	for _, c := range []struct {
		n, size, stride int
		side            Side
		want            []window
	}{
		{5, 5, 0, Right, []window{{0, 5}}},
		{5, 2, 0, Right, []window{{0, 2}, {2, 4}, {4, 5}}},
		{5, 3, 1, Right, []window{{0, 3}, {2, 5}}},
		{5, 2, 0, Left, []window{{3, 5}, {1, 3}, {0, 1}}},
		{5, 3, 1, Left, []window{{2, 5}, {0, 3}}},
		{5, 0, 0, Right, []window{{0, 0}, {0, 5}}},
		{0, 0, 0, Right, []window{{0, 0}}},
	} {
		got, err := windows(c.n, c.size, c.stride, c.side)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("windows(%d, %d, %d, %d) = %v, %v, want %v", c.n, c.size, c.stride, c.side, got, err, c.want)
		}
	}
	if _, err := windows(5, 2, 2, Right); err == nil {
		t.Error("a stride as long as the window was taken")
	}
}

func TestSharesOfLongestFirst(t *testing.T) {
	for _, c := range [][5]int{ // lengths, room, shares
		{10, 10, 9, 4, 5}, {11, 10, 9, 5, 4}, {3, 20, 9, 3, 6}, {20, 3, 9, 6, 3}, {5, 5, 9, 4, 5}, {20, 20, 1, 0, 1},
	} {
		if a, b := shares(c[0], c[1], c[2]); a != c[3] || b != c[4] {
			t.Errorf("shares(%d, %d, %d) = %d, %d, want %d, %d", c[0], c[1], c[2], a, b, c[3], c[4])
		}
	}
}

// Tokenising stops at the word with which a text has MaxLength tokens, unless Full is set; added tokens do not end it.
func TestTokenisingStopsAtMaxLength(t *testing.T) {
	tok := mustParse(t, wordLevelJSON)
	text := strings.Repeat("a ", 20)
	for _, c := range []struct {
		o        Options
		overflow int
		text     string
	}{
		{Options{MaxLength: 6}, 1, text},             // 4 and 2 more
		{Options{MaxLength: 6, Full: true}, 4, text}, // 20 in parts of 4
		{Options{MaxLength: 6, Side: Left}, 1, text},
		{Options{MaxLength: 6, Side: Left, Full: true}, 4, text},
		{Options{MaxLength: 6, NoSpecial: true}, 0, text},
		{Options{MaxLength: 6}, 2, "a a a a a [MASK][MASK][MASK] a a a"}, // 9 tokens are looked at
	} {
		e, err := tok.Encode(c.text, c.o)
		if err != nil {
			t.Fatal(err)
		}
		if len(e.Overflow) != c.overflow {
			t.Errorf("%+v: %d overflowing, want %d", c.o, len(e.Overflow), c.overflow)
		}
		checkSound(t, tok, e, c.text)
	}
	// the second text counts 6, not 20: the halves are equal, so that the odd token goes to it and not to the first
	e, err := tok.EncodePair(text, text, Options{MaxLength: 8})
	if err != nil {
		t.Fatal(err)
	}
	if want := []int8{-1, 0, 0, -1, 1, 1, 1, -1}; !slices.Equal(e.Sequences, want) {
		t.Errorf("sequences = %v, want %v", e.Sequences, want)
	}
}

// Without special tokens a limit may be lower than their number.
func TestTruncationCountsSpecialTokensOnlyWhereTheyAre(t *testing.T) {
	tok := mustParse(t, wordLevelJSON)
	for _, o := range []Options{{MaxLength: 1, NoSpecial: true}, {MaxLength: 1, NoSpecial: true, Full: true}} {
		e, err := tok.Encode("a b a", o)
		if err != nil || e.Len() != 1 || e.SpecialMask[0] {
			t.Errorf("%+v: %+v, %v", o, e, err)
		}
	}
	if _, err := tok.Encode("a b a", Options{MaxLength: 3, Stride: 2, NoSpecial: true}); err == nil {
		t.Error("a stride for which the library wants room beside special tokens was taken")
	}
}

func TestTruncationThatCannotBeIsAnError(t *testing.T) {
	tok := mustParse(t, wordLevelJSON)
	for _, c := range []struct {
		o    Options
		pair bool
	}{
		{Options{MaxLength: 1}, false},                                  // two special tokens
		{Options{MaxLength: 2}, true},                                   // three
		{Options{MaxLength: 5, Stride: 4}, false},                       // the stride is longer than the room
		{Options{MaxLength: 5, Stride: 3}, false},                       // or as long
		{Options{MaxLength: 4, Strategy: OnlySecond}, false},            // there is none
		{Options{MaxLength: 5, Strategy: OnlyFirst, Full: true}, true},  // the other is too long by itself
		{Options{MaxLength: 5, Strategy: OnlySecond, Full: true}, true}, // likewise
	} {
		var err error
		if c.pair {
			_, err = tok.EncodePair("a b a b", "a b a b", c.o)
		} else {
			_, err = tok.Encode("a b a b", c.o)
		}
		if err == nil {
			t.Errorf("%+v, pair %t: no error", c.o, c.pair)
		}
	}
}

func TestOverflowOfPairsIsBounded(t *testing.T) {
	tok := mustParse(t, wordLevelJSON)
	words := strings.Fields(strings.Repeat("a ", 5000))
	if _, err := tok.EncodeWordsPair(words, words, Options{MaxLength: 5}); err == nil {
		t.Error("25 million overflowing encodings were made")
	}
}
