package op_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/op"
)

// rise adds φ = Σ ⟨c, g⟩ over the gradients g of ys with random seeds, and random numbers c: one order more. It returns
// the gradients with their c, whose products are φ.
func (c *trial) rise(order int, ys, seeds G.Nodes) (gs, cs G.Nodes) {
	c.t.Helper()
	_, nodes := c.wrt()
	for _, n := range nodes {
		g, err := op.Grad(ys, seeds, G.Nodes{n})
		if err != nil {
			if !strings.Contains(err.Error(), "do not depend") {
				c.t.Fatal(err)
			}
			continue
		}
		gs = append(gs, g[0])
	}
	for i, g := range gs {
		cs = append(cs, c.leaf(fmt.Sprintf("c%d.%d", order, i), c.random(g.Shape()...)))
	}
	return gs, cs
}

// Derivatives of second order of every operator, through the gradient operators, and of third order of the fused ones:
// the gradient of φ(inputs) = Σ ⟨c, gradient⟩ along random directions against central differences of φ, extrapolated
// from two steps. float32 leaves u = 6e-8 of the sum of φ's terms in each value of φ; several operators in a row, some
// ten times that, over the step of 0.02: 3e-5 of that sum. The extrapolation leaves h⁴ of a fifth derivative, which
// LayerNorm's curvature in rows of six numbers makes up to some 1e-3.
func TestHigherGradientsMatchFiniteDifferences(t *testing.T) {
	for name, build := range operators {
		if name == "Attention with a bias" || strings.HasPrefix(name, "RelativeAttention") { // which are refused
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(4) {
				for order := 2; order <= 3; order++ {
					if order == 3 && (testing.Short() || seed > 1) {
						continue
					}
					c := newTrial(t, 10*seed+1)
					c.out = build(c)
					ys, seeds := G.Nodes{c.out}, G.Nodes{c.leaf("seed", c.random(c.out.Shape()...))}
					for k := 1; k < order; k++ {
						ys, seeds = c.rise(k, ys, seeds)
						if len(ys) == 0 {
							break
						}
					}
					if len(ys) > 0 {
						c.compare(order, ys, seeds)
					}
				}
			}
		})
	}
}

// compare holds the gradients of φ = Σ ⟨ys, seeds⟩ to finite differences of it.
func (c *trial) compare(order int, ys, seeds G.Nodes) {
	c.t.Helper()
	wrt, nodes := c.wrt()
	grads := make(G.Nodes, len(nodes))
	roots := append(G.Nodes{}, ys...)
	for i, n := range nodes {
		g, err := op.Grad(ys, seeds, G.Nodes{n})
		if err != nil {
			if !strings.Contains(err.Error(), "do not depend") {
				c.t.Fatal(err)
			}
			continue // φ must not move
		}
		grads[i] = g[0]
		roots = append(roots, g[0])
	}
	e := c.exec(roots...)
	seedOf := map[*G.Node][]float32{}
	for _, in := range c.in {
		if slices.Contains(seeds, in.node) {
			seedOf[in.node] = in.value.F32
		}
	}
	phi := func() (value, size float64) {
		for i, y := range ys {
			for k, v := range c.run(e, y) {
				p := float64(v) * float64(seedOf[seeds[i]][k])
				value, size = value+p, size+math.Abs(p)
			}
		}
		return value, size
	}
	analytic := make([][]float32, len(wrt))
	for i, g := range grads {
		if g != nil {
			analytic[i] = append([]float32(nil), c.run(e, g)...)
		}
	}
	for i, in := range wrt {
		if seedOf[in.node] != nil {
			continue
		}
		d := c.random(in.value.Shape...).F32
		want, size := 0.0, 0.0
		for k := range analytic[i] {
			p := float64(analytic[i][k]) * float64(d[k])
			want, size = want+p, size+math.Abs(p)
		}
		start := append([]float32(nil), in.value.F32...)
		at := func(h float64) float64 {
			for k := range d {
				in.value.F32[k] = start[k] + float32(h)*d[k]
			}
			v, _ := phi()
			return v
		}
		const h = 0.02
		got := (4*(at(h/2)-at(-h/2))/h - (at(h)-at(-h))/(2*h)) / 3
		copy(in.value.F32, start)
		_, terms := phi()
		if !(math.Abs(got-want) <= 2e-3*(size+0.1)+3e-5*terms) {
			c.t.Errorf("order %d, %s: %v along a direction, want %v (%v in all)", order, in.node.Name(), got, want, size)
		}
	}
}

// Where the outputs depend on something by steps alone, the gradient is zero and no error.
func TestAFlatDependenceHasAGradientOfZeros(t *testing.T) {
	c := newTrial(t, 1)
	out := operators["ReLU"](c)
	seed := c.leaf("seed", c.random(5, 3))
	slope, err := op.Grad(G.Nodes{out}, G.Nodes{seed}, G.Nodes{c.in[0].node})
	if err != nil {
		t.Fatal(err)
	}
	flat, err := op.Grad(slope, G.Nodes{seed}, G.Nodes{c.in[0].node})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range c.run(c.exec(flat[0]), flat[0]) {
		if v != 0 {
			t.Fatalf("ReLU bends by %v", v)
		}
	}
}

// What has no gradient of its gradient says so.
func TestAttentionWithABiasOrRelativePositionsHasNoSecondDerivative(t *testing.T) {
	for name, want := range map[string]string{"Attention with a bias": "bias", "RelativeAttention": "relative positions"} {
		c := newTrial(t, 1)
		y := operators[name](c)
		_, nodes := c.wrt()
		seed := c.leaf("seed", c.random(y.Shape()...))
		for _, n := range nodes {
			g, err := op.Grad(G.Nodes{y}, G.Nodes{seed}, G.Nodes{n})
			if err != nil {
				t.Fatal(err)
			}
			again := c.leaf("seed of "+n.Name(), c.random(g[0].Shape()...))
			if _, err := op.Grad(g, G.Nodes{again}, G.Nodes{c.in[0].node}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s, %s: error %v", name, n.Name(), err)
			}
		}
	}
}
