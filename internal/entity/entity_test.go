package entity

import (
	"encoding/json"
	"math"
	"slices"
	"testing"
)

func TestWordsAreSplitAsCorporaAre(t *testing.T) {
	for text, want := range map[string][]string{
		"":                                 nil,
		"  \n":                             nil,
		"Ada Lovelace lived in London.":    {"Ada", "Lovelace", "lived", "in", "London", "."},
		"(\"Jean-Pierre\", İstanbul'da!?)": {"(", "\"", "Jean-Pierre", "\"", ",", "İstanbul'da", "!", "?", ")"},
		"... ok":                           {".", ".", ".", "ok"},
		"राम दिल्ली में।": {"राम", "दिल्ली", "में", "।"},
	} {
		var got []string
		for _, w := range Words(text) {
			got = append(got, w.Text)
			if text[w.Start:w.End] != w.Text {
				t.Errorf("%q: word %q stands at %d–%d", text, w.Text, w.Start, w.End)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestEntitiesHaveCharacterOffsets(t *testing.T) {
	text := "Ömür  Şahin Ankara İzmir yok"
	labels := []string{"O", "B-PER", "I-PER", "B-LOC", "I-LOC"}
	pick := func(c int) []float32 {
		x := make([]float32, 5)
		x[c] = 2
		return x
	}
	got := Group(text, Words(text), [][]float32{pick(1), pick(2), pick(3), pick(3), pick(0)}, labels)
	p := math.Exp(2) / (math.Exp(2) + 4)
	want := []Entity{{"PER", p, "Ömür  Şahin", 0, 11}, {"LOC", p, "Ankara", 12, 18}, {"LOC", p, "İzmir", 19, 24}}
	if len(got) != len(want) {
		t.Fatalf("got %+v", got)
	}
	for i := range want {
		if math.Abs(got[i].Score-want[i].Score) > 1e-7 {
			t.Errorf("score %v, want %v", got[i].Score, want[i].Score)
		}
		got[i].Score = want[i].Score
		if got[i] != want[i] {
			t.Errorf("got %+v, want %+v", got[i], want[i])
		}
	}
	b, _ := json.Marshal(Entity{"PER", 0.5, "x", 1, 2})
	if string(b) != `{"entity_group":"PER","score":0.5,"word":"x","start":1,"end":2}` {
		t.Errorf("JSON %s", b)
	}
}

func TestAnIOfAnotherTypeStartsAnEntity(t *testing.T) {
	labels := []string{"O", "B-PER", "I-PER", "B-LOC", "I-LOC"}
	one := func(c int) []float32 { x := make([]float32, 5); x[c] = 1; return x }
	got := Group("a b c d", Words("a b c d"), [][]float32{one(2), one(4), nil, one(4)}, labels)
	if len(got) != 3 || got[0].Group != "PER" || got[1].Word != "b" || got[2].Start != 6 {
		t.Errorf("got %+v", got)
	}
}
