package kernel_test

import (
	"math"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/portable"
)

// native is a device with instructions for every precision.
type native struct{ kernel.Kernels }

func (native) Native(kernel.Precision) bool { return true }

func TestPrecisionsHaveNames(t *testing.T) {
	for _, c := range []struct {
		name string
		k    kernel.Kernels
		want kernel.Precision
	}{
		{"", native{}, kernel.Float32}, {"f32", native{}, kernel.Float32}, {"bf16", portable.New(), kernel.BFloat16},
		{"auto", portable.New(), kernel.Float32}, {"auto", native{}, kernel.BFloat16},
	} {
		if got, err := kernel.ParsePrecision(c.name, c.k); err != nil || got != c.want {
			t.Errorf("%q gives %v, %v; want %v", c.name, got, err, c.want)
		}
	}
	if _, err := kernel.ParsePrecision("f16", native{}); err == nil || !strings.Contains(err.Error(), `"f16"`) {
		t.Errorf("f16: error %v", err)
	}
	if got := kernel.Precision(7).String(); got != "Precision(7)" {
		t.Errorf("got %s", got)
	}
}

// Every bfloat16 is itself; between two neighbours the nearer is taken, and the even one of equals.
func TestRoundingToBFloat16(t *testing.T) {
	for b := range 1 << 16 {
		x := kernel.WidenBF16(uint16(b))
		got := kernel.RoundBF16(x)
		if x != x {
			if y := kernel.WidenBF16(got); y == y {
				t.Fatalf("NaN %#x becomes %g", b, y)
			}
			continue
		}
		if got != uint16(b) {
			t.Fatalf("%g, which is %#x, becomes %#x", x, b, got)
		}
		if math.IsInf(float64(x), 0) {
			continue
		}
		word := uint32(b) << 16
		for _, c := range []struct {
			low  uint32
			want int
		}{{0x7fff, b}, {0x8000, b + b&1}, {0x8001, b + 1}, {0xffff, b + 1}} {
			if got := kernel.RoundBF16(math.Float32frombits(word | c.low)); int(got) != c.want {
				t.Fatalf("%#x becomes %#x, want %#x", word|c.low, got, c.want)
			}
		}
	}
	for _, b := range []uint32{0x7fffffff, 0xffffffff, 0x7f800001, 0xff800001} {
		if y := kernel.WidenBF16(kernel.RoundBF16(math.Float32frombits(b))); y == y {
			t.Errorf("NaN %#x becomes %g", b, y)
		}
	}
}
