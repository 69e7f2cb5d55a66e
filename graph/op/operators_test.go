package op_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/exec"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/kerneltest"
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
		return c.ok(op.Linear(c.float("x", 5, 4), c.float("w", 4, 3), c.float("b", 3), false, kernel.Float32))
	},
	"Linear trans, no bias": func(c *trial) *G.Node {
		return c.ok(op.Linear(c.float("x", 5, 4), c.float("w", 3, 4), nil, true, kernel.Float32))
	},
	"MatMul": func(c *trial) *G.Node {
		return c.ok(op.MatMul(c.float("a", 5, 4), c.float("b", 4, 3), kernel.MatMul{}))
	},
	"MatMul aᵀ": func(c *trial) *G.Node {
		return c.ok(op.MatMul(c.float("a", 4, 5), c.float("b", 4, 3), kernel.MatMul{TransA: true, Alpha: -0.5}))
	},
	"MatMul bᵀ": func(c *trial) *G.Node {
		return c.ok(op.MatMul(c.float("a", 5, 4), c.float("b", 3, 4), kernel.MatMul{TransB: true, Alpha: 2}))
	},
	"MatMul aᵀbᵀ": func(c *trial) *G.Node {
		return c.ok(op.MatMul(c.float("a", 4, 5), c.float("b", 3, 4), kernel.MatMul{TransA: true, TransB: true, Alpha: 1.5}))
	},
	"AddMatMul": func(c *trial) *G.Node {
		return c.ok(op.AddMatMul(c.float("c", 5, 3), c.float("a", 5, 4), c.float("b", 4, 3), kernel.MatMul{Alpha: 0.7}))
	},
	"AddMatMul bᵀ": func(c *trial) *G.Node {
		return c.ok(op.AddMatMul(c.float("c", 5, 3), c.float("a", 5, 4), c.float("b", 3, 4), kernel.MatMul{TransB: true, Alpha: 1.3}))
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
	"RMSNorm": func(c *trial) *G.Node {
		return c.ok(op.RMSNorm(c.float("x", 4, 6), nil, c.float("gamma", 6), nil, 1e-5))
	},
	"RMSNorm residual, beta": func(c *trial) *G.Node {
		return c.ok(op.RMSNorm(c.float("x", 4, 6), c.float("r", 4, 6), c.float("gamma", 6), c.float("beta", 6), 1e-5))
	},
	"SumBy": func(c *trial) *G.Node {
		return c.ok(op.SumBy(c.float("x", 5, 3), c.ints("index", 0, 0, 2, 2, 2), c.constant("like", 3)))
	},
	"Mean": func(c *trial) *G.Node {
		shares := c.frozen("shares", kernel.F32([]float32{0.5, 1. / 3}, 2))
		return c.ok(op.Mean(c.float("x", 5, 3), c.ints("index", 0, 0, 1, 1, 1), shares))
	},
	"Normalise": func(c *trial) *G.Node { return c.ok(op.Normalise(c.float("x", 4, 6), 1e-12)) },
	"RelativeAttention": func(c *trial) *G.Node {
		return c.ok(op.RelativeAttention(c.float("q", 7, 6), c.float("k", 7, 6), c.float("v", 7, 6), c.ints("bounds", 0, 4, 5, 7),
			op.Positions{X: c.float("keys", 5, 6), Rows: c.ints("key rows", 0, 0, 1, 2, 3, 3, 4, 4, 4)},
			op.Positions{X: c.float("queries", 7, 6), Rows: c.ints("query rows", 6, 5, 4, 3, 2, 1, 0)}, kernel.Attention{Heads: 2, Scale: 0.6}))
	},
	"RelativeAttention without position queries": func(c *trial) *G.Node {
		return c.ok(op.RelativeAttention(c.float("q", 7, 6), c.float("k", 7, 6), c.float("v", 7, 6), c.ints("bounds", 0, 4, 5, 7),
			op.Positions{X: c.float("keys", 5, 6), Rows: c.ints("key rows", 1, 1, 1, 2, 3, 3, 4)}, op.Positions{}, kernel.Attention{Heads: 3, Scale: 0.6}))
	},
	"RelativeAttention without position keys": func(c *trial) *G.Node {
		return c.ok(op.RelativeAttention(c.float("q", 7, 6), c.float("k", 7, 6), c.float("v", 7, 6), c.ints("bounds", 0, 4, 5, 7),
			op.Positions{}, op.Positions{X: c.float("queries", 2, 6), Rows: c.ints("query rows", 0, 0, 0, 0, 1, 1, 1)}, kernel.Attention{Heads: 1, Scale: 0.6}))
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
		h := c.ok(op.MatMul(x, w, kernel.MatMul{}))
		return c.ok(op.Mul(c.ok(op.Add(h, x)), c.ok(op.MatMul(h, w, kernel.MatMul{TransB: true}))))
	},
})

// exec plans roots and feeds the inputs by reference.
func (c *trial) exec(roots ...*G.Node) *exec.Exec {
	c.t.Helper()
	p, err := exec.NewPlan(roots...)
	if err != nil {
		c.t.Fatal(err)
	}
	c.onDevice(p, roots)
	return c.execOn(p, portable.New())
}

func (c *trial) execOn(p *exec.Plan, k kernel.Kernels) *exec.Exec {
	c.t.Helper()
	e, err := p.New(k)
	if err != nil {
		c.t.Fatal(err)
	}
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

// onDevice checks that a device with memory of its own gives the same bits, in the first run, which records, and in the
// second.
func (c *trial) onDevice(p *exec.Plan, roots G.Nodes) {
	c.t.Helper()
	d := kerneltest.NewDevice(c.t, portable.New(), 1<<21)
	host, e := c.execOn(p, portable.New()), c.execOn(p, d)
	for range 2 {
		for _, n := range roots {
			want := c.run(host, n)
			if err := e.Run(context.Background()); err != nil {
				c.t.Fatal(err)
			}
			v, err := e.Value(n)
			if err != nil {
				c.t.Fatal(err)
			}
			got := make([]float32, len(v.F32))
			if err := d.Download(kernel.F32(got, len(got)), kernel.F32(v.F32, len(got))); err != nil {
				c.t.Fatal(err)
			}
			for i, w := range want {
				if math.Float32bits(got[i]) != math.Float32bits(w) && (w == w || got[i] == got[i]) {
					c.t.Fatalf("element %d of %v is %v on the device, %v on the host", i, n.Op(), got[i], w)
				}
			}
		}
	}
	if d.Recordings != 1 || d.Replays != 2*len(roots) {
		c.t.Errorf("%d recordings, %d replays of %d runs", d.Recordings, d.Replays, 2*len(roots))
	}
	e.Release()
	if free, total, err := d.Room(); free != total || err != nil {
		c.t.Errorf("%d of %d bytes are free in the end, %v", free, total, err)
	}
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
