package metric_test

import (
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/train/metric"
)

// Entities lie within the sentence, in order and without overlap, every strict one starts where a lenient one does, and
// tags against themselves score 1.
func FuzzChunks(f *testing.F) {
	for _, seed := range []string{"B-PER I-PER O", "I-A I-B B", "S-A E-A B-", "- -- BB O-", "É-A"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		sentence := strings.Split(text, " ")
		lenient, err := metric.Chunks(sentence, metric.Conlleval)
		if err != nil {
			return
		}
		end, starts := 0, map[int]bool{}
		for _, c := range lenient {
			if c.Start < end || c.End <= c.Start || c.End > len(sentence) || c.Type == "" {
				t.Fatalf("%q: entities %v", sentence, lenient)
			}
			end, starts[c.Start] = c.End, true
		}
		r, err := metric.Evaluate([][]string{sentence}, [][]string{sentence}, metric.Conlleval)
		if err != nil || r.Accuracy != 1 || r.Counts.TP != len(lenient) || r.Micro.Support != len(lenient) {
			t.Errorf("%q: %+v, error %v", sentence, r, err)
		}
		strict, err := metric.Chunks(sentence, metric.StrictIOB2)
		if err != nil {
			return
		}
		for _, c := range strict {
			if !starts[c.Start] {
				t.Errorf("%q: strict entities %v, others %v", sentence, strict, lenient)
			}
		}
	})
}
