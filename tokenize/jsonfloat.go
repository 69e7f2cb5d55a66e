package tokenize

import (
	"errors"
	"fmt"
	"math"
	"strconv"
)

// maxExponent is beyond what any number has.
const maxExponent = 1 << 20

// libraryFloat reads a JSON number as the library does (serde_json without its feature float_roundtrip): the digits as an
// integer, then one multiplication or division by a power of ten. That is an ulp off now and then, and so decides which
// of two ways of equal score is taken.
func libraryFloat(text []byte) (float64, error) {
	i, negative := 0, false
	if i < len(text) && text[i] == '-' {
		i, negative = 1, true
	}
	var digits uint64
	exponent, full := 0, false
	for part := 0; part < 2; part++ { // before and after the point
		for ; i < len(text) && text[i] >= '0' && text[i] <= '9'; i++ {
			d := uint64(text[i] - '0')
			if full = full || digits > (math.MaxUint64-d)/10; !full {
				digits = digits*10 + d
				exponent -= part
			} else {
				exponent += 1 - part
			}
		}
		if part == 0 && (i >= len(text) || text[i] != '.') {
			break
		}
		if part == 0 {
			i, full = i+1, false
		}
	}
	if i < len(text) && (text[i] == 'e' || text[i] == 'E') {
		e, err := strconv.Atoi(string(text[i+1:]))
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return 0, fmt.Errorf("%.50s is no number", text)
		}
		exponent += max(-maxExponent, min(e, maxExponent))
		i = len(text)
	}
	if i != len(text) || len(text) == 0 {
		return 0, fmt.Errorf("%.50s is no number", text)
	}
	f := float64(digits)
	for exponent < -308 && f != 0 {
		f /= 1e308
		exponent += 308
	}
	switch {
	case f == 0:
	case exponent > 308:
		f = math.Inf(1)
	case exponent >= 0:
		f *= math.Pow10(exponent)
	default:
		f /= math.Pow10(-exponent)
	}
	if math.IsInf(f, 0) {
		return 0, fmt.Errorf("the number %.50s is out of range", text)
	}
	if negative {
		f = -f
	}
	return f, nil
}
