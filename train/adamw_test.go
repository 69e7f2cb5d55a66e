package train_test

import (
	"math"
	"math/rand/v2"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/train"
)

// valueGrad is a parameter as gorgonia's solvers take it.
type valueGrad struct{ v, g *tensor.Dense }

func (p valueGrad) Value() G.Value         { return p.v }
func (p valueGrad) Grad() (G.Value, error) { return p.g, nil }

// optimiser is an optimiser of one parameter with a gradient of zero.
func optimiser(t *testing.T, p *graph.Param, decay float64) (*train.AdamW, *graph.Vector) {
	t.Helper()
	k := kernels()[0]
	o, err := train.NewAdamW(k, []*graph.Param{p}, decay)
	if err != nil {
		t.Fatal(err)
	}
	g, err := graph.NewVector(k, []*graph.Param{p})
	if err != nil {
		t.Fatal(err)
	}
	return o, g
}

// Without weight decay AdamW is Adam, which gorgonia has: both take the same steps, up to the rounding of float32 in a
// different order of operations (1e-6 of a step).
func TestAdamWAgreesWithGorgoniasAdam(t *testing.T) {
	const n, steps, lr = 37, 20, 0.01
	r := rand.New(rand.NewPCG(1, 2))
	p := &graph.Param{Name: "p", Shape: []int{n}, Data: make([]float32, n)}
	theirs := make([]float32, n)
	for i := range p.Data {
		p.Data[i] = float32(r.NormFloat64())
		theirs[i] = p.Data[i]
	}
	o, g0 := optimiser(t, p, 0)
	solver := G.NewAdamSolver(G.WithLearnRate(lr))
	g := make([]float32, n)
	vg := valueGrad{tensor.New(tensor.WithBacking(theirs), tensor.WithShape(n)), tensor.New(tensor.WithBacking(g), tensor.WithShape(n))}
	for range steps {
		grad := make([]float32, n)
		for i := range grad {
			grad[i] = float32(r.NormFloat64())
			g[i] = grad[i] // the solver zeroes its own
		}
		g0.Load([][]float32{grad})
		if err := o.Step(kernels(), g0, lr, 0); err != nil {
			t.Fatal(err)
		}
		if err := solver.Step([]G.ValueGrad{vg}); err != nil {
			t.Fatal(err)
		}
		for i := range theirs {
			if d := math.Abs(float64(p.Data[i] - theirs[i])); d > 2e-6 {
				t.Fatalf("element %d: %v, gorgonia has %v", i, p.Data[i], theirs[i])
			}
		}
	}
}

// Decay is decoupled: with no gradient a weight shrinks by lr·decay a step.
func TestWeightDecayIsDecoupled(t *testing.T) {
	p := &graph.Param{Name: "p", Shape: []int{1}, Data: []float32{2}}
	o, g := optimiser(t, p, 0.1)
	if err := o.Step(kernels(), g, 0.5, 0); err != nil {
		t.Fatal(err)
	}
	if want := 2 * (1 - 0.05); math.Abs(float64(p.Data[0])-want) > 1e-6 {
		t.Errorf("got %v, want %v", p.Data[0], want)
	}
}

func TestLinearRisesAndFalls(t *testing.T) {
	want := []float64{0.25, 0.5, 0.75, 1, 5. / 6, 4. / 6, 0.5, 2. / 6, 1. / 6}
	for step, w := range want {
		if got := train.Linear(1, step, 3, 9); math.Abs(got-w) > 1e-9 {
			t.Errorf("step %d: rate %v, want %v", step, got, w)
		}
	}
	if got := train.Linear(2, 0, 0, 10); got != 2 {
		t.Errorf("without warm-up the first rate is %v", got)
	}
}
