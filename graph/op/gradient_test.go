package op_test

import (
	"math"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/op"
)

// Each gradient along a random direction against central differences of step h and h/2, extrapolated. Values are of size
// 1 to 10 and carry float32's error of 1e-7 relative; divided by h = 0.02 that is 5e-5, and the extrapolation leaves h⁴.
func TestGradientsMatchFiniteDifferences(t *testing.T) {
	for name, build := range operators {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(5) {
				c := newTrial(t, seed+1)
				c.out = build(c)
				wrt, nodes := c.wrt()
				seedNode := c.leaf("seed", c.random(c.out.Shape()...))
				grads, err := op.Grad(G.Nodes{c.out}, G.Nodes{seedNode}, nodes)
				if err != nil {
					t.Fatal(err)
				}
				e := c.exec(append(G.Nodes{c.out}, grads...)...)
				analytic := make([][]float32, len(wrt))
				for i, g := range grads {
					analytic[i] = append([]float32(nil), c.run(e, g)...)
				}
				weights := c.in[len(c.in)-1].value.F32
				value := func() float64 {
					s := 0.0
					for i, v := range c.run(e, c.out) {
						s += float64(v) * float64(weights[i])
					}
					return s
				}
				for i, in := range wrt {
					d := c.random(in.value.Shape...).F32
					want, size := 0.0, 0.0
					for k := range d {
						want += float64(analytic[i][k]) * float64(d[k])
						size += math.Abs(float64(analytic[i][k]) * float64(d[k]))
					}
					start := append([]float32(nil), in.value.F32...)
					at := func(h float64) float64 {
						for k := range d {
							in.value.F32[k] = start[k] + float32(h)*d[k]
						}
						return value()
					}
					const h = 0.02
					got := (4*(at(h/2)-at(-h/2))/h - (at(h)-at(-h))/(2*h)) / 3
					copy(in.value.F32, start)
					if math.Abs(got-want) > 2e-3*(size+0.1) {
						t.Errorf("%s: %v along a direction, want %v", in.node.Name(), got, want)
					}
				}
			}
		})
	}
}

// Grad may be asked twice on one graph: each answer is the gradient of its own outputs alone, which gorgonia.Grad gets
// wrong.
func TestGradMayBeUsedTwice(t *testing.T) {
	c := newTrial(t, 1)
	x := c.float("x", 3, 3)
	one := c.leaf("one", kernel.F32([]float32{1, 1, 1, 1, 1, 1, 1, 1, 1}, 3, 3))
	square := c.ok(op.Mul(x, x))
	cube := c.ok(op.Mul(square, x))
	first, err := op.Grad(G.Nodes{square}, G.Nodes{one}, G.Nodes{x})
	if err != nil {
		t.Fatal(err)
	}
	second, err := op.Grad(G.Nodes{cube}, G.Nodes{one}, G.Nodes{x})
	if err != nil {
		t.Fatal(err)
	}
	again, err := op.Grad(second, G.Nodes{one}, G.Nodes{x}) // the second derivative of x³
	if err != nil {
		t.Fatal(err)
	}
	e := c.exec(first[0], second[0], again[0])
	for i, v := range c.in[0].value.F32 {
		for name, w := range map[string]struct{ got, want float32 }{
			"d x²": {c.run(e, first[0])[i], 2 * v}, "d x³": {c.run(e, second[0])[i], 3 * v * v}, "d² x³": {c.run(e, again[0])[i], 6 * v},
		} {
			if math.Abs(float64(w.got-w.want)) > 1e-5*(1+math.Abs(float64(w.want))) {
				t.Errorf("%s at %v is %v, want %v", name, v, w.got, w.want)
			}
		}
	}
}

func TestOnlyWhatIsAskedForIsAdded(t *testing.T) {
	c := newTrial(t, 1)
	y := c.ok(op.Linear(c.float("x", 5, 4), c.float("w", 4, 3), c.float("b", 3), false, kernel.Float32))
	s := c.leaf("seed", c.random(5, 3))
	before := len(c.g.AllNodes())
	if _, err := op.Grad(G.Nodes{y}, G.Nodes{s}, G.Nodes{c.in[2].node}); err != nil {
		t.Fatal(err)
	}
	if n := len(c.g.AllNodes()) - before; n != 1 {
		t.Errorf("the gradient of the bias took %d nodes, want the one ColSum", n)
	}
}

// The gradients of the parts of a value are put side by side, not added up.
func TestGradientsOfColumnsAreJoined(t *testing.T) {
	c := newTrial(t, 1)
	x := c.float("x", 5, 6)
	y := c.ok(op.Mul(c.ok(op.Columns(x, 0, 3)), c.ok(op.Columns(x, 3, 3))))
	g, err := op.Grad(G.Nodes{y}, G.Nodes{c.leaf("seed", c.random(5, 3))}, G.Nodes{x})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range op.Sort(g...) {
		if o, ok := n.Op().(*op.Op); ok && o.Name() == "Add" {
			t.Error("the gradients are added")
		}
	}
}

func TestMisuseIsAnError(t *testing.T) {
	c := newTrial(t, 1)
	x, w, v := c.float("x", 5, 4), c.float("w", 3, 4), c.float("v", 4)
	idx := c.ints("idx", 0, 1)
	for want, f := range map[string]func() (*G.Node, error){
		"inner dimensions": func() (*G.Node, error) { return op.Linear(x, w, nil, false, kernel.Float32) },
		"the bias":         func() (*G.Node, error) { return op.Linear(x, w, v, true, kernel.Float32) },
		"missing":          func() (*G.Node, error) { return op.Add(x, nil) },
		"differ in shape":  func() (*G.Node, error) { return op.Add(x, w) },
		"does not fit":     func() (*G.Node, error) { return op.MulRow(x, c.float("u", 3)) },
		"heads":            func() (*G.Node, error) { return op.Attention(x, x, x, idx, nil, kernel.Attention{Heads: 3, Scale: 1}) },
		"no columns":       func() (*G.Node, error) { return op.Columns(x, 2, 3) },
		"overlap":          func() (*G.Node, error) { return op.Join(8, []int{0, 3}, G.Nodes{x, x}) },
		"at column 1":      func() (*G.Node, error) { return op.Join(4, []int{1}, G.Nodes{x}) },
		"the angles":       func() (*G.Node, error) { return op.Rotary(x, w, w, kernel.Rotary{Heads: 2}) },
		"the window": func() (*G.Node, error) {
			return op.Attention(x, x, x, idx, nil, kernel.Attention{Heads: 2, Window: -1})
		},
		"bias has shape": func() (*G.Node, error) { return op.Attention(x, x, x, idx, x, kernel.Attention{Heads: 2}) },
		"no part 3":      func() (*G.Node, error) { return op.Part(w, 3) },
		"index vectors":  func() (*G.Node, error) { return op.Embed(G.Nodes{x}, nil) },
		"dimensions":     func() (*G.Node, error) { return op.ColSum(v) },
		"want logits":    func() (*G.Node, error) { return op.CrossEntropy(x, idx, c.float("z", 1)) },
		"do not split into 3 heads": func() (*G.Node, error) {
			return op.RelativeAttention(x, x, x, idx, op.Positions{X: x, Rows: idx}, op.Positions{}, kernel.Attention{Heads: 3, Scale: 1})
		},
		"none with a window": func() (*G.Node, error) {
			return op.RelativeAttention(x, x, x, idx, op.Positions{X: x, Rows: idx}, op.Positions{}, kernel.Attention{Heads: 1, Window: 2})
		},
		"positions without rows": func() (*G.Node, error) {
			return op.RelativeAttention(x, x, x, idx, op.Positions{X: x}, op.Positions{}, kernel.Attention{Heads: 1, Scale: 1})
		},
	} {
		if _, err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	y := c.ok(op.Add(x, x))
	if _, err := op.Grad(G.Nodes{y}, G.Nodes{x}, G.Nodes{w}); err == nil || !strings.Contains(err.Error(), `"w"`) {
		t.Errorf("a gradient that is not there: %v", err)
	}
	if _, err := op.Grad(G.Nodes{y}, nil, G.Nodes{x}); err == nil {
		t.Error("a gradient without a seed")
	}
}

// gorgonia merges nodes whose operators hash alike; ours never do.
func TestEqualOperatorsStayApart(t *testing.T) {
	c := newTrial(t, 1)
	x := c.float("x", 2, 2)
	seen := map[*G.Node]bool{x: true}
	for range 3000 {
		n := c.ok(op.Scale(x, 2))
		if seen[n] {
			t.Fatal("two nodes became one")
		}
		seen[n] = true
	}
}
