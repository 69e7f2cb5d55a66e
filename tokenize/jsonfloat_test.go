package tokenize

import (
	"math"
	"testing"
)

func TestNumbersAreReadAsTheLibraryDoes(t *testing.T) {
	for _, c := range []struct {
		text string
		want float64
	}{
		{"0", 0}, {"-0.0", 0}, {"7", 7}, {"-1.5", -1.5}, {"25e-1", 2.5}, {"1E+3", 1000}, {"1e-400", 0}, {"0e999999999999999999999", 0},
		{"123456789012345678901234567890", 123456789012345678901234567890.0},
		{"18446744073709551616.5", 18446744073709551615.0},
		{"0.1000000000000000000000000000000", 0.1},
		{"1e308", 1e308},
		{"9.791673670554541", 9.791673670554541 - 0x1p-49}, // 9791673670554541 is rounded before it is divided
	} {
		if got, err := libraryFloat([]byte(c.text)); err != nil || got != c.want {
			t.Errorf("%s = %v, %v, want %v", c.text, got, err, c.want)
		}
	}
	for _, text := range []string{"", "-", "x", "1x", "1e", "1e999", "1.5.5", "1e5x"} {
		if got, err := libraryFloat([]byte(text)); err == nil && !math.IsNaN(got) && text != "-" {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}
