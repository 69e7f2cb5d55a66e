package lower_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/cpu"
	"github.com/seed-aefebe89/graft/graph/kernel/kerneltest"
	"github.com/seed-aefebe89/graft/graph/lower"
	"github.com/seed-aefebe89/graft/graph/op"
	"github.com/seed-aefebe89/graft/importer"
)

// Every operator that runs node by node, and its gradient, gives the host's bits on a device with memory of its own.
func TestOperatorsOnADevice(t *testing.T) {
	for _, name := range lower.Operators() {
		if strings.Contains(name, ".") || name == "Dropout" || name == "CastLike" || name == "Scatter" || slices.Contains(logical, name) {
			continue // as in TestGradientsMatchFiniteDifferences
		}
		t.Run(name, func(t *testing.T) {
			m, inputs := sample(t, name)
			n, err := importer.NewNodewise(m)
			if err != nil {
				t.Fatal(err)
			}
			var want [][]float32
			for _, k := range []kernel.Kernels{cpu.New(), kerneltest.NewDevice(t, cpu.New(), 1<<20)} {
				s, err := lower.NewSession(n, k, inputs)
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Feed(inputs); err != nil {
					t.Fatal(err)
				}
				var ys, seeds G.Nodes
				for _, y := range s.Outputs {
					seed := G.NewTensor(y.Graph(), tensor.Float32, 1, G.WithShape(y.Shape()...), G.WithName("seed of "+y.Name()))
					x := make([]float32, y.Shape()[0])
					for i := range x {
						x[i] = float32(i%5) - 2
					}
					s.Set(seed, kernel.F32(x, len(x)))
					ys, seeds = append(ys, y), append(seeds, seed)
				}
				roots := slices.Clone(ys)
				for i, in := range s.Program.Inputs {
					if !slices.Contains(m.Graph.Nodes[0].Inputs, in.Name) || slices.Contains(flat, name) || name == "Cast" {
						continue
					}
					g, err := op.Grad(ys, seeds, G.Nodes{s.Inputs[i]})
					if err != nil {
						t.Fatal(err)
					}
					roots = append(roots, g[0])
				}
				got, err := s.Values(context.Background(), roots...)
				if err != nil {
					t.Fatal(err)
				}
				if want == nil {
					want = got
					continue
				}
				for i := range want {
					if !slices.EqualFunc(got[i], want[i], func(a, b float32) bool {
						return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
					}) {
						t.Errorf("value %d is %v on the device, %v on the host", i, got[i], want[i])
					}
				}
			}
		})
	}
}
