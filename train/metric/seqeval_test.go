package metric_test

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/train/metric"
)

// seqevalCase is one line of testdata/seqeval.json, see testdata/seqeval_cases.py.
type seqevalCase struct {
	Gold, Pred        string
	Accuracy          float64
	Conlleval, Strict map[string][4]float64 // precision, recall, F1, support
	Table             string
	Digits            int
}

func tags(s string) [][]string {
	var sentences [][]string
	for part := range strings.SplitSeq(s, "|") {
		sentences = append(sentences, strings.Fields(part))
	}
	return sentences
}

func TestAgreesWithSeqeval(t *testing.T) {
	file, err := os.ReadFile("testdata/seqeval.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []seqevalCase
	if err := json.Unmarshal(file, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 200 {
		t.Fatalf("%d cases", len(cases))
	}
	strict, tables := 0, 0
	for i, c := range cases {
		gold, pred := tags(c.Gold), tags(c.Pred)
		got, err := metric.Evaluate(gold, pred, metric.Conlleval)
		if err != nil {
			t.Fatalf("case %d: %v", i, err)
		}
		if math.Abs(got.Accuracy-c.Accuracy) > 1e-9 {
			t.Errorf("case %d: accuracy %v, want %v", i, got.Accuracy, c.Accuracy)
		}
		compareReport(t, i, got, c.Conlleval)
		if c.Table != "" {
			tables++
			var b strings.Builder
			if err := got.WriteTable(&b, c.Digits); err != nil {
				t.Fatal(err)
			}
			if b.String() != c.Table {
				t.Errorf("case %d: got\n%s\nwant\n%s", i, b.String(), c.Table)
			}
		}
		if c.Strict != nil {
			strict++
			got, err := metric.Evaluate(gold, pred, metric.StrictIOB2)
			if err != nil {
				t.Fatalf("case %d: %v", i, err)
			}
			compareReport(t, i, got, c.Strict)
		}
	}
	if strict < 100 || tables < 20 {
		t.Errorf("only %d strict cases, %d tables", strict, tables)
	}
}

func compareReport(t *testing.T, i int, got metric.Report, want map[string][4]float64) {
	t.Helper()
	rows := map[string]metric.Score{"micro avg": got.Micro, "macro avg": got.Macro, "weighted avg": got.Weighted}
	for _, s := range got.Types {
		rows[s.Type] = s.Score
	}
	if len(rows) != len(want) {
		t.Errorf("case %d, %s: %d rows, want %d", i, got.Mode, len(rows), len(want))
	}
	for name, w := range want {
		s, ok := rows[name]
		g := [4]float64{s.Precision, s.Recall, s.F1, float64(s.Support)}
		for k := range g {
			if !ok || math.Abs(g[k]-w[k]) > 1e-9 { // recorded with ten digits
				t.Errorf("case %d, %s, %s: got %v, want %v", i, got.Mode, name, g, w)
				break
			}
		}
	}
}
