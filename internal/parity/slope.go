package parity

import "math"

// Slope holds the gradient of a value with respect to data against central differences along the gradient, in two step
// sizes and extrapolated (Richardson), so that the error of the quotient is of fourth order. It returns the relative
// difference and the gradient's norm. The steps move the value by about twice step; data is as before afterwards.
//
// A value of float32 has an error of 2⁻²⁴ of itself, which is divided by step; where the value is flat, the step is long
// and curvature leaves more, and so do the kinks of ReLU that it passes. So shorter steps are tried too where the first is
// off, down to a 256th, and the best one counts. ok is false where the gradient is too flat for that: a key's bias, say,
// moves all scores of a row alike and has none at all.
func Slope(data, gradient []float32, step float64, value func() (float64, error)) (rel, norm float64, ok bool, err error) {
	for _, g := range gradient {
		norm += float64(g) * float64(g)
	}
	if norm = math.Sqrt(norm); norm < 1e-4*step {
		return 0, norm, false, nil
	}
	start := append([]float32(nil), data...)
	defer copy(data, start)
	move := func(f float64) float64 {
		for k := range data {
			data[k] = start[k] + float32(f*float64(gradient[k])/norm)
		}
		v, failed := value()
		if failed != nil {
			err = failed
		}
		return v
	}
	rel = math.Inf(1)
	for h := step / norm; h >= step/norm/256 && rel > 1e-3; h /= 4 {
		wide, narrow := (move(h)-move(-h))/(2*h), (move(h/2)-move(-h/2))/h
		for _, slope := range []float64{(4*narrow - wide) / 3, narrow} {
			if d := math.Abs(slope-norm) / norm; d < rel {
				rel = d
			}
		}
	}
	return rel, norm, true, err
}
