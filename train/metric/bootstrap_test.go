package metric_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/train/metric"
)

// system makes the counts of a system that finds each of n sentences' single entity with probability p.
func system(rng *rand.Rand, n int, p float64) []metric.Counts {
	counts := make([]metric.Counts, n)
	for i := range counts {
		counts[i] = metric.Counts{Predicted: 1, Gold: 1}
		if rng.Float64() < p {
			counts[i].TP = 1
		}
	}
	return counts
}

// With one entity predicted for the one entity of each sentence, F1 is the share found: its difference has the
// standard error √(var(x)/n), x the difference in a sentence, and the 95 % interval is 1.96 of these to each side.
func TestBootstrapMatchesTheNormalInterval(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const n = 2000
	a, b := system(rng, n, 0.6), system(rng, n, 0.65)
	got, err := metric.Bootstrap(a, b, metric.BootstrapOptions{Resamples: 4000, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	var sum, squares float64
	for i := range a {
		x := float64(b[i].TP - a[i].TP)
		sum += x
		squares += x * x
	}
	mean := sum / n
	half := 1.96 * math.Sqrt((squares/n-mean*mean)/n)
	if math.Abs(got.Difference-mean) > 1e-12 {
		t.Errorf("difference %v, want %v", got.Difference, mean)
	}
	// The quantiles of 4,000 resamples vary by about 4 % of the half width.
	if math.Abs(got.Low-(mean-half)) > 0.15*half || math.Abs(got.High-(mean+half)) > 0.15*half {
		t.Errorf("interval %v to %v, want about %v to %v", got.Low, got.High, mean-half, mean+half)
	}
	wider, err := metric.Bootstrap(a, b, metric.BootstrapOptions{Resamples: 4000, Seed: 3, Level: 0.99})
	if err != nil || wider.Low >= got.Low || wider.High <= got.High {
		t.Errorf("99 %% interval %+v, error %v, within %+v", wider, err, got)
	}
}

func TestBootstrapIsPairedAndSeeded(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 5))
	a := system(rng, 300, 0.5)
	same, err := metric.Bootstrap(a, a, metric.BootstrapOptions{})
	if err != nil || same.Low != 0 || same.High != 0 || same.Above != 0 || same.Resamples != 1000 || same.Level != 0.95 {
		t.Errorf("a system against itself: %+v, error %v", same, err)
	}
	b := system(rng, 300, 0.8)
	first, err := metric.Bootstrap(a, b, metric.BootstrapOptions{Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	if second, err := metric.Bootstrap(a, b, metric.BootstrapOptions{Seed: 7}); err != nil || second != first {
		t.Errorf("the same seed: %+v and %+v, error %v", first, second, err)
	}
	if other, err := metric.Bootstrap(a, b, metric.BootstrapOptions{Seed: 8}); err != nil || other == first {
		t.Errorf("another seed: %+v again, error %v", other, err)
	}
	if first.Low <= 0 || first.Above != 1 {
		t.Errorf("a far better system: %+v", first)
	}
}

func TestBootstrapRefuses(t *testing.T) {
	one, two := []metric.Counts{{1, 1, 1}}, []metric.Counts{{1, 1, 2}}
	tests := []struct {
		name string
		a, b []metric.Counts
		o    metric.BootstrapOptions
		want string
	}{
		{"no sentences", nil, nil, metric.BootstrapOptions{}, "0 and 0 sentences"},
		{"lengths", one, append(one, one...), metric.BootstrapOptions{}, "1 and 2 sentences"},
		{"other gold", one, two, metric.BootstrapOptions{}, "sentence 0 has 1 gold entities for one system and 2"},
		{"resamples", one, one, metric.BootstrapOptions{Resamples: -1}, "-1 resamples"},
		{"level", one, one, metric.BootstrapOptions{Level: 1}, "level 1"},
		{"not a level", one, one, metric.BootstrapOptions{Level: math.NaN()}, "level NaN"},
	}
	for _, tt := range tests {
		if _, err := metric.Bootstrap(tt.a, tt.b, tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want a part %q", tt.name, err, tt.want)
		}
	}
}

func TestPoolAddsRuns(t *testing.T) {
	got, err := metric.Pool([]metric.Counts{{1, 2, 3}, {0, 0, 1}}, []metric.Counts{{2, 2, 3}, {1, 1, 1}})
	if err != nil || len(got) != 2 || got[0] != (metric.Counts{3, 4, 6}) || got[1] != (metric.Counts{1, 1, 2}) {
		t.Errorf("got %v, error %v", got, err)
	}
	if _, err := metric.Pool(); err == nil {
		t.Error("no runs: no error")
	}
	if _, err := metric.Pool(got, got[:1]); err == nil {
		t.Error("runs of different length: no error")
	}
}
