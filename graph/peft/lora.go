package peft

import (
	"fmt"
	"slices"
	"strings"

	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/op"
)

// LoRA is low-rank adaptation (Hu et al. 2022): a projection's output gains Alpha/R · (x·Aᵀ)·Bᵀ with A [R,in] and
// B [out,R]. B starts at zero, so that the encoder starts unchanged. Names and layout are those of Hugging Face PEFT.
type LoRA struct {
	R       int
	Alpha   float64
	Targets []string       // projections whose name is, or ends in ".", one of these: "query"
	Ranks   map[string]int // other ranks for some targets, as PEFT's rank_pattern; matched like Targets
}

// Name implements Method.
func (LoRA) Name() string { return "lora" }

// At implements Method.
func (m LoRA) At(p Place) Adapter {
	if p.Kind != Projection || !slices.ContainsFunc(m.Targets, func(t string) bool { return named(p.Name, t) }) {
		return nil
	}
	a := lora{place: p, r: m.R}
	for t, r := range m.Ranks {
		if named(p.Name, t) {
			a.r = r
		}
	}
	a.scale = float32(m.Alpha / float64(a.r))
	return a
}

// Check implements Method.
func (m LoRA) Check(places []Place) error {
	if m.R < 1 {
		return fmt.Errorf("lora: the rank is %d, want at least 1", m.R)
	}
	for t, r := range m.Ranks {
		if r < 1 {
			return fmt.Errorf("lora: the rank of %q is %d, want at least 1", t, r)
		}
	}
	if len(m.Targets) == 0 {
		return fmt.Errorf("lora: no target module is named; there are %s", strings.Join(Projections(places), ", "))
	}
	for _, t := range m.Targets {
		if !slices.ContainsFunc(places, func(p Place) bool { return p.Kind == Projection && named(p.Name, t) }) {
			return fmt.Errorf("lora: no projection is called %q; there are %s", t, strings.Join(Projections(places), ", "))
		}
	}
	return nil
}

// named tells whether a module's name is t or ends in it at a dot, as PEFT matches target_modules.
func named(name, t string) bool { return name == t || strings.HasSuffix(name, "."+t) }

// Projections lists what the projections of the first layer are called below it, for messages; where no name tells the
// first layer, it lists all.
func Projections(places []Place) []string {
	var first, all []string
	for _, p := range places {
		if p.Kind != Projection {
			continue
		}
		all = append(all, p.Name)
		if _, tail, ok := strings.Cut(p.Name, ".0."); ok {
			first = append(first, tail)
		}
	}
	if len(first) == 0 {
		return all
	}
	return first
}

type lora struct {
	place Place
	r     int
	scale float32
}

func (a lora) Params() []Param {
	return []Param{
		{Name: a.place.Name + ".lora_A.weight", Shape: []int{a.r, a.place.In}, Init: kaiming(a.place.In)},
		{Name: a.place.Name + ".lora_B.weight", Shape: []int{a.place.Out, a.r}},
	}
}

func (a lora) Apply(x, y *G.Node, w G.Nodes, p kernel.Precision) (*G.Node, error) {
	u, err := op.MatMul(x, w[0], kernel.MatMul{TransB: true, Precision: p})
	if err != nil {
		return nil, err
	}
	return op.AddMatMul(y, u, w[1], kernel.MatMul{TransB: true, Alpha: a.scale, Precision: p})
}

// Scale is what the product of the two factors is multiplied by at a place.
func (m LoRA) Scale(p Place) (scale float32, ok bool) {
	a, ok := m.At(p).(lora)
	return a.scale, ok
}
