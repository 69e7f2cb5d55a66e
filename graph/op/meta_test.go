package op_test

import (
	"math"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/op"
	"github.com/seed-aefebe89/graft/graph/peft"
)

// layer is an encoder layer with a head on one batch: its loss as an expression of the nodes in w, which may be leaves
// or results of an inner step.
type layer struct {
	*trial
	method        peft.Method
	x             *G.Node
	bounds        *G.Node
	labels, share *G.Node
}

const tokens, hidden, inner, classes = 7, 8, 12, 3

// places are where a method may sit in the layer.
var places = []peft.Place{
	{Name: "0.query", Kind: peft.Projection, In: hidden, Out: hidden},
	{Name: "0.value", Kind: peft.Projection, In: hidden, Out: hidden},
	{Name: "0.output", Kind: peft.LayerOutput, In: hidden, Out: hidden},
}

// adapt adds what the method has at a place.
func (l *layer) adapt(w map[string]*G.Node, p peft.Place, x, y *G.Node) *G.Node {
	a := l.method.At(p)
	if a == nil {
		return y
	}
	var ws G.Nodes
	for _, q := range a.Params() {
		ws = append(ws, w[q.Name])
	}
	return l.ok(a.Apply(x, y, ws, kernel.Float32))
}

func (l *layer) loss(w map[string]*G.Node) *G.Node {
	linear := func(name string, x *G.Node) *G.Node {
		return l.ok(op.Linear(x, w[name+".weight"], w[name+".bias"], true, kernel.Float32))
	}
	norm := func(name string, x, r *G.Node) *G.Node {
		return l.ok(op.LayerNorm(x, r, w[name+".weight"], w[name+".bias"], 1e-5))
	}
	q := l.adapt(w, places[0], l.x, linear("query", l.x))
	v := l.adapt(w, places[1], l.x, linear("value", l.x))
	a := l.ok(op.Attention(q, linear("key", l.x), v, l.bounds, nil, kernel.Attention{Heads: 2, Scale: 0.5}))
	h := norm("norm1", linear("attention", a), l.x)
	f := linear("down", l.ok(op.Activate(linear("up", h), kernel.GELU)))
	f = l.adapt(w, places[2], norm("norm2", f, h), f)
	return l.ok(op.CrossEntropy(linear("head", norm("norm2", f, h)), l.labels, l.share))
}

// params adds the layer's parameters as leaves; those of the method and the head are what the inner loop moves.
func (l *layer) params() (w map[string]*G.Node, moved []string) {
	w = map[string]*G.Node{}
	scaled := func(s float64, shape ...int) kernel.Tensor {
		x := l.random(shape...)
		for i := range x.F32 {
			x.F32[i] *= float32(s)
		}
		return x
	}
	linear := func(name string, out, in int) {
		w[name+".weight"] = l.leaf(name+".weight", scaled(1/math.Sqrt(float64(in)), out, in))
		w[name+".bias"] = l.leaf(name+".bias", scaled(0.2, out))
	}
	for _, name := range []string{"query", "key", "value", "attention"} {
		linear(name, hidden, hidden)
	}
	linear("up", inner, hidden)
	linear("down", hidden, inner)
	linear("head", classes, hidden)
	for _, name := range []string{"norm1", "norm2"} {
		g := scaled(0.2, hidden)
		for i := range g.F32 {
			g.F32[i]++
		}
		w[name+".weight"], w[name+".bias"] = l.leaf(name+".weight", g), l.leaf(name+".bias", scaled(0.2, hidden))
	}
	for _, p := range peft.Params(l.method, places) {
		w[p.Name] = l.leaf(p.Name, scaled(0.4, p.Shape...))
		moved = append(moved, p.Name)
	}
	return w, append(moved, "head.weight", "head.bias")
}

// batch gives the layer input and labels of its own.
func (l *layer) batch(name string, labels ...int32) {
	l.x = l.leaf(name+" x", l.random(tokens, hidden))
	l.labels = l.ints(name+" labels", labels...)
}

// The gradient of MAML (Finn et al. 2017): that of the query loss at θ − α∇L(θ; support), through the inner step, with
// respect to every parameter along its own direction, against finite differences of the query loss after the inner
// step. The second order is told apart from the first: it moves the gradient of all that the inner step moves by far more
// than the bound.
func TestMetaGradientThroughAnInnerStep(t *testing.T) {
	methods := map[string]peft.Method{
		"bottleneck":      peft.Bottleneck{Where: peft.LayerOutput, Size: 3, Activation: kernel.GELU},
		"bottleneck silu": peft.Bottleneck{Where: peft.LayerOutput, Size: 3, Activation: kernel.SiLU},
		"lora":            peft.LoRA{R: 2, Alpha: 4, Targets: []string{"query", "value"}},
	}
	const alpha = 0.5
	for name, m := range methods {
		t.Run(name, func(t *testing.T) {
			l := &layer{trial: newTrial(t, 3), method: m}
			w, moved := l.params()
			l.bounds = l.ints("bounds", 0, 4, 5, 7)
			l.share = l.leaf("share", kernel.F32([]float32{1.0 / 6}, 1))
			one := l.leaf("one", kernel.F32([]float32{1}, 1))
			l.batch("support", 0, 2, -1, 1, 1, 0, 2)
			support := l.loss(w)
			var theta G.Nodes
			for _, n := range moved {
				theta = append(theta, w[n])
			}
			step, err := op.Grad(G.Nodes{support}, G.Nodes{one}, theta)
			if err != nil {
				t.Fatal(err)
			}
			adapted := map[string]*G.Node{}
			for n, x := range w {
				adapted[n] = x
			}
			for i, n := range moved {
				adapted[n] = l.ok(op.Add(w[n], l.ok(op.Scale(step[i], -alpha))))
			}
			l.batch("query", 1, 1, 0, -1, 2, 0, 1)
			query := l.loss(adapted)
			var names []string
			var wrt, first G.Nodes
			for _, in := range l.in {
				if n := in.node.Name(); w[n] != nil {
					names, wrt = append(names, n), append(wrt, in.node)
					first = append(first, adapted[n])
				}
			}
			exact, err := op.Grad(G.Nodes{query}, G.Nodes{one}, wrt)
			if err != nil {
				t.Fatal(err)
			}
			// At the adapted point, as in first-order MAML; what does not move has the whole gradient here too.
			rough, err := op.Grad(G.Nodes{query}, G.Nodes{one}, first)
			if err != nil {
				t.Fatal(err)
			}
			e := l.exec(append(append(G.Nodes{query}, exact...), rough...)...)
			told := 0
			for i, n := range names {
				g := append([]float32(nil), l.run(e, exact[i])...)
				r := append([]float32(nil), l.run(e, rough[i])...)
				norm, apart := 0.0, 0.0
				for k := range g {
					norm += float64(g[k]) * float64(g[k])
					apart += float64(g[k]-r[k]) * float64(g[k]-r[k])
				}
				norm, apart = math.Sqrt(norm), math.Sqrt(apart)
				if norm < 1e-3 { // a key's bias moves all scores of a row alike and has no gradient
					if !strings.HasPrefix(n, "key.bias") {
						t.Errorf("%s has no gradient", n)
					}
					continue
				}
				if apart > 0.05*norm {
					told++
				}
				var x []float32
				for _, in := range l.in {
					if in.node == wrt[i] {
						x = in.value.F32
					}
				}
				start := append([]float32(nil), x...)
				at := func(h float64) float64 {
					for k := range x {
						x[k] = start[k] + float32(h*float64(g[k])/norm)
					}
					return float64(l.run(e, query)[0])
				}
				// Values of 2 with float32's error of 1e-7 over a step of 0.02; h⁴ of a fifth derivative is left.
				const h = 0.02
				got := (4*(at(h/2)-at(-h/2))/h - (at(h)-at(-h))/(2*h)) / 3
				copy(x, start)
				if !(math.Abs(got-norm) <= 3e-3*norm+5e-5) {
					t.Errorf("%s: the query loss rises by %.6g along its gradient, want %.6g", n, got, norm)
				}
			}
			if told < len(moved) {
				t.Errorf("second order moves only %d of %d gradients by a twentieth: the test tells little", told, len(moved))
			}
		})
	}
}
