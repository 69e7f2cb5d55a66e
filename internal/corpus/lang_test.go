package corpus

import (
	"path"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

	"github.com/seed-aefebe89/graft/train/data"
)

// templates are the lines of a language's file, by split.
func templates(t *testing.T, lang string) map[string][]string {
	t.Helper()
	text, err := files.ReadFile(path.Join("lang", lang+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	if !norm.NFC.IsNormal(text) {
		t.Errorf("%s is not in Unicode's normal form C", lang)
	}
	bySplit := map[string][]string{}
	split := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "["):
			split = strings.Trim(line, "[]")
		case split != "" && line != "" && !strings.HasPrefix(line, "#"):
			bySplit[split] = append(bySplit[split], line)
		}
	}
	return bySplit
}

func TestEveryTemplateStandsOnce(t *testing.T) {
	least := map[string]int{Train: 60, Dev: 20, Test: 45}
	for _, lang := range Languages() {
		seen := map[string]string{}
		for split, lines := range templates(t, lang) {
			if len(lines) < least[split] {
				t.Errorf("%s: %d templates for %s, fewer than %d", lang, len(lines), split, least[split])
			}
			for _, line := range lines {
				if first, ok := seen[line]; ok {
					t.Errorf("%s: %q stands in %s and %s", lang, line, first, split)
				}
				seen[line] = split
			}
		}
	}
}

// entities are the names of sentences, with their types.
func entities(sentences []data.Sentence) []string {
	var names []string
	for _, s := range sentences {
		for i, tag := range s.Tags {
			switch prefix, entity, _ := data.SplitTag(tag); prefix {
			case 'B':
				names = append(names, entity+" "+s.Words[i])
			case 'I':
				names[len(names)-1] += " " + s.Words[i]
			}
		}
	}
	return names
}

func TestSplitsAreApartAndComplete(t *testing.T) {
	types := []string{"O", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-PER", "I-PER"}
	for _, lang := range Languages() {
		split := map[string][]data.Sentence{}
		for _, name := range Splits() {
			s, err := Generate(lang, name, Size(lang, name), Seed)
			if err != nil {
				t.Fatal(err)
			}
			if len(s) != Size(lang, name) {
				t.Errorf("%s, %s: %d sentences", lang, name, len(s))
			}
			if got := data.Labels(s); !slices.Equal(got, types) {
				t.Errorf("%s, %s: labels %v", lang, name, got)
			}
			without := 0
			for _, s := range s {
				if len(entities([]data.Sentence{s})) == 0 {
					without++
				}
			}
			if share := float64(without) / float64(len(s)); share < 0.03 || share > 0.25 {
				t.Errorf("%s, %s: %.2f of the sentences have no entity", lang, name, share)
			}
			split[name] = s
		}
		for _, other := range []string{Dev, Test} {
			if slices.Contains(data.Dedup(split[Train], split[other]), true) {
				t.Errorf("%s: a sentence of %s stands in train", lang, other)
			}
		}
		if slices.Contains(data.Dedup(split[Dev], split[Test]), true) {
			t.Errorf("%s: a sentence of test stands in dev", lang)
		}
		known := map[string]bool{}
		for _, e := range entities(split[Train]) {
			known[e] = true
		}
		unseen, all := 0, entities(split[Test])
		for _, e := range all {
			if !known[e] {
				unseen++
			}
		}
		if share := float64(unseen) / float64(len(all)); share < 0.75 {
			t.Errorf("%s: only %.2f of the names in test are new", lang, share)
		}
	}
}
