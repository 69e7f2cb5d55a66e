package op_test

import (
	"maps"
	"math"
	"slices"
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/op"
)

var nodewise = map[string]func(c *trial) *G.Node{
	"Reshape": func(c *trial) *G.Node {
		x := c.float("x", 4, 3)
		return c.ok(op.MatMul(c.ok(op.Reshape(x, 2, 6)), c.ok(op.Reshape(x, 6, 2)), kernel.MatMul{}))
	},
	"Select":      func(c *trial) *G.Node { return c.ok(op.Select(c.bits("c", 12), c.float("a", 12), c.float("b", 12))) },
	"Select a, 0": func(c *trial) *G.Node { return c.ok(op.Select(c.bits("c", 12), c.float("a", 12), nil)) },
	"Select 0, b": func(c *trial) *G.Node { return c.ok(op.Select(c.bits("c", 12), nil, c.float("b", 12))) },
	"Softmax":     func(c *trial) *G.Node { return c.ok(op.Softmax(c.float("x", 4, 5))) },
	"Permute": func(c *trial) *G.Node {
		return c.ok(op.Permute(c.float("x", 24), []int{2, 3, 1, 4}, []int{3, 1, 0, 2}))
	},
	"BatchMatMul": func(c *trial) *G.Node {
		return c.ok(op.BatchMatMul(c.float("a", 2, 3, 4), c.float("b", 2, 4, 2), kernel.MatMul{}))
	},
	"BatchMatMul aᵀ": func(c *trial) *G.Node {
		return c.ok(op.BatchMatMul(c.float("a", 2, 4, 3), c.float("b", 2, 4, 2), kernel.MatMul{TransA: true}))
	},
	"BatchMatMul bᵀ": func(c *trial) *G.Node {
		return c.ok(op.BatchMatMul(c.float("a", 2, 3, 4), c.float("b", 2, 2, 4), kernel.MatMul{TransB: true}))
	},
	"BatchMatMul aᵀbᵀ": func(c *trial) *G.Node {
		return c.ok(op.BatchMatMul(c.float("a", 2, 4, 3), c.float("b", 2, 2, 4), kernel.MatMul{TransA: true, TransB: true}))
	},
}

// withNodewise adds the operators of networks that run node by node: functions on numbers where they are smooth.
func withNodewise(m map[string]func(c *trial) *G.Node) map[string]func(c *trial) *G.Node {
	for _, f := range []kernel.Function{kernel.Abs, kernel.Sqrt, kernel.Log, kernel.Erf, kernel.Sin, kernel.Cos,
		kernel.Reciprocal, kernel.Sigmoid, kernel.Softplus, kernel.Atan} {
		m["Map "+f.String()] = func(c *trial) *G.Node { return c.ok(op.Map(c.positive("x", 12), f)) }
	}
	for _, f := range []kernel.Pair{kernel.Div, kernel.Pow, kernel.Min, kernel.Max} {
		m["Combine "+f.String()] = func(c *trial) *G.Node {
			a := c.positive("a", 12)
			b := c.ok(op.Mul(c.positive("b", 12), c.frozen("weight", kernel.F32([]float32{4, 0.1, 4, 0.1, 4, 0.1, 4, 0.1, 4, 0.1, 4, 0.1}, 12))))
			return c.ok(op.Combine(a, b, f))
		}
	}
	for _, f := range kernel.Reductions() {
		m["Reduce "+f.String()] = func(c *trial) *G.Node {
			x := c.leaf("x", kernel.F32([]float32{1, 2, -3, 0.5, -1, 0.1, 4, 1.5, 3, -2, 0.7, -0.4}, 3, 4))
			return c.ok(op.Reduce(x, f))
		}
	}
	maps.Copy(m, nodewise)
	return m
}

// positive adds an input of numbers from 0.5 to 2.5, bits one of zeros and ones that has no gradient.
func (c *trial) positive(name string, n int) *G.Node {
	v := c.random(n)
	for i := range v.F32 {
		v.F32[i] = 0.5 + 2*c.r.Float32()
	}
	return c.leaf(name, v)
}

func (c *trial) bits(name string, n int) *G.Node {
	v := c.random(n)
	for i := range v.F32 {
		v.F32[i] = float32(c.r.IntN(2))
	}
	return c.frozen(name, v)
}

// A row of −∞ alone has no softmax in ONNX, and no probabilities.
func TestSoftmaxOfNothing(t *testing.T) {
	none := float32(math.Inf(-1))
	c := newTrial(t, 1)
	x := c.leaf("x", kernel.F32([]float32{none, none, 1, none}, 2, 2))
	p, y := c.ok(op.Probabilities(x)), c.ok(op.Softmax(x))
	e := c.exec(p, y)
	if got := c.run(e, p); !slices.Equal(got, []float32{0, 0, 1, 0}) {
		t.Errorf("probabilities %v", got)
	}
	if got := c.run(e, y); got[0] == got[0] || got[1] == got[1] || got[2] != 1 || got[3] != 0 {
		t.Errorf("softmax %v", got)
	}
}
