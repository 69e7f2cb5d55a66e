package train_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/tokenize"
	"github.com/seed-aefebe89/graft/train"
	"github.com/seed-aefebe89/graft/train/data"
)

func encoder(t *testing.T, max int) *train.Encoder {
	t.Helper()
	tok, err := tokenize.ParseVocab([]byte("[PAD]\n[UNK]\n[CLS]\n[SEP]\nnew\n##ton\nlives\nin\nrome\n"), true)
	if err != nil {
		t.Fatal(err)
	}
	labels, err := data.NewLabelSet([]string{"O", "B-PER", "I-PER", "B-LOC", "I-LOC"})
	if err != nil {
		t.Fatal(err)
	}
	return &train.Encoder{Tokenizer: tok, Labels: labels, MaxLength: max}
}

var newton = data.Sentence{Words: []string{"Newton", "\u200d", "lives", "in", "Rome"}, Tags: []string{"B-PER", "O", "O", "O", "B-LOC"}, Line: 1}

func TestTheFirstTokenOfAWordCarriesItsLabel(t *testing.T) {
	x, err := encoder(t, 0).Example("f", &newton)
	if err != nil {
		t.Fatal(err)
	}
	// [CLS] new ##ton lives in rome [SEP]; the joiner is cleaned away and has no token
	if !slices.Equal(x.Seq.IDs, []int32{2, 4, 5, 6, 7, 8, 3}) || !slices.Equal(x.Seq.Rows, []int32{1, 3, 4, 5}) ||
		!slices.Equal(x.Seq.Targets, []int32{1, 0, 0, 3}) || !slices.Equal(x.Words, []int{0, 2, 3, 4}) {
		t.Errorf("ids %v, rows %v, targets %v, words %v", x.Seq.IDs, x.Seq.Rows, x.Seq.Targets, x.Words)
	}
}

func TestWordsWithoutALogitAreOutside(t *testing.T) {
	e := encoder(t, 5)
	x, err := e.Example("f", &newton)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(x.Seq.IDs, []int32{2, 4, 5, 6, 3}) {
		t.Fatalf("ids %v", x.Seq.IDs)
	}
	got := e.Tags(x, []float32{0, 9, 0, 0, 0, 0, 0, 0, 0, 9})
	if want := []string{"B-PER", "O", "I-LOC", "O", "O"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestALabelThatTheModelLacksNamesItsLine(t *testing.T) {
	s := data.Sentence{Words: []string{"new", "rome"}, Tags: []string{"O", "B-ORG"}, Line: 41}
	_, err := encoder(t, 0).Example("corpus.iob2", &s)
	if err == nil || !strings.Contains(err.Error(), "corpus.iob2:42") || !strings.Contains(err.Error(), "B-ORG") {
		t.Errorf("error %v", err)
	}
}
