package kernel

import (
	"fmt"
	"math"
)

// Precision is that of the operands of products with packed matrices. Everything else is float32.
type Precision int

// The precisions of packed matrices.
const (
	Float32       Precision = iota // float32
	BFloat16                       // bfloat16 operands, float32 sums
	TensorFloat32                  // operands of 8 bits of exponent and 10 of mantissa, float32 sums
)

var precisionNames = [...]string{"f32", "bf16", "tf32"}

// String is the precision's name: "f32", "bf16" or "tf32".
func (p Precision) String() string {
	if p < 0 || int(p) >= len(precisionNames) {
		return fmt.Sprintf("Precision(%d)", int(p))
	}
	return precisionNames[p]
}

// Bytes is the size of an element of a packed matrix.
func (p Precision) Bytes() int {
	if p == BFloat16 {
		return 2
	}
	return 4
}

// PrecisionAuto is the name that ParsePrecision resolves by what a device has.
const PrecisionAuto = "auto"

// ParsePrecision returns the precision of a name: f32 (or nothing), bf16, tf32 where k's device multiplies it, or auto,
// which is bf16 where the device has instructions for it and f32 elsewhere.
func ParsePrecision(name string, k Kernels) (Precision, error) {
	switch name {
	case "", Float32.String():
		return Float32, nil
	case BFloat16.String():
		return BFloat16, nil
	case TensorFloat32.String():
		if !k.Native(TensorFloat32) {
			return Float32, fmt.Errorf("the precision tf32 is one of GPUs: %s has no instructions for it (f32 and bf16 run everywhere)", k.Name())
		}
		return TensorFloat32, nil
	case PrecisionAuto:
		if k.Native(BFloat16) {
			return BFloat16, nil
		}
		return Float32, nil
	}
	return Float32, fmt.Errorf("a precision can be f32, tf32, bf16 or auto, not %q", name)
}

// RoundBF16 is x rounded to bfloat16, the upper 16 bits of float32: to the nearest, ties to even; NaN stays NaN. Devices
// may take subnormal numbers as zero instead.
func RoundBF16(x float32) uint16 {
	b := math.Float32bits(x)
	if x != x {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// WidenBF16 is the float32 of a bfloat16.
func WidenBF16(x uint16) float32 { return math.Float32frombits(uint32(x) << 16) }
