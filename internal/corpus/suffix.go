package corpus

import (
	"fmt"
	"strings"
	"unicode"
)

// harmony is how the suffixes of a Turkic language follow the last vowel of their word. In a suffix of a template
// A stands for an open vowel, I for a close one, D for d or t, and a letter in parentheses is there after a vowel only:
// {city}'DA gives Ankara'da, İzmir'de, Sinop'ta; {city}'(n)In gives Ankara'nın, İzmir'in.
type harmony struct {
	front, back string // vowels
	open        [2]string
	close       [4]string // after unrounded front, unrounded back, rounded front, rounded back vowels
	voiceless   string    // consonants after which D is t
}

// newHarmony returns the rules of turkish or azerbaijani.
func newHarmony(name string) (*harmony, error) {
	switch name {
	case "turkish":
		return &harmony{
			front: "eiöü", back: "aıou", open: [2]string{"e", "a"}, close: [4]string{"i", "ı", "ü", "u"},
			voiceless: "fstkçşhpx",
		}, nil
	case "azerbaijani": // d stays after every consonant
		return &harmony{front: "eəiöü", back: "aıou", open: [2]string{"ə", "a"}, close: [4]string{"i", "ı", "ü", "u"}}, nil
	}
	return nil, fmt.Errorf("no vowel harmony %q: there are turkish and azerbaijani", name)
}

// suffix is the suffix as it reads after word.
func (g *grammar) suffix(word, suffix string) string {
	if g.harmony == nil {
		return suffix
	}
	return g.harmony.suffix(word, suffix)
}

func (h *harmony) suffix(word, suffix string) string {
	letters := []rune(strings.ToLowerSpecial(unicode.TurkishCase, word))
	vowels := h.front + h.back
	var b strings.Builder
	after := letters // the word and what of the suffix is written
	write := func(s string) {
		b.WriteString(s)
		after = append(after, []rune(s)...)
	}
	optional := false // within parentheses whose letter is to be left out
	for _, r := range suffix {
		switch {
		case r == '(':
			optional = !strings.ContainsRune(vowels, lastLetter(after))
		case r == ')':
			optional = false
		case optional:
		case r == 'A' || r == 'I':
			write(h.vowel(after, r == 'A'))
		case r == 'D' && strings.ContainsRune(h.voiceless, lastLetter(after)):
			write("t")
		case r == 'D':
			write("d")
		default:
			write(string(r))
		}
	}
	return b.String()
}

// vowel is the vowel that follows the last one of letters.
func (h *harmony) vowel(letters []rune, open bool) string {
	last := 'e'
	for i := len(letters) - 1; i >= 0; i-- {
		if strings.ContainsRune(h.front+h.back, letters[i]) {
			last = letters[i]
			break
		}
	}
	back := 0
	if strings.ContainsRune(h.back, last) {
		back = 1
	}
	if open {
		return h.open[back]
	}
	if strings.ContainsRune("oöuü", last) {
		back += 2
	}
	return h.close[back]
}

// lastLetter is the last letter, past apostrophes and other marks.
func lastLetter(letters []rune) rune {
	for i := len(letters) - 1; i >= 0; i-- {
		if unicode.IsLetter(letters[i]) {
			return letters[i]
		}
	}
	return 0
}

// upper is a letter in upper case, with İ over i where the language has both.
func (g *grammar) upper(r rune) string {
	if g.harmony != nil {
		return string(unicode.TurkishCase.ToUpper(r))
	}
	return string(unicode.ToUpper(r))
}

// lower is a word in lower case, with ı under I where the language has both.
func (g *grammar) lower(word string) string {
	if g.harmony != nil {
		return strings.ToLowerSpecial(unicode.TurkishCase, word)
	}
	return strings.ToLower(word)
}
