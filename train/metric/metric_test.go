package metric_test

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/train/metric"
)

func TestChunks(t *testing.T) {
	type chunks = []metric.Chunk
	tests := []struct {
		tags              string
		conlleval, strict chunks
	}{
		{"", nil, nil},
		{"O O", nil, nil},
		{"B-PER I-PER O B-LOC", chunks{{"PER", 0, 2}, {"LOC", 3, 4}}, chunks{{"PER", 0, 2}, {"LOC", 3, 4}}},
		{"B-PER B-PER", chunks{{"PER", 0, 1}, {"PER", 1, 2}}, chunks{{"PER", 0, 1}, {"PER", 1, 2}}},
		{"I-NP I-NP O", chunks{{"NP", 0, 2}}, nil},
		{"B-PER I-LOC I-LOC", chunks{{"PER", 0, 1}, {"LOC", 1, 3}}, chunks{{"PER", 0, 1}}},
		{"B-PER I-LOC I-PER", chunks{{"PER", 0, 1}, {"LOC", 1, 2}, {"PER", 2, 3}}, chunks{{"PER", 0, 1}}},
		{"O I-a-b B-a-b", chunks{{"a-b", 1, 2}, {"a-b", 2, 3}}, chunks{{"a-b", 2, 3}}},
		{"B I O I", chunks{{"_", 0, 2}, {"_", 3, 4}}, chunks{{"_", 0, 2}}},
	}
	for _, tt := range tests {
		for mode, want := range map[metric.Mode]chunks{metric.Conlleval: tt.conlleval, metric.StrictIOB2: tt.strict} {
			got, err := metric.Chunks(strings.Fields(tt.tags), mode)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%q, %s: got %v, error %v, want %v", tt.tags, mode, got, err, want)
			}
		}
	}
	got, err := metric.Chunks(strings.Fields("S-A S-A B-B E-B I-C E-C E-C"), metric.Conlleval)
	want := chunks{{"A", 0, 1}, {"A", 1, 2}, {"B", 2, 4}, {"C", 4, 6}, {"C", 6, 7}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("IOBES: got %v, error %v, want %v", got, err, want)
	}
}

func TestModesDifferOnIllegalTags(t *testing.T) {
	gold, pred := tags("B-NP I-NP O"), tags("I-NP I-NP O")
	for mode, want := range map[metric.Mode]float64{metric.Conlleval: 1, metric.StrictIOB2: 0} {
		r, err := metric.Evaluate(gold, pred, mode)
		if err != nil || r.Micro.F1 != want {
			t.Errorf("%s: F1 %v, error %v, want %v", mode, r.Micro.F1, err, want)
		}
	}
}

// Two of three entities found, one of them as another type, one invented: tp 1, predicted 3, gold 3; LOC has none right.
func TestEvaluateByHand(t *testing.T) {
	r, err := metric.Evaluate(
		tags("B-PER I-PER O B-LOC|B-PER O O"),
		tags("B-PER I-PER O B-ORG|O B-PER O"), metric.Conlleval)
	if err != nil {
		t.Fatal(err)
	}
	third, half := 1.0/3, 0.5
	want := metric.Report{
		Types: []metric.TypeScore{
			{"LOC", metric.Score{0, 0, 0, 1}, metric.Counts{0, 0, 1}},
			{"ORG", metric.Score{0, 0, 0, 0}, metric.Counts{0, 1, 0}},
			{"PER", metric.Score{half, half, half, 2}, metric.Counts{1, 2, 2}},
		},
		Micro:    metric.Score{third, third, third, 3},
		Macro:    metric.Score{half / 3, half / 3, half / 3, 3},
		Weighted: metric.Score{third, third, third, 3},
		Accuracy: 4.0 / 7, Counts: metric.Counts{1, 3, 3}, Sentences: 2, Words: 7,
	}
	if !reflect.DeepEqual(r, want) {
		t.Errorf("got  %+v\nwant %+v", r, want)
	}
	counts, err := metric.SentenceCounts(
		tags("B-PER I-PER O B-LOC|B-PER O O"), tags("B-PER I-PER O B-ORG|O B-PER O"), metric.Conlleval)
	if err != nil || !reflect.DeepEqual(counts, []metric.Counts{{1, 2, 2}, {0, 1, 1}}) {
		t.Errorf("sentence counts %v, error %v", counts, err)
	}
}

func TestEvaluateNothing(t *testing.T) {
	for _, sentences := range [][][]string{nil, {{}}, {{"O", "O"}}} {
		r, err := metric.Evaluate(sentences, sentences, metric.Conlleval)
		if err != nil || r.Micro != (metric.Score{}) || r.Macro != (metric.Score{}) || r.Weighted != (metric.Score{}) {
			t.Errorf("%q: %+v, error %v", sentences, r, err)
		}
		if !strings.Contains(r.String(), "micro avg       0.00      0.00      0.00         0\n") {
			t.Errorf("%q: table\n%s", sentences, r)
		}
		if text, err := json.Marshal(r); err != nil || strings.Contains(string(text), "null") {
			t.Errorf("%q: %s, error %v", sentences, text, err)
		}
	}
}

func TestEvaluateRefuses(t *testing.T) {
	tests := []struct {
		name       string
		gold, pred [][]string
		mode       metric.Mode
		want       string
	}{
		{"sentences", tags("O|O"), tags("O"), metric.Conlleval, "2 sentences in the gold standard, 1 predicted"},
		{"words", tags("O|O O"), tags("O|O"), metric.Conlleval, "sentence 1 has 2 tags in the gold standard, 1 predicted"},
		{"gold tag", tags("O|O PER"), tags("O|O O"), metric.Conlleval, `gold standard of sentence 1: finding entities: word 1: the tag "PER"`},
		{"predicted tag", tags("O"), [][]string{{""}}, metric.Conlleval, "prediction for sentence 0"},
		{"strict prefix", tags("S-PER"), tags("O"), metric.StrictIOB2, `"S-PER"`},
		{"mode", tags("O"), tags("O"), metric.Mode(7), "mode 7"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := metric.Evaluate(tt.gold, tt.pred, tt.mode)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want a part %q", err, tt.want)
			}
			if _, err := metric.SentenceCounts(tt.gold, tt.pred, tt.mode); err == nil {
				t.Error("SentenceCounts: no error")
			}
		})
	}
}

func TestReportSurvivesJSON(t *testing.T) {
	r, err := metric.Evaluate(tags("B-PER O I-LOC"), tags("B-PER B-LOC I-LOC"), metric.StrictIOB2)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"mode":"strict-iob2"`, `"type":"LOC","precision":0`, `"micro":{"precision":0.5`} {
		if !strings.Contains(string(text), part) {
			t.Errorf("%s lacks %s", text, part)
		}
	}
	var back metric.Report
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, r) {
		t.Errorf("got %+v, error %v, want %+v", back, err, r)
	}
	if err := json.Unmarshal([]byte(`{"mode":"loose"}`), &back); err == nil {
		t.Error("an unknown mode was taken")
	}
	if _, err := json.Marshal(metric.Report{Mode: 9}); err == nil {
		t.Error("an unknown mode was written")
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestWriteTableRefuses(t *testing.T) {
	broken := errors.New("broken")
	if err := (metric.Report{}).WriteTable(failing{broken}, 2); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if err := (metric.Report{}).WriteTable(&strings.Builder{}, -1); err == nil {
		t.Error("negative digits: no error")
	}
}

func TestSummarise(t *testing.T) {
	tests := []struct {
		values  []float64
		want    metric.Summary
		percent string
	}{
		{nil, metric.Summary{}, "-"},
		{[]float64{0.75}, metric.Summary{0.75, 0, 1}, "75.0"},
		{[]float64{0.75, 0.25}, metric.Summary{0.5, math.Sqrt(0.125), 2}, "50.0 ± 35.4"},
		{[]float64{0.2, 0.4, 0.9}, metric.Summary{0.5, math.Sqrt(0.13), 3}, "50.0 ± 36.1"},
	}
	for _, tt := range tests {
		got := metric.Summarise(tt.values)
		if got.N != tt.want.N || math.Abs(got.Mean-tt.want.Mean) > 1e-12 || math.Abs(got.SD-tt.want.SD) > 1e-12 {
			t.Errorf("%v: got %+v, want %+v", tt.values, got, tt.want)
		}
		if got.Percent() != tt.percent {
			t.Errorf("%v: got %q, want %q", tt.values, got.Percent(), tt.percent)
		}
	}
}
