package corpus

import (
	"reflect"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/train/data"
)

const small = `
forms nom gen
# a comment
list given
Mari; Jaan / Jaani
list family
Saar / Saare
entity person PER
{given} {family}
entity city LOC
Tartu; Tallinn / Tallinna
entity univ ORG
{city:gen} Ülikool / {city:gen} Ülikooli

[train]
{person:gen} kodu on {city:gen}s .
{univ:gen}st kirjutas {city} .
[test]
{city} , {year}
{city} !
`

func TestNamesAreInflectedAndTagged(t *testing.T) {
	g, err := parse("small", small)
	if err != nil {
		t.Fatal(err)
	}
	// One given name and one city are for training, and the second template would need two cities.
	got, err := g.generate(Train, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []data.Sentence{{
		Words: []string{"Mari", "Saare", "kodu", "on", "Tartus", "."},
		Tags:  []string{"B-PER", "I-PER", "O", "O", "B-LOC", "O"},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestHeldOutNamesPrevailInTest(t *testing.T) {
	g, err := parse("small", small)
	if err != nil {
		t.Fatal(err)
	}
	heldOut, all := 0, 0
	for seed := range uint64(400) {
		s, err := g.generate(Test, 2, seed)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range s {
			all++
			if strings.Contains(strings.ToLower(strings.Join(s.Words, " ")), "tallinn") {
				heldOut++
			}
		}
	}
	// 85 % are drawn from the held-out names; 3.5 standard deviations of 800 draws are 4.4 %.
	if share := float64(heldOut) / float64(all); share < 0.80 || share > 0.90 {
		t.Errorf("%.2f of the names are held out", share)
	}
}

func TestSlotsAtTheStartAreCapitalised(t *testing.T) {
	g, err := parse("f", "list d\npazartesi\nentity p PER\nvan Dijk\n[train]\n{d} günü\n{p} .\nhey {p}\n")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for seed := range uint64(20) {
		s, err := g.generate(Train, 3, seed)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range s {
			seen[strings.Join(s.Words, " ")] = true
		}
	}
	for _, want := range []string{"Pazartesi günü", "Van Dijk .", "hey van Dijk"} {
		if !seen[want] {
			t.Errorf("%v lacks %q", seen, want)
		}
	}
}

func TestParseRefusesWithPlace(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"text before a list", "x\n", `f:1: "x" stands before`},
		{"kind twice", "list a\nx\nlist a\n", `f:3: there is a list or entity "a"`},
		{"kind named like a number", "list num\n", `f:1: there is a list or entity "num"`},
		{"unknown slot", "[train]\n{a} x\n", `f:2: "{a}": there is no list`},
		{"slot of a later list", "list a\n{b}\nlist b\nx\n", `f:2: "{b}": there is no list`},
		{"slot of itself", "list a\nx; {a}\n", `f:2: "{a}": there is no list`},
		{"slot of an empty list", "list a\n[train]\n{a}\n", `f:3: "{a}": the list or entity "a" is empty`},
		{"unknown form", "list a\nx\n[train]\n{a:gen}\n", `f:4: "{a:gen}": there is no form "gen"; there are nom`},
		{"too many forms", "list a\nx / y\n", `f:2: "x / y" has 2 forms`},
		{"a form without words", "forms a b\nlist a\nx / \n", "f:3:"},
		{"an open slot", "list a\nx\n[train]\n{a x\n", `f:4: "{a" is neither`},
		{"a slot with a prefix", "list a\nx\n[train]\nl'{a}\n", `f:4: "l'{a}" is neither`},
		{"two slots in a word", "list a\nx\n[train]\n{a}{a}\n", `f:4: "{a}{a}" is neither`},
		{"unknown harmony", "harmony finnish\n", `f:1: no vowel harmony "finnish"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := parse("f", tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want a part %q", err, tt.want)
			}
		})
	}
}

func TestGenerateRefuses(t *testing.T) {
	g, err := parse("f", "entity a LOC\nx; y; z\n[train]\n{a} !\n")
	if err != nil {
		t.Fatal(err)
	}
	if s, err := g.generate(Train, 2, 0); err != nil || len(s) != 2 {
		t.Errorf("two names: %d sentences, error %v", len(s), err)
	}
	for split, want := range map[string]string{Train: "give only 2 different sentences, not 3", Test: "no templates"} {
		if _, err := g.generate(split, 3, 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want a part %q", split, err, want)
		}
	}
	if _, err := Generate("xx", Train, 1, 0); err == nil || !strings.Contains(err.Error(), `no language "xx"`) {
		t.Errorf("unknown language: got %v", err)
	}
}

func TestGenerateKeepsToItsSeed(t *testing.T) {
	first, err := Generate("de", Dev, 50, 7)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Generate("de", Dev, 50, 7)
	if err != nil || !reflect.DeepEqual(first, again) {
		t.Errorf("the same seed gives other sentences (error %v)", err)
	}
	other, err := Generate("de", Dev, 50, 8)
	if err != nil || reflect.DeepEqual(first, other) {
		t.Errorf("another seed gives the same sentences (error %v)", err)
	}
}

func TestSuffixesFollowTheirVowels(t *testing.T) {
	tests := []struct{ language, word, suffix, want string }{
		{"turkish", "Ankara", "'DA", "'da"},
		{"turkish", "İzmir", "'DA", "'de"},
		{"turkish", "Sinop", "'DAn", "'tan"},
		{"turkish", "Paris", "'DAki", "'teki"},
		{"turkish", "Ankara", "'(n)In", "'nın"},
		{"turkish", "İzmir", "'(n)In", "'in"},
		{"turkish", "Tokyo", "'(y)I", "'yu"},
		{"turkish", "Ürgüp", "'(y)I", "'ü"},
		{"turkish", "IĞDIR", "'(y)A", "'a"},
		{"turkish", "Boğaziçi Üniversitesi", "nDA", "nde"},
		{"turkish", "Trabzon", "spor'(y)I", "spor'u"},
		{"azerbaijani", "Bakı", "(n)In", "nın"},
		{"azerbaijani", "Gəncə", "DA", "də"},
		{"azerbaijani", "Paris", "DAn", "dən"},
		{"azerbaijani", "Tokio", "(n)In", "nun"},
		{"azerbaijani", "Varşava", "DAsAn", "dasan"},
	}
	for _, tt := range tests {
		h, err := newHarmony(tt.language)
		if err != nil {
			t.Fatal(err)
		}
		g := &grammar{harmony: h}
		if got := g.suffix(tt.word, tt.suffix); got != tt.want {
			t.Errorf("%s: %s + %s = %q, want %q", tt.language, tt.word, tt.suffix, got, tt.want)
		}
	}
	if got := (&grammar{}).suffix("Tartu", "'DA"); got != "'DA" {
		t.Errorf("without harmony: got %q", got)
	}
}

// A grammar that parses generates legal sentences or an error.
func FuzzParse(f *testing.F) {
	f.Add(small, uint64(1))
	f.Add("harmony turkish\nlist a\n{num}\nentity b X\n{a}'(y)A; c\n[test]\n{b}(DI x\n", uint64(2))
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		if len(text) > 1000 { // patterns within patterns may make long names
			return
		}
		g, err := parse("f", text)
		if err != nil {
			return
		}
		for _, split := range Splits() {
			s, err := g.generate(split, 3, seed)
			if err != nil {
				continue
			}
			for _, s := range s {
				prev := data.Outside
				for i, tag := range s.Tags {
					if _, _, ok := data.SplitTag(tag); ok && !data.Continues(prev, tag) {
						t.Errorf("%q: %q after %q", s.Words[i], tag, prev)
					}
					prev = tag
				}
			}
		}
	})
}
