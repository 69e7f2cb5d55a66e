package cpu

import (
	"errors"
	"slices"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/kerneltest"
)

// open returns a constructor of one level's Kernels.
func open(tb testing.TB, l Level) kerneltest.Open {
	return func() kernel.Kernels {
		k, err := NewLevel(l)
		if err != nil {
			tb.Fatal(err)
		}
		return k
	}
}

// each runs f for every level of this machine but Portable, which is tested where it is.
func each(t *testing.T, f func(t *testing.T, l Level)) {
	for _, l := range Levels() {
		if l != Portable {
			t.Run(l.String(), func(t *testing.T) { f(t, l) })
		}
	}
}

func TestKernels(t *testing.T) {
	each(t, func(t *testing.T, l Level) { kerneltest.Run(t, open(t, l)) })
}

func BenchmarkKernels(b *testing.B) {
	for _, l := range Levels() {
		if l != Portable {
			b.Run(l.String(), func(b *testing.B) { kerneltest.Bench(b, open(b, l)) })
		}
	}
}

func TestNewTakesTheLevelOfTheEnvironment(t *testing.T) {
	levels := Levels()
	if levels[0] != Portable || !slices.IsSorted(levels) {
		t.Fatalf("levels %v", levels)
	}
	name := func(l Level) string {
		k, err := NewLevel(l)
		if err != nil {
			t.Fatal(err)
		}
		return k.Name()
	}
	for _, l := range levels {
		t.Setenv("GRAFT_CPU", l.String())
		if got := New().Name(); got != name(l) {
			t.Errorf("GRAFT_CPU=%v gives %s", l, got)
		}
	}
	for _, value := range []string{"", "avx1024", "Level(7)"} {
		t.Setenv("GRAFT_CPU", value)
		if got, want := New().Name(), name(levels[len(levels)-1]); got != want {
			t.Errorf("GRAFT_CPU=%q gives %s, not %s", value, got, want)
		}
	}
}

func TestAbsentLevelsFallBack(t *testing.T) {
	if got := choose([]Level{Portable, Base}, "avx512"); got != Base {
		t.Errorf("avx512 gives %v where base is the best there is", got)
	}
	for _, l := range []Level{-1, 100} {
		if _, err := NewLevel(l); !errors.Is(err, ErrLevel) {
			t.Errorf("NewLevel(%d): %v", int(l), err)
		}
	}
}

func TestPeakIsARate(t *testing.T) {
	if got := Peak(0); !(got > 0) {
		t.Errorf("%g GFLOP/s", got)
	}
}
