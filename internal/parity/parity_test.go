package parity_test

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/seed-aefebe89/graft/internal/parity"
)

func TestDifferenceIsOfTheLargestNumber(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for name, c := range map[string]struct {
		got, want []float64
		abs, rel  float64
	}{
		"nothing":              {nil, nil, 0, 0},
		"equal":                {[]float64{1, nan, -inf}, []float64{1, nan, -inf}, 0, 0},
		"by a half of four":    {[]float64{1.5, -4}, []float64{1, -4}, 0.5, 0.125},
		"from zeros":           {[]float64{1}, []float64{0}, 1, inf},
		"NaN on one side":      {[]float64{nan, 1}, []float64{2, 1}, inf, inf},
		"infinite on one side": {[]float64{2}, []float64{inf}, inf, inf},
		"of another sign":      {[]float64{inf}, []float64{-inf}, inf, inf},
	} {
		var d parity.Difference
		for i := range c.got {
			d.Add(c.got[i], c.want[i])
		}
		if d.Abs != c.abs || d.Rel() != c.rel {
			t.Errorf("%s: %v, %v of the largest", name, d.Abs, d.Rel())
		}
	}
}

// f = Σ sin x has the gradient cos x: a wrong one is found, and the data stays.
func TestSlopeTellsAWrongGradient(t *testing.T) {
	data := []float32{0.3, -1, 2}
	start := slices.Clone(data)
	value := func() (s float64, err error) {
		for _, x := range data {
			s += math.Sin(float64(x))
		}
		return s, nil
	}
	g := make([]float32, len(data))
	for i, x := range data {
		g[i] = float32(math.Cos(float64(x)))
	}
	if rel, _, ok, err := parity.Slope(data, g, 0.01, value); !ok || err != nil || rel > 1e-4 {
		t.Errorf("%v of the gradient, %v, %v", rel, ok, err)
	}
	g[1] *= 1.1
	if rel, _, ok, err := parity.Slope(data, g, 0.01, value); !ok || err != nil || rel < 1e-2 {
		t.Errorf("a wrong gradient differs by %v, %v, %v", rel, ok, err)
	}
	if _, _, ok, err := parity.Slope(data, []float32{0, 0, 1e-9}, 0.01, value); ok || err != nil {
		t.Errorf("a gradient of nothing is compared: %v", err)
	}
	if !slices.Equal(data, start) {
		t.Errorf("the data is %v, was %v", data, start)
	}
	broken := errors.New("broken")
	if _, _, _, err := parity.Slope(data, g, 0.01, func() (float64, error) { return 0, broken }); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}
