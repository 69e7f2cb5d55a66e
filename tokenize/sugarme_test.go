package tokenize

import (
	"strings"
	"testing"

	sugarme "github.com/sugarme/tokenizer"
	sugarmemodel "github.com/sugarme/tokenizer/model"
	sugarmewordpiece "github.com/sugarme/tokenizer/model/wordpiece"

	"github.com/seed-aefebe89/graft/internal/testutil"
)

// sugarmeWordPiece builds the other library's WordPiece from the vocabulary of ours.
func sugarmeWordPiece(ours sugarme.Model) sugarme.Model {
	var vocab sugarmemodel.Vocab = ours.GetVocab()
	return sugarmewordpiece.NewWordPieceBuilder().Vocab(&vocab).UnkToken("[UNK]").Build()
}

func TestWordPieceEqualsSugarme(t *testing.T) {
	tok, err := Load(testutil.Shared(t, "models", "mini"))
	if err != nil {
		t.Fatal(err)
	}
	ours := tok.Model()
	theirs := sugarmeWordPiece(ours)
	if ours.GetVocabSize() != theirs.GetVocabSize() {
		t.Errorf("%d tokens, theirs %d", ours.GetVocabSize(), theirs.GetVocabSize())
	}
	for _, text := range fixtureTexts(t) {
		for _, word := range strings.Fields(text) {
			got, err1 := ours.Tokenize(word)
			want, err2 := theirs.Tokenize(word)
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			if len(got) != len(want) {
				t.Fatalf("%q: %v, want %v", word, got, want)
			}
			for i := range got {
				if got[i].Id != want[i].Id || got[i].Value != want[i].Value {
					t.Fatalf("%q: %v, want %v", word, got, want)
				}
			}
		}
	}
}

func TestModelAsSugarmeHasIt(t *testing.T) {
	m := mustParse(t, wordLevelJSON).Model()
	if id, ok := m.TokenToId("a"); id != 4 || !ok {
		t.Error("TokenToId", id, ok)
	}
	if s, ok := m.IdToToken(4); s != "a" || !ok {
		t.Error("IdToToken", s, ok)
	}
	if _, ok := m.IdToToken(1 << 40); ok {
		t.Error("an id of 2^40 is known")
	}
	if v := m.GetVocab(); len(v) != m.GetVocabSize() || v["b"] != 5 {
		t.Error("GetVocab", v)
	}
	if got, err := m.Tokenize("b"); err != nil || len(got) != 1 || got[0].Id != 5 || got[0].Offsets[1] != 1 {
		t.Error("Tokenize", got, err)
	}
	if err := m.Save(t.TempDir()); err == nil {
		t.Error("Save has saved something")
	}
}
