package data_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/train/data"
)

func sentence(line int, pairs ...string) data.Sentence {
	s := data.Sentence{Line: line}
	for i := 0; i < len(pairs); i += 2 {
		s.Words = append(s.Words, pairs[i])
		s.Tags = append(s.Tags, pairs[i+1])
	}
	return s
}

func TestReadIOB2Layouts(t *testing.T) {
	ada := sentence(1, "Ada", "B-PER", "Lovelace", "I-PER", "wrote", "O")
	tests := []struct {
		name, text string
		o          data.Options
		want       []data.Sentence
	}{
		{"nothing", "", data.Options{}, nil},
		{"blank lines only", "\n \n\t\n\r\n", data.Options{}, nil},
		{"tabs", "Ada\tB-PER\nLovelace\tI-PER\nwrote\tO\n\n", data.Options{}, []data.Sentence{ada}},
		{"runs of spaces", "Ada  B-PER\nLovelace I-PER\nwrote     O\n", data.Options{}, []data.Sentence{ada}},
		{"no final newline", "Ada\tB-PER\nLovelace\tI-PER\nwrote\tO", data.Options{}, []data.Sentence{ada}},
		{"carriage returns", "Ada\tB-PER\r\nLovelace\tI-PER\r\nwrote\tO\r\n\r\n", data.Options{}, []data.Sentence{ada}},
		{"trailing white space", "Ada\tB-PER \nLovelace\tI-PER\t\nwrote\tO  \t\n", data.Options{}, []data.Sentence{ada}},
		{"byte order mark", "\ufeffAda\tB-PER\nLovelace\tI-PER\nwrote\tO\n", data.Options{}, []data.Sentence{ada}},
		{"byte order mark at a seam", "a\tO\n\n\ufeffb\tO\n", data.Options{},
			[]data.Sentence{sentence(1, "a", "O"), sentence(3, "b", "O")}},
		{"byte order mark before a blank line", "a\tO\n\ufeff\nb\tO\n", data.Options{},
			[]data.Sentence{sentence(1, "a", "O"), sentence(3, "b", "O")}},
		{"several blank lines", "\n\na\tO\n\n\n\nb\tO\n", data.Options{},
			[]data.Sentence{sentence(3, "a", "O"), sentence(7, "b", "O")}},
		{"tokens with spaces between tabs", "New York\tB-LOC\n", data.Options{},
			[]data.Sentence{sentence(1, "New York", "B-LOC")}},
		{"no-break space is a token", "\u00a0\tO\n", data.Options{}, []data.Sentence{sentence(1, "\u00a0", "O")}},
		{"four columns", "-DOCSTART- -X- O O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n", data.Options{},
			[]data.Sentence{sentence(3, "EU", "B-ORG", "rejects", "O")}},
		{"chosen columns", "1\tEU\tB-ORG\tx\n2\tsays\tO\tx\n", data.Options{TokenColumn: 2, TagColumn: 3},
			[]data.Sentence{sentence(1, "EU", "B-ORG", "says", "O")}},
		{"document mark ends a sentence", "a\tO\n-DOCSTART-\tO\nb\tO\n", data.Options{},
			[]data.Sentence{sentence(1, "a", "O"), sentence(3, "b", "O")}},
		{"types with a dash", "x\tB-event-sport\ny\tI-event-sport\n", data.Options{},
			[]data.Sentence{sentence(1, "x", "B-event-sport", "y", "I-event-sport")}},
		{"WikiANN prefixes stay", "en:Rome\tB-LOC\n", data.Options{}, []data.Sentence{sentence(1, "en:Rome", "B-LOC")}},
		{"WikiANN prefixes stripped", "en:Rome\tB-LOC\nen::\tO\nzh-min-nan:12:30\tO\n", data.Options{StripLanguagePrefix: true},
			[]data.Sentence{sentence(1, "Rome", "B-LOC", ":", "O", "12:30", "O")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := data.ReadIOB2(strings.NewReader(tt.text), "f", tt.o)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestReadIOB2TellsCommentsFromTokens(t *testing.T) {
	tests := []struct {
		name, text string
		want       []data.Sentence
	}{
		{"CoNLL-U comments", "# sent_id = 5\n# text = a b\na\tO\nb\tO\n\n# newpar\nc\tO\n",
			[]data.Sentence{sentence(3, "a", "O", "b", "O"), sentence(7, "c", "O")}},
		{"a comment that ends like a tag", "# text = vitamin O\na O\n\n# we like O\nb O\n",
			[]data.Sentence{sentence(2, "a", "O"), sentence(5, "b", "O")}},
		{"a comment with a tab", "# a\tb\na\tO\n", []data.Sentence{sentence(2, "a", "O")}},
		{"a number sign that starts a file", "#\tO\n1\tO\n", []data.Sentence{sentence(1, "#", "O", "1", "O")}},
		{"a number sign parted by a space", "# O\n1 O\n", []data.Sentence{sentence(1, "#", "O", "1", "O")}},
		{"a number sign with an entity", "a O O\n\n# B-X B-ORG\n1 I-X I-ORG\n",
			[]data.Sentence{sentence(1, "a", "O"), sentence(3, "#", "B-ORG", "1", "I-ORG")}},
		{"a number sign within a sentence", "We\tO\n#\tO\n1\tO\n", []data.Sentence{sentence(1, "We", "O", "#", "O", "1", "O")}},
		{"a hashtag", "#graft\tO\n", []data.Sentence{sentence(1, "#graft", "O")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := data.ReadIOB2(strings.NewReader(tt.text), "f", data.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestReadIOB2RefusesWithPlace(t *testing.T) {
	tests := []struct {
		name, text string
		o          data.Options
		want       []string // parts of the message
	}{
		{"no tag", "a\tO\nb\n", data.Options{}, []string{"f:2:", `"b" has no tag`}},
		{"no tag after a tab", "a\tO\nb\t\n", data.Options{}, []string{"f:2:", `"b" has no tag`}},
		{"a hashtag without a tag", "#graft\n", data.Options{}, []string{"f:1:", "no tag"}},
		{"a comment within a sentence", "a\tO\n# b\n", data.Options{}, []string{"f:2:", `"#"`, "tag \"b\""}},
		{"empty token", "a\tO\n\tO\n", data.Options{}, []string{"f:2:", "token is empty"}},
		{"empty token after a prefix", "en:\tO\n", data.Options{StripLanguagePrefix: true}, []string{"f:1:", "token is empty"}},
		{"invalid UTF-8", "a\tO\nb\xff\tO\n", data.Options{}, []string{"f:2:", "UTF-8"}},
		{"UTF-16", "\xff\xfea\x00\t\x00O\x00\n\x00", data.Options{}, []string{"f:1:", "convert the file to UTF-8"}},
		{"not a tag", "a\tNNP\n", data.Options{}, []string{"f:1:", `"NNP"`, "another column"}},
		{"a prefix without a type", "a\tB-\n", data.Options{}, []string{"f:1:", `"B-"`}},
		{"lower case", "a\tb-per\n", data.Options{}, []string{"f:1:", `"b-per"`}},
		{"another scheme", "a\tS-PER\n", data.Options{}, []string{"f:1:", `"S-PER"`}},
		{"a type with a space", "a\tB-PER x\n", data.Options{}, []string{"f:1:", `"B-PER x"`}},
		{"I at a sentence's start", "a\tO\n\nb\tI-PER\n", data.Options{}, []string{"f:3:", "I-PER after O", "B-PER", "repair"}},
		{"I after O", "a\tO\nb\tI-PER\n", data.Options{}, []string{"f:2:", "I-PER after O"}},
		{"I after another type", "a\tB-ORG\nb\tI-PER\n", data.Options{}, []string{"f:2:", "I-PER after B-ORG"}},
		{"tag column past the end", "a\tO\n", data.Options{TagColumn: 4}, []string{"f:1:", "tag", "column 4", "has 2"}},
		{"token column past the end", "a\tO\n", data.Options{TokenColumn: 3}, []string{"f:1:", "token", "column 3", "has 2"}},
		{"negative column", "a\tO\n", data.Options{TagColumn: -1}, []string{"counted from 1"}},
		{"uneven columns", "Paris B-LOC\nNew York B-LOC\n", data.Options{}, []string{"f:2:", "3 columns", "tabs"}},
		{"no language prefix", "http://x\tO\nRome\tB-LOC\n", data.Options{StripLanguagePrefix: true},
			[]string{"f:2:", `"Rome"`, "language prefix"}},
		{"a long line", "a\tO\n" + strings.Repeat("x", data.MaxLine-1) + "\tO\n", data.Options{}, []string{"f:2:", "longer than"}},
		{"a very long line", "a\tO\n" + strings.Repeat("x", 3*data.MaxLine), data.Options{}, []string{"f:2:", "longer than"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := data.ReadIOB2(strings.NewReader(tt.text), "f", tt.o)
			if err == nil {
				t.Fatalf("no error, got %v", got)
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q lacks %q", err, part)
				}
			}
		})
	}
}

func TestReadIOB2TakesLinesUpToTheLimit(t *testing.T) {
	word := strings.Repeat("x", data.MaxLine-2)
	for _, end := range []string{"", "\n", "\r\n"} {
		got, err := data.ReadIOB2(strings.NewReader(word+"\tO"+end), "f", data.Options{})
		if err != nil || len(got) != 1 || got[0].Words[0] != word {
			t.Errorf("line end %q: %d sentences, error %v", end, len(got), err)
		}
	}
}

func TestReadIOB2Repairs(t *testing.T) {
	text := "a\tI-PER\nb\tI-PER\nc\tO\nd\tI-PER\ne\tI-LOC\nf\tB-LOC\ng\tI-LOC\n\nh\tO\n"
	got, err := data.ReadIOB2(strings.NewReader(text), "f", data.Options{Repair: true})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"B-PER", "I-PER", "O", "B-PER", "B-LOC", "B-LOC", "I-LOC"}
	if !reflect.DeepEqual(got[0].Tags, want) {
		t.Errorf("got %v, want %v", got[0].Tags, want)
	}
	if got[0].Repaired != 3 || got[1].Repaired != 0 || data.Repaired(got) != 3 {
		t.Errorf("repaired %d and %d, in all %d; want 3, 0, 3", got[0].Repaired, got[1].Repaired, data.Repaired(got))
	}
}

func TestReadFileNamesAMissingFile(t *testing.T) {
	if _, err := data.ReadFile("testdata/absent.iob2", data.Options{}); err == nil || !strings.Contains(err.Error(), "absent.iob2") {
		t.Errorf("got %v", err)
	}
}
