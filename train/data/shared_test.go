package data_test

import (
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/internal/testutil"
	"github.com/seed-aefebe89/graft/train/data"
)

func TestReadsEverySharedCorpus(t *testing.T) {
	root := testutil.Shared(t, "data", "ner")
	files, err := filepath.Glob(filepath.Join(root, "*", "*", "*.iob2"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, error %v", len(files), err)
	}
	for _, file := range files {
		if testing.Short() && !strings.HasSuffix(file, "dev.iob2") {
			continue
		}
		s, err := data.ReadFile(file, data.Options{})
		if err != nil {
			t.Error(err)
			continue
		}
		if len(s) == 0 {
			t.Errorf("%s: no sentences", file)
		}
	}
}

// The shares stand in the README beside the data, for the languages whose files there are uncut.
func TestDedupFindsPANXsRepeats(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 23,000 sentences")
	}
	for lang, want := range map[string]float64{"af": 13.8, "az": 19.1, "hi": 32.0} {
		root := testutil.Shared(t, "data", "ner", "panx", lang)
		train, err := data.ReadFile(filepath.Join(root, "train.iob2"), data.Options{})
		if err != nil {
			t.Fatal(err)
		}
		test, err := data.ReadFile(filepath.Join(root, "test.iob2"), data.Options{})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, seen := range data.Dedup(train, test) {
			if seen {
				n++
			}
		}
		if got := 100 * float64(n) / float64(len(test)); math.Abs(got-want) > 0.051 {
			t.Errorf("%s: %.2f %% of the test sentences stand in train, want %.1f", lang, got, want)
		}
		if labels := data.Labels(train); !reflect.DeepEqual(labels, []string{"O", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-PER", "I-PER"}) {
			t.Errorf("%s: labels %v", lang, labels)
		}
	}
}
