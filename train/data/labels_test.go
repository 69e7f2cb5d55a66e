package data_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/train/data"
)

func TestLabelsComeInPairsInOrder(t *testing.T) {
	train := []data.Sentence{sentence(1, "a", "B-PER", "b", "O"), sentence(4, "c", "B-LOC")}
	dev := []data.Sentence{sentence(1, "d", "B-PER", "e", "I-PER", "f", "B-LOC", "g", "B-ART")}
	want := []string{"O", "B-ART", "I-ART", "B-LOC", "I-LOC", "B-PER", "I-PER"}
	if got := data.Labels(train, dev); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := data.Labels(); !reflect.DeepEqual(got, []string{"O"}) {
		t.Errorf("without sentences: got %v", got)
	}
}

func TestLabelSetNumbersInOrder(t *testing.T) {
	names := []string{"O", "B-PER", "I-PER"}
	set, err := data.NewLabelSet(names)
	if err != nil {
		t.Fatal(err)
	}
	names[0] = "changed"
	for i, want := range []string{"O", "B-PER", "I-PER"} {
		if got, ok := set.Index(want); !ok || got != i || set.Name(i) != want || set.Names()[i] != want {
			t.Errorf("label %d: %q at %d, %v", i, set.Name(i), got, ok)
		}
	}
	if _, ok := set.Index("B-LOC"); ok || set.Len() != 3 {
		t.Errorf("B-LOC found, or %d labels", set.Len())
	}
	ids, err := set.Encode("f", sentence(1, "x", "O", "y", "B-PER", "z", "I-PER"))
	if err != nil || !reflect.DeepEqual(ids, []int32{0, 1, 2}) {
		t.Errorf("got %v, error %v", ids, err)
	}
}

func TestNewLabelSetRefuses(t *testing.T) {
	for _, names := range [][]string{nil, {"O", ""}, {"O", "B-PER", "O"}} {
		if _, err := data.NewLabelSet(names); err == nil {
			t.Errorf("%q: no error", names)
		}
	}
}

func TestValidateNamesTheLineOfAnUnknownLabel(t *testing.T) {
	sentences, err := data.ReadIOB2(strings.NewReader("# c\na\tO\n\nb\tO\nc\tB-MISC\n"), "x.iob2", data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	set, err := data.NewLabelSet([]string{"O", "B-PER", "I-PER"})
	if err != nil {
		t.Fatal(err)
	}
	if err := set.Validate("x.iob2", sentences[:1]); err != nil {
		t.Error(err)
	}
	err = set.Validate("x.iob2", sentences)
	if err == nil || !strings.HasPrefix(err.Error(), "x.iob2:5:") || !strings.Contains(err.Error(), `"B-MISC"`) {
		t.Errorf("got %v", err)
	}
}

func TestDedupComparesWordsOnly(t *testing.T) {
	train := []data.Sentence{sentence(1, "a", "O", "b", "B-PER"), sentence(4, "c d", "O")}
	test := []data.Sentence{
		sentence(1, "a", "B-LOC", "b", "O"), sentence(2, "a", "O"), sentence(3, "ab", "O"),
		sentence(4, "c", "O", "d", "O"), sentence(5, "c d", "B-PER"),
	}
	want := []bool{true, false, false, false, true}
	if got := data.Dedup(train, test); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := data.Dedup(nil, test); !reflect.DeepEqual(got, make([]bool, len(test))) {
		t.Errorf("without train: got %v", got)
	}
}
