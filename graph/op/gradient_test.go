package op_test

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/exec"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/portable"
	"github.com/seed-aefebe89/graft/graph/op"
)

// input is a leaf of a test graph with its values.
type input struct {
	node  *G.Node
	value kernel.Tensor
	fixed bool
}

// trial is a small graph: inputs and an output.
type trial struct {
	t   *testing.T
	g   *G.ExprGraph
	r   *rand.Rand
	in  []*input
	out *G.Node
}

func newTrial(t *testing.T, seed uint64) *trial {
	return &trial{t: t, g: G.NewGraph(), r: rand.New(rand.NewPCG(seed, 1))}
}

func (c *trial) leaf(name string, v kernel.Tensor) *G.Node {
	dt := tensor.Float32
	if v.I32 != nil {
		dt = tensor.Int32
	}
	n := G.NewTensor(c.g, dt, len(v.Shape), G.WithShape(v.Shape...), G.WithName(name))
	c.in = append(c.in, &input{node: n, value: v})
	return n
}

func (c *trial) random(shape ...int) kernel.Tensor {
	x := make([]float32, tensor.Shape(shape).TotalSize())
	for i := range x {
		x[i] = float32(c.r.NormFloat64())
	}
	return kernel.F32(x, shape...)
}

// float adds an input of random numbers, ints one of given integers.
func (c *trial) float(name string, shape ...int) *G.Node { return c.leaf(name, c.random(shape...)) }
func (c *trial) frozen(name string, v kernel.Tensor) *G.Node {
	n := c.leaf(name, v)
	c.in[len(c.in)-1].fixed = true
	return n
}
func (c *trial) ints(name string, x ...int32) *G.Node { return c.leaf(name, kernel.I32(x, len(x))) }

// constant adds an input that nothing is differentiated by.
func (c *trial) constant(name string, shape ...int) *G.Node {
	return c.frozen(name, c.random(shape...))
}

// wrt are the inputs that gradients are asked for.
func (c *trial) wrt() (in []*input, nodes G.Nodes) {
	for _, x := range c.in {
		if x.value.F32 != nil && !x.fixed {
			in, nodes = append(in, x), append(nodes, x.node)
		}
	}
	return in, nodes
}

func (c *trial) ok(n *G.Node, err error) *G.Node {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
	return n
}

// operators are all differentiable ones, in small graphs that use every input.
var operators = withNodewise(map[string]func(c *trial) *G.Node{
	"Linear": func(c *trial) *G.Node {
		return c.ok(op.Linear(c.float("x", 5, 4), c.float("w", 4, 3), c.float("b", 3), false))
	},
	"Linear trans, no bias": func(c *trial) *G.Node { return c.ok(op.Linear(c.float("x", 5, 4), c.float("w", 3, 4), nil, true)) },
	"MatMul": func(c *trial) *G.Node {
		return c.ok(op.MatMul(c.float("a", 5, 4), c.float("b", 4, 3), false, false, 1))
	},
	"MatMul aᵀ": func(c *trial) *G.Node {
		return c.ok(op.MatMul(c.float("a", 4, 5), c.float("b", 4, 3), true, false, -0.5))
	},
	"MatMul bᵀ": func(c *trial) *G.Node {
		return c.ok(op.MatMul(c.float("a", 5, 4), c.float("b", 3, 4), false, true, 2))
	},
	"MatMul aᵀbᵀ": func(c *trial) *G.Node {
		return c.ok(op.MatMul(c.float("a", 4, 5), c.float("b", 3, 4), true, true, 1.5))
	},
	"AddMatMul": func(c *trial) *G.Node {
		return c.ok(op.AddMatMul(c.float("c", 5, 3), c.float("a", 5, 4), c.float("b", 4, 3), false, 0.7))
	},
	"AddMatMul bᵀ": func(c *trial) *G.Node {
		return c.ok(op.AddMatMul(c.float("c", 5, 3), c.float("a", 5, 4), c.float("b", 3, 4), true, 1.3))
	},
	"Add":       func(c *trial) *G.Node { return c.ok(op.Add(c.float("a", 5, 3), c.float("b", 5, 3))) },
	"Mul":       func(c *trial) *G.Node { return c.ok(op.Mul(c.float("a", 5, 3), c.float("b", 5, 3))) },
	"Scale":     func(c *trial) *G.Node { return c.ok(op.Scale(c.float("x", 5, 3), -1.7)) },
	"AddRow":    func(c *trial) *G.Node { return c.ok(op.AddRow(c.float("x", 5, 3), c.float("row", 3))) },
	"MulRow":    func(c *trial) *G.Node { return c.ok(op.MulRow(c.float("x", 5, 3), c.float("row", 3))) },
	"GELU":      func(c *trial) *G.Node { return c.ok(op.Activate(c.float("x", 5, 3), kernel.GELU)) },
	"GELU tanh": func(c *trial) *G.Node { return c.ok(op.Activate(c.float("x", 5, 3), kernel.GELUTanh)) },
	"ReLU": func(c *trial) *G.Node { // away from the kink
		x := c.random(5, 3)
		for i, v := range x.F32 {
			x.F32[i] = v + float32(math.Copysign(0.5, float64(v)))
		}
		return c.ok(op.Activate(c.leaf("x", x), kernel.ReLU))
	},
	"SiLU": func(c *trial) *G.Node { return c.ok(op.Activate(c.float("x", 5, 3), kernel.SiLU)) },
	"Tanh": func(c *trial) *G.Node { return c.ok(op.Activate(c.float("x", 5, 3), kernel.Tanh)) },
	"LayerNorm": func(c *trial) *G.Node {
		return c.ok(op.LayerNorm(c.float("x", 4, 6), nil, c.float("gamma", 6), c.float("beta", 6), 1e-5))
	},
	"LayerNorm residual, no beta": func(c *trial) *G.Node {
		return c.ok(op.LayerNorm(c.float("x", 4, 6), c.float("r", 4, 6), c.float("gamma", 6), nil, 1e-5))
	},
	"RelativeAttention": func(c *trial) *G.Node {
		return c.ok(op.RelativeAttention(c.float("q", 7, 6), c.float("k", 7, 6), c.float("v", 7, 6), c.ints("bounds", 0, 4, 5, 7),
			op.Positions{X: c.float("keys", 5, 6), Rows: c.ints("key rows", 0, 0, 1, 2, 3, 3, 4, 4, 4)},
			op.Positions{X: c.float("queries", 7, 6), Rows: c.ints("query rows", 6, 5, 4, 3, 2, 1, 0)}, 2, 0.6))
	},
	"RelativeAttention without position queries": func(c *trial) *G.Node {
		return c.ok(op.RelativeAttention(c.float("q", 7, 6), c.float("k", 7, 6), c.float("v", 7, 6), c.ints("bounds", 0, 4, 5, 7),
			op.Positions{X: c.float("keys", 5, 6), Rows: c.ints("key rows", 1, 1, 1, 2, 3, 3, 4)}, op.Positions{}, 3, 0.6))
	},
	"RelativeAttention without position keys": func(c *trial) *G.Node {
		return c.ok(op.RelativeAttention(c.float("q", 7, 6), c.float("k", 7, 6), c.float("v", 7, 6), c.ints("bounds", 0, 4, 5, 7),
			op.Positions{}, op.Positions{X: c.float("queries", 2, 6), Rows: c.ints("query rows", 0, 0, 0, 0, 1, 1, 1)}, 1, 0.6))
	},
	"Attention": func(c *trial) *G.Node {
		return c.ok(op.Attention(c.float("q", 7, 6), c.float("k", 7, 6), c.float("v", 7, 6), c.ints("bounds", 0, 4, 5, 7), nil,
			kernel.Attention{Heads: 2, Scale: 0.6}))
	},
	"Attention in a window": func(c *trial) *G.Node {
		return c.ok(op.Attention(c.float("q", 9, 6), c.float("k", 9, 6), c.float("v", 9, 6), c.ints("bounds", 0, 6, 7, 9), nil,
			kernel.Attention{Heads: 2, Scale: 0.6, Window: 2}))
	},
	"Attention with a bias": func(c *trial) *G.Node {
		return c.ok(op.Attention(c.float("q", 9, 6), c.float("k", 9, 6), c.float("v", 9, 6), c.ints("bounds", 0, 6, 7, 9),
			c.float("bias", 13, 2), kernel.Attention{Heads: 2, Scale: 0.6}))
	},
	"Rotary": func(c *trial) *G.Node {
		return c.ok(op.Rotary(c.float("x", 5, 12), c.frozen("cos", c.random(5, 3)), c.frozen("sin", c.random(5, 3)), kernel.Rotary{Heads: 2}))
	},
	"Rotary interleaved": func(c *trial) *G.Node {
		return c.ok(op.Rotary(c.float("x", 5, 12), c.frozen("cos", c.random(5, 3)), c.frozen("sin", c.random(5, 3)),
			kernel.Rotary{Heads: 2, Interleaved: true, Inverse: true}))
	},
	"Columns": func(c *trial) *G.Node {
		x := c.float("x", 5, 9)
		a, b := c.ok(op.Columns(x, 0, 3)), c.ok(op.Columns(x, 6, 3))
		return c.ok(op.Mul(c.ok(op.Mul(a, b)), c.ok(op.Columns(x, 2, 3))))
	},
	"Join": func(c *trial) *G.Node {
		return c.ok(op.Join(9, []int{5, 1}, G.Nodes{c.float("a", 4, 3), c.float("b", 4, 2)}))
	},
	"Embed": func(c *trial) *G.Node {
		return c.ok(op.Embed(G.Nodes{c.float("words", 5, 3), c.float("types", 2, 3)}, G.Nodes{c.ints("ids", 4, 0, 4, 2), c.ints("type ids", 0, 1, 1, 1)}))
	},
	"Rows": func(c *trial) *G.Node { return c.ok(op.Rows(c.float("x", 5, 3), c.ints("index", 3, 0, 3))) },
	"CrossEntropy": func(c *trial) *G.Node {
		w := c.frozen("weight", kernel.F32([]float32{0.3}, 1))
		return c.ok(op.CrossEntropy(c.float("logits", 4, 3), c.ints("labels", 2, -1, 0, 1), w))
	},
	"RowSum":       func(c *trial) *G.Node { return c.ok(op.RowSum(c.float("x", 5, 3))) },
	"ColSum":       func(c *trial) *G.Node { return c.ok(op.ColSum(c.float("x", 5, 3))) },
	"RepeatColumn": func(c *trial) *G.Node { return c.ok(op.RepeatColumn(c.float("c", 5), c.constant("like", 5, 3))) },
	"RepeatRow":    func(c *trial) *G.Node { return c.ok(op.RepeatRow(c.constant("like", 5, 3), c.float("row", 3))) },
	"Total":        func(c *trial) *G.Node { return c.ok(op.Total(c.float("x", 5, 3))) },
	"Spread":       func(c *trial) *G.Node { return c.ok(op.Spread(c.float("s", 1), c.constant("like", 5, 3))) },
	"Shift":        func(c *trial) *G.Node { return c.ok(op.Shift(c.float("x", 5, 3), 0.7)) },
	"Exp":          func(c *trial) *G.Node { return c.ok(op.Exp(c.float("x", 5, 3))) },
	"InvSqrt": func(c *trial) *G.Node {
		x := c.random(5, 3)
		for i, v := range x.F32 {
			x.F32[i] = 1 + v*v
		}
		return c.ok(op.InvSqrt(c.leaf("x", x)))
	},
	"Probabilities": func(c *trial) *G.Node { return c.ok(op.Probabilities(c.float("x", 5, 3))) },
	"Part":          func(c *trial) *G.Node { return c.ok(op.Part(c.float("x", 3, 2, 4), 1)) },
	"Scores": func(c *trial) *G.Node {
		return c.ok(op.Scores(c.float("a", 7, 6), c.float("b", 7, 6), c.ints("bounds", 0, 4, 5, 7), 2, 0, 0.6, -3))
	},
	"Mix": func(c *trial) *G.Node {
		return c.ok(op.Mix(c.float("p", 14, 7), c.float("x", 7, 6), c.ints("bounds", 0, 4, 5, 7), 2, false, 0.6))
	},
	"Mix trans": func(c *trial) *G.Node {
		return c.ok(op.Mix(c.float("p", 14, 7), c.float("x", 7, 6), c.ints("bounds", 0, 4, 5, 7), 2, true, 1.2))
	},
	"Attention of one value": func(c *trial) *G.Node {
		x := c.float("x", 5, 4)
		return c.ok(op.Attention(x, x, x, c.ints("bounds", 0, 3, 5), nil, kernel.Attention{Heads: 2, Scale: 0.6}))
	},
	"LayerNorm with itself": func(c *trial) *G.Node {
		x := c.float("x", 4, 6)
		return c.ok(op.LayerNorm(x, x, c.float("gamma", 6), c.float("beta", 6), 1e-5))
	},
	"a value used twice": func(c *trial) *G.Node {
		x, w := c.float("x", 4, 4), c.float("w", 4, 4)
		h := c.ok(op.MatMul(x, w, false, false, 1))
		return c.ok(op.Mul(c.ok(op.Add(h, x)), c.ok(op.MatMul(h, w, false, true, 1))))
	},
})

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

// exec plans roots and feeds the inputs by reference.
func (c *trial) exec(roots ...*G.Node) *exec.Exec {
	c.t.Helper()
	p, err := exec.NewPlan(roots...)
	if err != nil {
		c.t.Fatal(err)
	}
	e := p.New(portable.New())
	for _, n := range p.Leaves() {
		for _, in := range c.in {
			if in.node == n {
				if err := e.Feed(n, in.value); err != nil {
					c.t.Fatal(err)
				}
			}
		}
	}
	return e
}

func (c *trial) run(e *exec.Exec, n *G.Node) []float32 {
	c.t.Helper()
	if err := e.Run(context.Background()); err != nil {
		c.t.Fatal(err)
	}
	v, err := e.Value(n)
	if err != nil {
		c.t.Fatal(err)
	}
	return v.F32
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
	y := c.ok(op.Linear(c.float("x", 5, 4), c.float("w", 4, 3), c.float("b", 3), false))
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
		"inner dimensions": func() (*G.Node, error) { return op.Linear(x, w, nil, false) },
		"the bias":         func() (*G.Node, error) { return op.Linear(x, w, v, true) },
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
			return op.RelativeAttention(x, x, x, idx, op.Positions{X: x, Rows: idx}, op.Positions{}, 3, 1)
		},
		"positions without rows": func() (*G.Node, error) {
			return op.RelativeAttention(x, x, x, idx, op.Positions{X: x}, op.Positions{}, 1, 1)
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
