// Package parity holds graft's numbers against onnxruntime's and against finite differences, for the tests and for
// graft inspect --check.
package parity

import "math"

// Difference is how far numbers are from those that they should be.
type Difference struct {
	Abs float64 // the largest difference
	Top float64 // the largest of the numbers that they should be
}

// Add takes one number in. Two NaN are equal, and so are equal infinities; a number that only one side has is infinitely
// far.
func (d *Difference) Add(got, want float64) {
	switch {
	case got == want || math.IsNaN(got) && math.IsNaN(want):
	case math.IsNaN(got-want) || math.IsInf(got-want, 0):
		d.Abs = math.Inf(1)
	default:
		d.Abs = max(d.Abs, math.Abs(got-want))
	}
	if a := math.Abs(want); !math.IsNaN(a) && !math.IsInf(a, 0) {
		d.Top = max(d.Top, a)
	}
}

// Rel is the largest difference in units of the largest number; 0 where all numbers are equal.
func (d *Difference) Rel() float64 {
	if d.Abs == 0 {
		return 0
	}
	return d.Abs / d.Top
}
