package lower_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/lower"
	"github.com/seed-aefebe89/graft/graph/op"
	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// flat are operators whose results do not change with their inputs, where they are continuous at all.
var flat = []string{"Ceil", "Equal", "Floor", "Greater", "GreaterOrEqual", "IsNaN", "Less", "LessOrEqual", "Not", "And", "Or",
	"Round", "Sign", "Xor", "ArgMax", "ArgMin", "Hardmax", "IsInf"}

var logical = []string{"And", "IsNaN", "Not", "Or", "Xor"}

// families tells which of ops draw an operator, of those that a few thousand draws find.
var families = sync.OnceValue(func() map[string][]int {
	out := map[string][]int{}
	for i, f := range ops {
		for seed := range uint64(1500) {
			m := newMaker(seed)
			f(m)
			if n := len(m.graph.Nodes); n > 0 {
				if name := m.graph.Nodes[n-1].OpType; !slices.Contains(out[name], i) {
					out[name] = append(out[name], i)
				}
			}
		}
	}
	return out
})

// sample draws graphs that end in a node of an operator, on inputs of any numbers, and that it alone takes for itself.
func sample(t *testing.T, name string) (*onnx.Model, map[string]*fold.Array) {
	for _, family := range families()[name] {
		for seed := range uint64(4000) {
			m := newMaker(seed)
			for _, a := range m.inputs {
				for i := range a.Floats {
					a.Floats[i] = float64(float32(m.NormFloat64()))
				}
			}
			ops[family](m)
			last := len(m.graph.Nodes) - 1
			if last < 0 || m.graph.Nodes[last].OpType != name || !depends(m.graph, m.inputs) {
				continue
			}
			for _, v := range m.values {
				if slices.Contains(m.graph.Nodes[last].Outputs, v.name) {
					m.graph.Outputs = append(m.graph.Outputs, info(v))
				}
			}
			return &onnx.Model{IRVersion: 8, OpsetImport: []onnx.OperatorSet{{Version: m.opset}}, Graph: m.graph}, m.inputs
		}
	}
	t.Fatalf("no graph of %s was drawn", name)
	return nil, nil
}

// depends tells whether each node of a graph takes a floating-point input of the model, or what the node before it makes.
func depends(g *onnx.Graph, inputs map[string]*fold.Array) bool {
	before := []string{}
	for _, n := range g.Nodes {
		if !slices.ContainsFunc(n.Inputs, func(in string) bool {
			return inputs[in] != nil && inputs[in].Floats != nil || slices.Contains(before, in)
		}) {
			return false
		}
		before = n.Outputs
	}
	return true
}

// Gradients along random directions against central differences. A step of 1/2048 seldom crosses a kink, and divides
// float32's error of 1e-7 relative to 2e-4; ten times that has room for curvature.
func TestGradientsMatchFiniteDifferences(t *testing.T) {
	for _, name := range lower.Operators() {
		if strings.Contains(name, ".") || name == "Dropout" || name == "CastLike" || slices.Contains(logical, name) {
			continue // not among the random graphs' operators, but made of others'; or of conditions alone
		}
		if name == "Scatter" { // an older name of ScatterElements
			continue
		}
		t.Run(name, func(t *testing.T) {
			m, inputs := sample(t, name)
			net, err := lowered(m, inputs)
			if err != nil {
				t.Fatal(err)
			}
			if err := net.Feed(inputs); err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(3, 4))
			var ys, seeds G.Nodes
			for _, y := range net.Outputs {
				s := G.NewTensor(y.Graph(), tensor.Float32, 1, G.WithShape(y.Shape()...), G.WithName("seed of "+y.Name()))
				x := make([]float32, y.Shape()[0])
				for i := range x {
					x[i] = float32(r.NormFloat64())
				}
				net.Set(s, kernel.F32(x, len(x)))
				ys, seeds = append(ys, y), append(seeds, s)
			}
			value := func() float64 {
				values, err := net.Values(context.Background(), ys...)
				if err != nil {
					t.Fatal(err)
				}
				sum := 0.0
				for i, v := range values {
					for k, x := range v {
						sum += float64(x) * float64(net.Data(seeds[i]).F32[k])
					}
				}
				return sum
			}
			for i, in := range net.Program.Inputs {
				if !slices.ContainsFunc(m.Graph.Nodes, func(n *onnx.Node) bool { return slices.Contains(n.Inputs, in.Name) }) {
					continue
				}
				x := net.Inputs[i]
				grads, err := op.Grad(ys, seeds, G.Nodes{x})
				if slices.Contains(flat, name) || name == "Cast" {
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				g, err := net.Values(context.Background(), grads[0])
				if err != nil {
					t.Fatal(err)
				}
				start := slices.Clone(net.Data(x).F32)
				d := make([]float64, len(start))
				want, size := 0.0, 0.0
				for k := range d {
					d[k] = r.NormFloat64()
					want += d[k] * float64(g[0][k])
					size += math.Abs(d[k] * float64(g[0][k]))
				}
				at := func(h float64) float64 {
					for k := range start {
						net.Data(x).F32[k] = start[k] + float32(h*d[k])
					}
					return value()
				}
				const h = 1.0 / 2048
				got := (at(h) - at(-h)) / (2 * h)
				copy(net.Data(x).F32, start)
				if math.Abs(got-want) > 2e-3*(size+1) {
					t.Errorf("%s: %v along a direction, want %v\n%s", in.Name, got, want, show(m))
				}
			}
		})
	}
}

// Operators that are flat have no gradient, or one of zeros.
func TestFlatOperatorsHaveNoGradient(t *testing.T) {
	for _, name := range flat {
		if slices.Contains(logical, name) {
			continue
		}
		m, inputs := sample(t, name)
		net, err := lowered(m, inputs)
		if err != nil {
			t.Fatal(err)
		}
		if err := net.Feed(inputs); err != nil {
			t.Fatal(err)
		}
		y := net.Outputs[0]
		seed := G.NewTensor(y.Graph(), tensor.Float32, 1, G.WithShape(y.Shape()...), G.WithName("seed"))
		net.Set(seed, kernel.F32(slices.Repeat([]float32{1}, y.Shape()[0]), y.Shape()[0]))
		grads, err := op.Grad(G.Nodes{y}, G.Nodes{seed}, net.Inputs[:1])
		if err != nil {
			continue
		}
		g, err := net.Values(context.Background(), grads...)
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(g[0], func(v float32) bool { return v != 0 }) {
			t.Errorf("%s has the gradient %v", name, g[0])
		}
	}
}
