package metric

import (
	"maps"
	"slices"
)

// Score is how well entities are found, each value from 0 to 1.
type Score struct {
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
	Support   int     `json:"support"` // entities in the gold standard
}

// TypeScore is the score of one type of entity.
type TypeScore struct {
	Type string `json:"type"`
	Score
	Counts Counts `json:"counts"`
}

// Report holds what seqeval's classification_report and accuracy_score compute.
type Report struct {
	Mode Mode `json:"mode"`
	// Types are the types that occur in the gold standard or the prediction, by name.
	Types []TypeScore `json:"types"`
	// Micro counts all entities together; its F1 is the score that papers report.
	Micro Score `json:"micro"`
	// Macro is the mean over Types, Weighted the mean weighted by Support.
	Macro    Score `json:"macro"`
	Weighted Score `json:"weighted"`
	// Accuracy is the share of words whose tag is right, O included.
	Accuracy  float64 `json:"accuracy"`
	Counts    Counts  `json:"counts"`
	Sentences int     `json:"sentences"`
	Words     int     `json:"words"`
}

// Evaluate scores predicted tags against the gold standard: gold[i] and pred[i] are the tags of sentence i. Every
// score of an empty set is zero.
func Evaluate(gold, pred [][]string, mode Mode) (Report, error) {
	byType := map[string]Counts{}
	r := Report{Mode: mode, Sentences: len(gold)}
	err := compare(gold, pred, mode, func(_ int, entity string, c Counts) {
		byType[entity] = byType[entity].Add(c)
		r.Counts = r.Counts.Add(c)
	})
	if err != nil {
		return Report{}, err
	}
	right := 0
	for i := range gold {
		r.Words += len(gold[i])
		for j := range gold[i] {
			if gold[i][j] == pred[i][j] {
				right++
			}
		}
	}
	r.Accuracy = ratio(right, r.Words)
	r.Micro = r.Counts.Score()
	r.Types = []TypeScore{} // an array in JSON even where there are none
	for _, entity := range slices.Sorted(maps.Keys(byType)) {
		r.Types = append(r.Types, TypeScore{entity, byType[entity].Score(), byType[entity]})
	}
	r.Macro = average(r.Types, func(Score) int { return 1 })
	r.Weighted = average(r.Types, func(s Score) int { return s.Support })
	return r, nil
}

// average is the mean of scores with the given weights, zero where those are.
func average(types []TypeScore, weight func(Score) int) Score {
	var mean Score
	total := 0
	for _, t := range types {
		w := weight(t.Score)
		total += w
		mean.Precision += float64(w) * t.Precision
		mean.Recall += float64(w) * t.Recall
		mean.F1 += float64(w) * t.F1
		mean.Support += t.Support
	}
	if total == 0 {
		return Score{Support: mean.Support}
	}
	mean.Precision /= float64(total)
	mean.Recall /= float64(total)
	mean.F1 /= float64(total)
	return mean
}
