package tokenize

import (
	"strings"
	"testing"
)

func TestRegexThatIsNotSupportedIsAnError(t *testing.T) {
	for _, pattern := range []string{
		"(", ")", "[", "a)", "*a", "a|*", "[b-a]", "[]", "[^]", `\p{Foo}`, "[[:foo:]]", `\1`, `(?<n>a)(b)\1`, `\k<x>`, `\X`, `a\Kb`, `\y`, "(?s)a",
		"(?P<n>a)", "(?~a)", `\u12`, `[a-\d]`, `[\d-a]`, "(?=a)*", "^*", `\b{2}`, "(?<n>a)(?<n>b)", strings.Repeat("(", 300), `\x{110000}`, `\xE3`,
		strings.Repeat("a", 1<<15), "(((a{1000}){1000}){1000}){1000}", "(?i", "(?<n", `\`, "[a-[b]]", "(?(1)a)", `\g<1>`,
	} {
		if _, err := compileRegex(pattern); err == nil {
			t.Errorf("%q was compiled", pattern)
		}
	}
}

func TestRegexWithoutEndIsStopped(t *testing.T) {
	re, err := compileRegex("(?:a+)+b")
	if err != nil {
		t.Fatal(err)
	}
	if err := re.findAll([]byte(strings.Repeat("a", 64)), func(int, int) {}); err == nil {
		t.Error("2^64 ways were tried")
	}
	if err := re.findAll([]byte("aaab"), func(start, end int) {
		if start != 0 || end != 4 {
			t.Errorf("match [%d, %d)", start, end)
		}
	}); err != nil {
		t.Error(err)
	}
}

func TestRegexFindsTheLeftmostFirst(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          []string
	}{
		{"a|ab", "abab", []string{"a", "a"}},
		{"ab|a", "aba", []string{"ab", "a"}},
		{`(?:x|(y))+\1`, "xyyy", []string{"xyyy"}},
		{`(a*?)(?>b*)c`, "aabbc", []string{"aabbc"}},
		{`(?<=(?<!x)a)b`, "ab xab", []string{"b"}},
		{`(?<=ab?)c`, "abc ac c", []string{"c", "c"}},
		{`\p{Emoji_Modifier}?x`, "x", nil},
		{`(?!.*z)[a-y]+`, "abc\nxz", []string{"abc"}},
		{`\xE6\xBC\xA2`, "漢", []string{"漢"}},
		{`(?x) a # b
			c`, "ac", []string{"ac"}},
		{`[[:upper:][:digit:]]+`, "aB1c", []string{"B1"}},
		{`\p{Arabic}+`, "x سلام", []string{"سلام"}},
		{`\w++\W`, "ab cd", []string{"ab "}},
		{`(?i)straße`, "STRAßE", []string{"STRAßE"}},
	} {
		re, err := compileRegex(c.pattern)
		if err != nil {
			if c.want != nil {
				t.Errorf("%q: %v", c.pattern, err)
			}
			continue
		}
		var got []string
		if err := re.findAll([]byte(c.text), func(start, end int) { got = append(got, c.text[start:end]) }); err != nil {
			t.Errorf("%q: %v", c.pattern, err)
		}
		if strings.Join(got, "|") != strings.Join(c.want, "|") {
			t.Errorf("%q finds %q in %q, want %q", c.pattern, got, c.text, c.want)
		}
	}
}
