package metric

import "fmt"

// Counts are the entities that precision, recall and F1 are made of.
type Counts struct {
	TP        int `json:"tp"`        // predicted with the right words and the right type
	Predicted int `json:"predicted"` // predicted at all
	Gold      int `json:"gold"`      // in the gold standard
}

// Add is the sum of both.
func (c Counts) Add(d Counts) Counts {
	return Counts{c.TP + d.TP, c.Predicted + d.Predicted, c.Gold + d.Gold}
}

// Score is precision TP/Predicted, recall TP/Gold and F1 = 2·precision·recall/(precision+recall). Where a divisor is
// zero the quotient is zero: seqeval's zero_division="warn" without the warning.
func (c Counts) Score() Score {
	s := Score{Precision: ratio(c.TP, c.Predicted), Recall: ratio(c.TP, c.Gold), Support: c.Gold}
	if sum := s.Precision + s.Recall; sum > 0 {
		s.F1 = 2 * s.Precision * s.Recall / sum
	}
	return s
}

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// SentenceCounts counts each sentence by itself, all types together: what Bootstrap resamples. gold[i] and pred[i] are
// the tags of sentence i.
func SentenceCounts(gold, pred [][]string, mode Mode) ([]Counts, error) {
	counts := make([]Counts, len(gold))
	err := compare(gold, pred, mode, func(i int, _ string, c Counts) { counts[i] = counts[i].Add(c) })
	if err != nil {
		return nil, err
	}
	return counts, nil
}

// Pool adds the counts of several runs sentence by sentence, for instance of one setting trained with several seeds,
// so that Bootstrap compares the settings rather than two runs.
func Pool(runs ...[]Counts) ([]Counts, error) {
	if len(runs) == 0 {
		return nil, fmt.Errorf("pooling counts: there are no runs")
	}
	sum := make([]Counts, len(runs[0]))
	for r, run := range runs {
		if len(run) != len(sum) {
			return nil, fmt.Errorf("pooling counts: run 0 has %d sentences, run %d has %d", len(sum), r, len(run))
		}
		for i, c := range run {
			sum[i] = sum[i].Add(c)
		}
	}
	return sum, nil
}

// compare calls add for each entity that occurs in gold, in pred, or in both, with the number of its sentence.
func compare(gold, pred [][]string, mode Mode, add func(sentence int, entity string, c Counts)) error {
	if len(gold) != len(pred) {
		return fmt.Errorf("scoring: %d sentences in the gold standard, %d predicted", len(gold), len(pred))
	}
	for i := range gold {
		if len(gold[i]) != len(pred[i]) {
			return fmt.Errorf("scoring: sentence %d has %d tags in the gold standard, %d predicted",
				i, len(gold[i]), len(pred[i]))
		}
		g, err := Chunks(gold[i], mode)
		if err != nil {
			return fmt.Errorf("scoring: gold standard of sentence %d: %w", i, err)
		}
		p, err := Chunks(pred[i], mode)
		if err != nil {
			return fmt.Errorf("scoring: prediction for sentence %d: %w", i, err)
		}
		// Both lists are ordered by Start and free of overlaps, so equal entities meet in one pass.
		for len(g) > 0 || len(p) > 0 {
			switch {
			case len(p) == 0 || len(g) > 0 && g[0].Start < p[0].Start:
				add(i, g[0].Type, Counts{Gold: 1})
				g = g[1:]
			case len(g) == 0 || p[0].Start < g[0].Start:
				add(i, p[0].Type, Counts{Predicted: 1})
				p = p[1:]
			case g[0] == p[0]:
				add(i, g[0].Type, Counts{TP: 1, Predicted: 1, Gold: 1})
				g, p = g[1:], p[1:]
			default: // the same start, another end or type
				add(i, g[0].Type, Counts{Gold: 1})
				add(i, p[0].Type, Counts{Predicted: 1})
				g, p = g[1:], p[1:]
			}
		}
	}
	return nil
}
