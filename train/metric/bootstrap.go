package metric

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// BootstrapOptions are the options of Bootstrap. The zero value is usable.
type BootstrapOptions struct {
	Resamples int     // 0 means 1,000
	Level     float64 // of confidence, between 0 and 1; 0 means 0.95
	Seed      uint64
}

// Interval is a bootstrap interval of the difference of two systems' micro F1.
type Interval struct {
	Difference float64 `json:"difference"` // F1 of b less F1 of a, on the sentences as they are
	Low        float64 `json:"low"`
	High       float64 `json:"high"`
	Level      float64 `json:"level"`
	// Above is the share of the resamples in which b's F1 is above a's.
	Above     float64 `json:"above"`
	Resamples int     `json:"resamples"`
}

// Bootstrap gives the percentile interval of F1(b) − F1(a) over resamples of the test sentences, drawn with
// replacement and scored for both systems alike (the paired bootstrap of Efron and Tibshirani 1993, section 13.3;
// for F1: Berg-Kirkpatrick et al., EMNLP 2012). a and b are the counts of the same sentences, see SentenceCounts.
// The same seed gives the same interval.
func Bootstrap(a, b []Counts, o BootstrapOptions) (Interval, error) {
	if o.Resamples == 0 {
		o.Resamples = 1000
	}
	if o.Level == 0 {
		o.Level = 0.95
	}
	if o.Resamples < 0 || !(o.Level > 0 && o.Level < 1) {
		return Interval{}, fmt.Errorf("bootstrap: %d resamples at level %g", o.Resamples, o.Level)
	}
	if len(a) == 0 || len(a) != len(b) {
		return Interval{}, fmt.Errorf("bootstrap: systems scored on %d and %d sentences", len(a), len(b))
	}
	var sumA, sumB Counts
	for i := range a {
		if a[i].Gold != b[i].Gold {
			return Interval{}, fmt.Errorf("bootstrap: sentence %d has %d gold entities for one system and %d for the other: "+
				"the systems were not scored on the same sentences", i, a[i].Gold, b[i].Gold)
		}
		sumA, sumB = sumA.Add(a[i]), sumB.Add(b[i])
	}
	rng := rand.New(rand.NewPCG(o.Seed, 0))
	differences := make([]float64, o.Resamples)
	above := 0
	for k := range differences {
		var ra, rb Counts
		for range a {
			i := rng.IntN(len(a))
			ra, rb = ra.Add(a[i]), rb.Add(b[i])
		}
		differences[k] = rb.Score().F1 - ra.Score().F1
		if differences[k] > 0 {
			above++
		}
	}
	slices.Sort(differences)
	tail := (1 - o.Level) / 2
	return Interval{
		Difference: sumB.Score().F1 - sumA.Score().F1,
		Low:        stat.Quantile(tail, stat.Empirical, differences, nil),
		High:       stat.Quantile(1-tail, stat.Empirical, differences, nil),
		Level:      o.Level,
		Above:      ratio(above, o.Resamples),
		Resamples:  o.Resamples,
	}, nil
}
