package peft_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/peft"
)

// places are those of an encoder of two layers, hidden size 8 and feed-forward size 16.
func places() []peft.Place {
	var out []peft.Place
	for i, l := range []string{"encoder.layer.0.", "encoder.layer.1."} {
		for _, p := range []struct {
			name    string
			in, out int
		}{{"attention.self.query", 8, 8}, {"attention.self.value", 8, 8}, {"attention.output.dense", 8, 8}, {"intermediate.dense", 8, 16}, {"output.dense", 16, 8}} {
			out = append(out, peft.Place{Name: l + p.name, Kind: peft.Projection, Layer: i, In: p.in, Out: p.out})
		}
		out = append(out, peft.Place{Name: l + "output", Kind: peft.LayerOutput, Layer: i, In: 8, Out: 8})
	}
	return append(out, peft.Place{Name: "top", Kind: peft.Top, Layer: 1, In: 8, Out: 8})
}

func names(ps []peft.Param) (out []string) {
	for _, p := range ps {
		out = append(out, p.Name)
	}
	return out
}

// Targets match whole parts of a name, as PEFT's target_modules do: "dense" is not in "intermediate", and "output.dense"
// is in both "attention.output.dense" and "output.dense".
func TestTargetsMatchAtDots(t *testing.T) {
	for target, want := range map[string]int{"query": 2, "dense": 6, "output.dense": 4, "attention.output.dense": 2,
		"encoder.layer.1.output.dense": 1, "ense": 0, "self": 0} {
		m := peft.LoRA{R: 2, Alpha: 2, Targets: []string{target}}
		if got := len(peft.Params(m, places())) / 2; got != want {
			t.Errorf("%q matches %d projections, want %d", target, got, want)
		}
		if err := m.Check(places()); (err == nil) != (want > 0) {
			t.Errorf("%q: error %v", target, err)
		}
	}
}

func TestLoRAShapesRanksAndScales(t *testing.T) {
	m := peft.LoRA{R: 4, Alpha: 6, Targets: []string{"query", "output.dense"}, Ranks: map[string]int{"attention.output.dense": 3}}
	ps := peft.Params(m, places())
	for _, p := range ps {
		r := 4
		if strings.Contains(p.Name, "attention.output.dense") {
			r = 3
		}
		in, out := 8, 8
		if strings.HasSuffix(strings.TrimSuffix(p.Name, ".lora_A.weight"), "0.output.dense") || strings.HasSuffix(strings.TrimSuffix(p.Name, ".lora_A.weight"), "1.output.dense") {
			in = 16
		}
		want := []int{out, r}
		if strings.HasSuffix(p.Name, "lora_A.weight") {
			want = []int{r, in}
		}
		if !slices.Equal(p.Shape, want) {
			t.Errorf("%s has shape %v, want %v", p.Name, p.Shape, want)
		}
	}
	for _, p := range places() {
		s, ok := m.Scale(p)
		want := float32(1.5)
		if strings.HasSuffix(p.Name, "attention.output.dense") {
			want = 2
		}
		if ok && s != want {
			t.Errorf("%s is scaled by %v, want %v", p.Name, s, want)
		}
	}
}

func TestBottlenecksSitWhereTheyShould(t *testing.T) {
	every := peft.Params(peft.Bottleneck{Where: peft.LayerOutput, Size: 3, Activation: kernel.ReLU}, places())
	if want := []string{"encoder.layer.0.output.adapter_down.weight", "encoder.layer.0.output.adapter_down.bias",
		"encoder.layer.0.output.adapter_up.weight", "encoder.layer.0.output.adapter_up.bias"}; len(every) != 8 || !slices.Equal(names(every[:4]), want) {
		t.Errorf("got %v", names(every))
	}
	top := peft.Params(peft.Bottleneck{Where: peft.Top, Size: 3}, places())
	if len(top) != 4 || !slices.Equal(top[0].Shape, []int{3, 8}) || !slices.Equal(top[2].Shape, []int{8, 3}) {
		t.Errorf("got %+v", top)
	}
}

func TestSettingsThatMeanNothingAreRefused(t *testing.T) {
	for want, m := range map[string]peft.Method{
		"the rank is 0":           peft.LoRA{Targets: []string{"query"}},
		"the rank of \"query\"":   peft.LoRA{R: 1, Targets: []string{"query"}, Ranks: map[string]int{"query": 0}},
		"no target module":        peft.LoRA{R: 1},
		"no projection is called": peft.LoRA{R: 1, Targets: []string{"query", "q_lin"}},
		"want at least 1":         peft.Bottleneck{Where: peft.Top},
		"cannot sit at":           peft.Bottleneck{Where: peft.Projection, Size: 2},
	} {
		if err := m.Check(places()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want one with %q", m, err, want)
		}
	}
	if err := (peft.Bottleneck{Where: peft.Top, Size: 2}).Check(places()[:3]); err == nil {
		t.Error("an encoder without a top takes an adapter there")
	}
	if err := (peft.LoRA{R: 1, Targets: []string{"q_lin"}}).Check(places()); !strings.Contains(err.Error(), "attention.self.query") {
		t.Errorf("the message does not say what there is: %v", err)
	}
}

// Starting values: zero, normal and uniform, with the moments that they should have. The mean of n draws strays by
// 4σ/√n in one of 16,000 cases; the seed is fixed.
func TestStartingValues(t *testing.T) {
	const n = 20000
	r := func() *rand.Rand { return rand.New(rand.NewPCG(5, 6)) }
	for _, v := range (peft.Init{}).Values(100, r()) {
		if v != 0 {
			t.Fatal("a parameter without a rule does not start at zero")
		}
	}
	for name, c := range map[string]struct {
		init peft.Init
		std  float64
	}{"normal": {peft.Init{Std: 0.02}, 0.02}, "uniform": {peft.Init{Bound: 0.3}, 0.3 / math.Sqrt(3)}} {
		x := c.init.Values(n, r())
		mean, square := 0.0, 0.0
		for _, v := range x {
			mean += float64(v) / n
			square += float64(v) * float64(v) / n
			if c.init.Bound > 0 && math.Abs(float64(v)) > c.init.Bound {
				t.Errorf("%s: %v is out of bounds", name, v)
			}
		}
		if std := math.Sqrt(square); math.Abs(mean) > 4*c.std/math.Sqrt(n) || math.Abs(std/c.std-1) > 0.03 {
			t.Errorf("%s: mean %v and deviation %v, want 0 and %v", name, mean, std, c.std)
		}
		if !slices.Equal(x, c.init.Values(n, r())) {
			t.Errorf("%s: one seed gives other values", name)
		}
	}
}
