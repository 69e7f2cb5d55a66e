// Package peft holds the methods of parameter-efficient fine-tuning: where their parts sit in an encoder, what those
// are called, how they start and how they join the expression graph.
package peft

import (
	"fmt"
	"math"
	"math/rand/v2"

	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Place is a spot of an encoder where a method may add something.
type Place struct {
	Name  string    // the module's Hugging Face name: "encoder.layer.3.attention.self.query"
	Kind  PlaceKind //
	Layer int       // counted from 0; −1 outside of the layers
	In    int       // columns of what goes in: a projection's input, else the hidden size
	Out   int       // columns of what comes out
}

// PlaceKind says what x and y are for the adapters at a Place (Adapter.Apply).
type PlaceKind int

const (
	// Projection is a linear map by a weight: x its input [T,In], y its output [T,Out].
	Projection PlaceKind = iota
	// LayerOutput is the end of a layer's feed-forward part: y is the part's output [T,H] before the residual is added
	// and normalised, x is the normalised sum that the layer would give without an adapter. In an encoder that runs node by
	// node x and y are both what leaves the layer [batch·sequence,H].
	LayerOutput
	// Top is the end of the encoder: x and y are its last hidden state [T,H].
	Top
)

// String is the kind's name in reports.
func (k PlaceKind) String() string { return [...]string{"projection", "layer output", "top"}[k] }

// Method is one way of parameter-efficient fine-tuning, with its settings.
type Method interface {
	// Name is the method's short name, as on the command line: "lora".
	Name() string
	// At returns what the method adds at p, or nil where it adds nothing.
	At(p Place) Adapter
	// Check returns an error where the settings make no sense, or ask for a place that the encoder lacks.
	Check(places []Place) error
}

// Adapter is what a method adds at one Place.
type Adapter interface {
	// Params lists the trainable parameters, in the order in which Apply takes their nodes.
	Params() []Param
	// Apply adds the adapter to the graph: it returns what takes the place of y. Kind tells what x and y are. p is the
	// precision of the products' operands on devices that take kernel.MatMul's; parameters and sums are float32 throughout.
	Apply(x, y *G.Node, w G.Nodes, p kernel.Precision) (*G.Node, error)
}

// Param is a trainable parameter of an adapter or a head.
type Param struct {
	Name  string // below the place: "encoder.layer.3.attention.self.query.lora_A.weight"
	Shape []int
	Init  Init
}

// Init says how a parameter starts.
type Init struct {
	Std   float64 // > 0: normal with this standard deviation
	Bound float64 // > 0: uniform in ±Bound
} // neither: zero

// Values returns n starting values drawn from r.
func (i Init) Values(n int, r *rand.Rand) []float32 {
	x := make([]float32, n)
	for k := range x {
		switch {
		case i.Std > 0:
			x[k] = float32(i.Std * r.NormFloat64())
		case i.Bound > 0:
			x[k] = float32(i.Bound * (2*r.Float64() - 1))
		}
	}
	return x
}

// Size is the number of elements of the parameter.
func (p Param) Size() int {
	n := 1
	for _, d := range p.Shape {
		n *= d
	}
	return n
}

// Params lists the parameters that a method adds to an encoder with these places.
func Params(m Method, places []Place) []Param {
	var out []Param
	for _, p := range places {
		if a := m.At(p); a != nil {
			out = append(out, a.Params()...)
		}
	}
	return out
}

// HeadParams are the weight [labels,hidden] and bias [labels] of a token classification head: logits = x·Wᵀ + b.
func HeadParams(labels, hidden int) []Param {
	return []Param{
		{Name: "classifier.weight", Shape: []int{labels, hidden}, Init: Init{Std: 0.02}},
		{Name: "classifier.bias", Shape: []int{labels}},
	}
}

// kaiming is PyTorch's default for the weight of a linear map, which PEFT keeps for lora_A: uniform in ±1/√in
// (He et al. 2015 with a = √5).
func kaiming(in int) Init { return Init{Bound: 1 / math.Sqrt(float64(in))} }

// needPlaces returns an error unless some place has the kind.
func needPlaces(method string, places []Place, k PlaceKind) error {
	for _, p := range places {
		if p.Kind == k {
			return nil
		}
	}
	return fmt.Errorf("%s: the encoder has no %s that was recognised; lora and top need none", method, k)
}
