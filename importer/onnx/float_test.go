package onnx

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestF16HoldsEveryHalfAndRoundsToNearest(t *testing.T) {
	for b := range 1 << 16 {
		x := F16(b)
		f := x.Float32()
		if nan := b&0x7c00 == 0x7c00 && b&0x3ff != 0; nan {
			if f == f || ToF16(f)&0x7c00 != 0x7c00 || ToF16(f)&0x3ff == 0 {
				t.Fatalf("%#04x is NaN, got %v and back %#04x", b, f, ToF16(f))
			}
		} else if ToF16(f) != x {
			t.Fatalf("%#04x → %v → %#04x", b, f, ToF16(f))
		}
		// Between x and the next number away from zero: the nearer one, at the middle the even one.
		if b&0x7fff >= 0x7bff {
			continue
		}
		next := (x + 1).Float32()
		middle := float32((float64(f) + float64(next)) / 2) // exact
		even := x + x&1
		below, above := math.Nextafter32(middle, f), math.Nextafter32(middle, next)
		if ToF16(middle) != even || ToF16(below) != x || ToF16(above) != x+1 {
			t.Fatalf("around the middle of %#04x and the next: %#04x %#04x %#04x", b, ToF16(below), ToF16(middle), ToF16(above))
		}
	}
	for _, tc := range []struct {
		x    float32
		want F16
	}{
		{65519.996, 0x7bff}, {65520, 0x7c00}, {math.MaxFloat32, 0x7c00}, {float32(math.Inf(-1)), 0xfc00},
		{0x1p-25, 0}, {0x1.000002p-25, 1}, {-0x1p-26, 0x8000}, {1e-45, 0},
	} {
		if got := ToF16(tc.x); got != tc.want {
			t.Errorf("ToF16(%v) = %#04x, want %#04x", tc.x, got, tc.want)
		}
	}
}

func TestBF16RoundsToNearest(t *testing.T) {
	for b := range 1 << 16 {
		x := BF16(b)
		if f := x.Float32(); f == f && ToBF16(f) != x {
			t.Fatalf("%#04x → %v → %#04x", b, f, ToBF16(f))
		} else if f != f && ToBF16(f).Float32() == ToBF16(f).Float32() {
			t.Fatalf("%#04x is NaN and came back as %#04x", b, ToBF16(f))
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		f := math.Float32frombits(rng.Uint32())
		if f != f || math.Abs(float64(f)) > 3e38 {
			continue
		}
		down := BF16(math.Float32bits(f) >> 16)
		up := down + 1
		toDown := math.Abs(float64(f) - float64(down.Float32()))
		toUp := math.Abs(float64(up.Float32()) - float64(f))
		want := down
		if toUp < toDown || toUp == toDown && down&1 == 1 {
			want = up
		}
		if got := ToBF16(f); got != want {
			t.Fatalf("ToBF16(%v) = %#04x, want %#04x", f, got, want)
		}
	}
}

// The numbers of the formats' papers: largest, least normal, least, and what the special codes mean.
func TestSmallFloatFormats(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, tc := range []struct {
		typ  DataType
		code byte
		want float32
	}{
		{Float8E4M3FN, 0x7e, 448}, {Float8E4M3FN, 0x08, 0x1p-6}, {Float8E4M3FN, 0x01, 0x1p-9},
		{Float8E4M3FN, 0x7f, nan}, {Float8E4M3FN, 0xff, nan}, {Float8E4M3FN, 0x80, 0},
		{Float8E5M2, 0x7b, 57344}, {Float8E5M2, 0x04, 0x1p-14}, {Float8E5M2, 0x01, 0x1p-16},
		{Float8E5M2, 0x7c, inf}, {Float8E5M2, 0xfc, -inf}, {Float8E5M2, 0x7d, nan}, {Float8E5M2, 0xff, nan},
		{
			Float8E4M3FNUZ, 0x7f, 240}, {Float8E4M3FNUZ, 0x08, 0x1p-7}, {Float8E4M3FNUZ, 0x01,
			0x1p-10}, {Float8E4M3FNUZ, 0x80, nan},
		{
			Float8E5M2FNUZ, 0x7f, 57344}, {Float8E5M2FNUZ, 0x04, 0x1p-15}, {Float8E5M2FNUZ, 0x01,
			0x1p-17}, {Float8E5M2FNUZ, 0x80, nan},
		{Float8E8M0, 0x00, 0x1p-127}, {Float8E8M0, 0xfe, 0x1p127}, {Float8E8M0, 0xff, nan},
		{Float4E2M1, 0x7, 6}, {Float4E2M1, 0x1, 0.5}, {Float4E2M1, 0x2, 1}, {Float4E2M1, 0xf, -6},
		{Float6E2M3, 0x1f, 7.5}, {Float6E2M3, 0x08, 1}, {Float6E2M3, 0x01, 0.125},
		{Float6E3M2, 0x1f, 28}, {Float6E3M2, 0x04, 0.25}, {Float6E3M2, 0x01, 0.0625}, {Float6E3M2, 0x3f, -28},
	} {
		table := smallFloats[tc.typ].table()
		if got := table[tc.code]; got != tc.want && !(got != got && tc.want != tc.want) {
			t.Errorf("%v %#02x = %v, want %v", tc.typ, tc.code, got, tc.want)
		}
	}
}
