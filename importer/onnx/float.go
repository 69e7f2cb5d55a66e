package onnx

import "math"

// Float32 is the number that the bits stand for, exactly.
func (x F16) Float32() float32 {
	sign, exp, man := uint32(x&0x8000)<<16, uint32(x>>10&31), uint32(x&1023)
	switch {
	case exp == 31: // infinity, NaN
		return math.Float32frombits(sign | 0xff<<23 | man<<13)
	case exp > 0:
		return math.Float32frombits(sign | (exp+127-15)<<23 | man<<13)
	}
	return math.Float32frombits(sign | math.Float32bits(float32(man)*0x1p-24))
}

// Float32 is the number that the bits stand for, exactly.
func (x BF16) Float32() float32 { return math.Float32frombits(uint32(x) << 16) }

// ToF16 rounds to the nearest half-precision number, ties to even; what is too large becomes infinite.
func ToF16(x float32) F16 {
	b := math.Float32bits(x)
	sign, b := F16(b>>16&0x8000), b&0x7fffffff
	switch {
	case b > 0x7f800000: // NaN keeps its leading payload, and stays quiet
		return sign | 0x7e00 | F16(b>>13&0x3ff)
	case b >= 0x477ff000: // from 65520 on
		return sign | 0x7c00
	case b >= 0x38800000: // from 2⁻¹⁴ on: normal
		b -= (127 - 15) << 23
		return sign | F16((b+0xfff+b>>13&1)>>13)
	}
	// Subnormal: adding a number whose last place is 2⁻²⁴ rounds x to that place.
	return sign | F16(math.Float32bits(math.Float32frombits(b)+0.5)-math.Float32bits(0.5))
}

// ToBF16 rounds to the nearest bfloat16 number, ties to even; what is too large becomes infinite.
func ToBF16(x float32) BF16 {
	b := math.Float32bits(x)
	if b&0x7fffffff > 0x7f800000 { // NaN keeps its leading payload, and stays quiet
		return BF16(b>>16) | 0x40
	}
	return BF16((b + 0x7fff + b>>16&1) >> 16)
}

// smallFloat is a format of at most 8 bits: a sign, exp bits of exponent and man of mantissa.
type smallFloat struct {
	exp, man int
	bias     int
	special  special
}

// special tells which bits of a small float are no ordinary number.
type special int

const (
	finite    special = iota // all are numbers
	ieee                     // exponent all ones: infinity, NaN
	onesNaN                  // exponent and mantissa all ones: NaN; no infinity ("fn")
	signedNaN                // what would be −0: NaN; no infinity ("fnuz")
	unsigned                 // no sign: the powers of two, all ones NaN
)

// The formats of Micikevicius et al. 2022 (arXiv 2209.05433), Noune et al. 2022 (arXiv 2206.02915) and the OCP
// Microscaling Formats specification 1.0.
var smallFloats = map[DataType]smallFloat{
	Float8E4M3FN:   {4, 3, 7, onesNaN},
	Float8E4M3FNUZ: {4, 3, 8, signedNaN},
	Float8E5M2:     {5, 2, 15, ieee},
	Float8E5M2FNUZ: {5, 2, 16, signedNaN},
	Float8E8M0:     {8, 0, 127, unsigned},
	Float6E2M3:     {2, 3, 1, finite},
	Float6E3M2:     {3, 2, 3, finite},
	Float4E2M1:     {2, 1, 1, finite},
}

// table lists the numbers that the format's bits stand for.
func (f smallFloat) table() [256]float32 {
	var out [256]float32
	n := 1 << (1 + f.exp + f.man)
	if f.special == unsigned {
		n >>= 1
	}
	for b := range n {
		out[b] = f.value(b, n)
	}
	return out
}

func (f smallFloat) value(b, n int) float32 {
	nan := float32(math.NaN())
	if f.special == unsigned {
		if b == n-1 {
			return nan
		}
		return float32(math.Ldexp(1, b-f.bias))
	}
	sign, b := 1.0, b
	if b >= n/2 {
		sign, b = -1, b-n/2
	}
	exp, man := b>>f.man, b&(1<<f.man-1)
	switch {
	case f.special == ieee && exp == 1<<f.exp-1:
		if man != 0 {
			return nan
		}
		return float32(math.Inf(int(sign)))
	case f.special == onesNaN && b == n/2-1, f.special == signedNaN && b == 0 && sign < 0:
		return nan
	case exp == 0: // subnormal, and both zeros
		return float32(math.Copysign(math.Ldexp(float64(man), 1-f.bias-f.man), sign))
	}
	return float32(sign * math.Ldexp(float64(man+1<<f.man), exp-f.bias-f.man))
}
