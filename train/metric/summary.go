package metric

import (
	"fmt"

	"gonum.org/v1/gonum/stat"
)

// Summary is the mean of N values, for instance of one setting's F1 over seeds, and their sample standard deviation
// (divided by N−1; 0 for fewer than two values).
type Summary struct {
	Mean float64 `json:"mean"`
	SD   float64 `json:"sd"`
	N    int     `json:"n"`
}

// Summarise is the summary of values; that of none is zero.
func Summarise(values []float64) Summary {
	s := Summary{N: len(values)}
	switch len(values) {
	case 0:
	case 1:
		s.Mean = values[0]
	default:
		s.Mean, s.SD = stat.MeanStdDev(values, nil)
	}
	return s
}

// Percent is the summary of scores from 0 to 1 as papers print it: "75.8 ± 0.4", or "75.8" for a single value.
func (s Summary) Percent() string {
	switch s.N {
	case 0:
		return "-"
	case 1:
		return fmt.Sprintf("%.1f", 100*s.Mean)
	}
	return fmt.Sprintf("%.1f ± %.1f", 100*s.Mean, 100*s.SD)
}
