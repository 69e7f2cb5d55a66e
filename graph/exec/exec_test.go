package exec_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/exec"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/portable"
	"github.com/seed-aefebe89/graft/graph/op"
)

// net is a small graph with a residual, a value that is used twice, stacked gradients and a loss.
type net struct {
	g                         *G.ExprGraph
	x, w, gamma, beta, bounds *G.Node
	labels, weight, seed      *G.Node
	loss, out                 *G.Node
	grads                     G.Nodes
}

const rows, width = 12, 8

func build(t testing.TB) *net {
	t.Helper()
	n := &net{g: G.NewGraph()}
	leaf := func(name string, dt tensor.Dtype, shape ...int) *G.Node {
		return G.NewTensor(n.g, dt, len(shape), G.WithShape(shape...), G.WithName(name))
	}
	n.x, n.w = leaf("x", tensor.Float32, rows, width), leaf("w", tensor.Float32, width, width)
	n.gamma, n.beta = leaf("gamma", tensor.Float32, width), leaf("beta", tensor.Float32, width)
	n.bounds, n.labels = leaf("bounds", tensor.Int32, 5), leaf("labels", tensor.Int32, rows)
	n.weight, n.seed = leaf("weight", tensor.Float32, 1), leaf("seed", tensor.Float32, 1)
	ok := func(x *G.Node, err error) *G.Node {
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	q := ok(op.Linear(n.x, n.w, nil, false, kernel.Float32))
	a := ok(op.Attention(q, n.x, q, n.bounds, nil, kernel.Attention{Heads: 2, Scale: 0.5}))
	h := ok(op.LayerNorm(a, n.x, n.gamma, n.beta, 1e-5))
	h = ok(op.Add(ok(op.Activate(h, kernel.GELU)), h))
	n.out = ok(op.Linear(h, n.w, n.beta, true, kernel.Float32))
	n.loss = ok(op.CrossEntropy(n.out, n.labels, n.weight))
	grads, err := op.Grad(G.Nodes{n.loss}, G.Nodes{n.seed}, G.Nodes{n.w, n.gamma, n.beta, n.x})
	if err != nil {
		t.Fatal(err)
	}
	n.grads = grads
	return n
}

// values are fed for a batch of so many rows in sequences that end at bounds.
func (n *net) values(rows int, bounds ...int32) map[*G.Node]kernel.Tensor {
	r := rand.New(rand.NewPCG(uint64(rows), 3))
	f := func(shape ...int) kernel.Tensor {
		x := make([]float32, tensor.Shape(shape).TotalSize())
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		return kernel.F32(x, shape...)
	}
	labels := make([]int32, rows)
	for i := range labels {
		labels[i] = int32(r.IntN(width+1)) - 1
	}
	return map[*G.Node]kernel.Tensor{
		n.x: f(rows, width), n.w: f(width, width), n.gamma: f(width), n.beta: f(width), n.bounds: kernel.I32(bounds, len(bounds)),
		n.labels: kernel.I32(labels, rows), n.weight: kernel.F32([]float32{0.25}, 1), n.seed: kernel.F32([]float32{1}, 1),
	}
}

func open(t testing.TB, p *exec.Plan, k kernel.Kernels) *exec.Exec {
	t.Helper()
	e, err := p.New(k)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func feed(t testing.TB, e *exec.Exec, v map[*G.Node]kernel.Tensor) {
	t.Helper()
	for n, x := range v {
		if err := e.Feed(n, x); err != nil {
			t.Fatal(err)
		}
	}
}

func run(t testing.TB, e *exec.Exec) {
	t.Helper()
	if err := e.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func copyOf(t testing.TB, e *exec.Exec, ns ...*G.Node) [][]float32 {
	t.Helper()
	var out [][]float32
	for _, n := range ns {
		v, err := e.Value(n)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, append([]float32(nil), v.F32...))
	}
	return out
}

func equal(a, b [][]float32) bool {
	for i := range a {
		if len(a[i]) != len(b[i]) {
			return false
		}
		for k := range a[i] {
			if a[i][k] != b[i][k] {
				return false
			}
		}
	}
	return len(a) == len(b)
}

func (n *net) roots() G.Nodes { return append(G.Nodes{n.loss, n.out}, n.grads...) }

// Every value computed with a root of its own, which nothing may overwrite, equals the value computed where buffers are
// shared and handed over.
func TestSharedBuffersChangeNothing(t *testing.T) {
	n := build(t)
	shared, err := exec.NewPlan(n.roots()...)
	if err != nil {
		t.Fatal(err)
	}
	all, err := exec.NewPlan(op.Sort(n.roots()...)...)
	if err != nil {
		t.Fatal(err)
	}
	a, b := open(t, shared, portable.New()), open(t, all, portable.New())
	v := n.values(rows, 0, 3, 4, 12)
	feed(t, a, v)
	feed(t, b, v)
	run(t, a)
	run(t, b)
	if !equal(copyOf(t, a, n.roots()...), copyOf(t, b, n.roots()...)) {
		t.Error("sharing buffers changes results")
	}
	little, much := shared.ArenaBytes()
	if little >= much*3/4 {
		t.Errorf("the arena takes %d bytes, %d without sharing", little, much)
	}
}

// One plan serves batches of any size up to its capacity, in any order, with the results of a plan made for just that
// size.
func TestSmallerBatchesFit(t *testing.T) {
	n := build(t)
	p, err := exec.NewPlan(n.roots()...)
	if err != nil {
		t.Fatal(err)
	}
	e := open(t, p, portable.New())
	for _, c := range [][]int32{{0, 5}, {0, 3, 4, 12}, {0, 1}, {0, 2, 5, 6, 7}} {
		m := int(c[len(c)-1])
		v := n.values(m, c...)
		feed(t, e, v)
		run(t, e)
		got := copyOf(t, e, n.roots()...)
		run(t, e)
		if again := copyOf(t, e, n.roots()...); !equal(got, again) {
			t.Errorf("%v: a second run gives other bits", c)
		}
		fresh := open(t, p, portable.New())
		feed(t, fresh, v)
		run(t, fresh)
		if !equal(got, copyOf(t, fresh, n.roots()...)) {
			t.Errorf("%v: what ran before shows in the results", c)
		}
		if o, _ := e.Value(n.out); o.Shape[0] != m {
			t.Errorf("%v: the output has shape %v", c, o.Shape)
		}
	}
}

func TestAStepAllocatesNothing(t *testing.T) {
	n := build(t)
	p, err := exec.NewPlan(n.roots()...)
	if err != nil {
		t.Fatal(err)
	}
	e := open(t, p, idle{})
	small, large := n.values(5, 0, 2, 5), n.values(rows, 0, 3, 4, 12)
	feed(t, e, large)
	run(t, e)
	ctx := context.Background()
	if a := testing.AllocsPerRun(20, func() {
		for _, v := range []map[*G.Node]kernel.Tensor{small, large} {
			for x, y := range v {
				e.Feed(x, y)
			}
			e.Run(ctx)
		}
	}); a > 0 {
		t.Errorf("two steps allocate %v times", a)
	}
}

// idle are kernels that compute nothing: what is left is the executor's own work.
type idle struct{ kernel.Kernels }

func (idle) MatMul(_, _, _ kernel.Tensor, _ kernel.MatMul)                    {}
func (idle) ColSum(_, _ kernel.Tensor)                                        {}
func (idle) Add(_, _, _ kernel.Tensor)                                        {}
func (idle) Activate(_, _ kernel.Tensor, _ kernel.Activation)                 {}
func (idle) ActivateGrad(_, _, _ kernel.Tensor, _ kernel.Activation)          {}
func (idle) LayerNorm(_, _, _, _, _ kernel.Tensor, _ float32)                 {}
func (idle) LayerNormGrad(_, _, _, _, _ kernel.Tensor, _ float32)             {}
func (idle) LayerNormParamGrad(_, _, _, _ kernel.Tensor, _ float32)           {}
func (idle) Attention(_, _, _, _, _ kernel.Tensor, _ kernel.Attention)        {}
func (idle) AttentionGrad(_, _, _, _, _, _ kernel.Tensor, _ kernel.Attention) {}
func (idle) CrossEntropy(_, _, _, _ kernel.Tensor)                            {}
func (idle) CrossEntropyGrad(_, _, _, _, _ kernel.Tensor)                     {}

func TestExecsOfOnePlanRunSideBySide(t *testing.T) {
	n := build(t)
	p, err := exec.NewPlan(n.roots()...)
	if err != nil {
		t.Fatal(err)
	}
	v := n.values(rows, 0, 12)
	first := open(t, p, portable.New())
	feed(t, first, v)
	run(t, first)
	want := copyOf(t, first, n.roots()...)
	var wg sync.WaitGroup
	got := make([][][]float32, 4)
	for i := range got {
		e := open(t, p, portable.New())
		feed(t, e, v)
		wg.Go(func() {
			for range 20 {
				if e.Run(context.Background()) != nil {
					return
				}
			}
			for _, r := range n.roots() {
				x, _ := e.Value(r)
				got[i] = append(got[i], x.F32)
			}
		})
	}
	wg.Wait()
	for i := range got {
		if !equal(got[i], want) {
			t.Errorf("executor %d gives other results", i)
		}
	}
}

func TestRunStopsBetweenOperators(t *testing.T) {
	n := build(t)
	p, err := exec.NewPlan(n.roots()...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	k := &cancelling{idle{}, cancel, 0}
	e := open(t, p, k)
	feed(t, e, n.values(rows, 0, 12))
	if err := e.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if k.calls != 1 {
		t.Errorf("%d matrix products ran, want the run to stop after the first", k.calls)
	}
}

// cancelling ends the context in its first matrix product.
type cancelling struct {
	idle
	cancel func()
	calls  int
}

func (k *cancelling) MatMul(_, _, _ kernel.Tensor, _ kernel.MatMul) { k.calls++; k.cancel() }

func TestMisuseIsAnError(t *testing.T) {
	n := build(t)
	p, err := exec.NewPlan(n.roots()...)
	if err != nil {
		t.Fatal(err)
	}
	e := open(t, p, portable.New())
	if err := e.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "has not been fed") {
		t.Errorf("nothing fed: %v", err)
	}
	f := func(shape ...int) kernel.Tensor {
		return kernel.F32(make([]float32, tensor.Shape(shape).TotalSize()), shape...)
	}
	for name, x := range map[string]kernel.Tensor{
		"too many rows": f(rows+1, width), "a vector": f(width), "integers": kernel.I32(make([]int32, rows*width), rows, width),
		"too few elements": {Shape: []int{rows, width}, F32: make([]float32, 3)},
	} {
		if err := e.Feed(n.x, x); err == nil || !strings.Contains(err.Error(), `"x"`) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if err := e.Feed(n.out, f(rows, width)); err == nil {
		t.Error("an operator's output was fed")
	}
	v := n.values(rows, 0, 12)
	v[n.labels] = kernel.I32(make([]int32, 3), 3)
	feed(t, e, v)
	if err := e.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "CrossEntropy") {
		t.Errorf("labels for fewer rows: %v", err)
	}
	g := G.NewGraph()
	s := G.NewScalar(g, tensor.Float32, G.WithName("s"))
	if _, err := exec.NewPlan(G.Must(G.Square(s))); err == nil || !strings.Contains(err.Error(), "cannot run") {
		t.Errorf("an operator of gorgonia's own: %v", err)
	}
}

func TestPacksNameTheMatricesOfProducts(t *testing.T) {
	n := build(t)
	p, err := exec.NewPlan(n.roots()...)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[exec.PackUse]bool{}
	for _, u := range p.Packs() {
		if u.Leaf != n.w {
			t.Errorf("%q is no matrix of a product", u.Leaf.Name())
		}
		seen[u] = true
	}
	if len(seen) != 2 {
		t.Errorf("w is used plain and transposed, got %v", p.Packs())
	}
}

// Plans of different sizes take turns in one arena, which grows to the largest of them, with the results of arenas of their
// own.
func TestExecsTakeTurnsInOneArena(t *testing.T) {
	n := build(t)
	large, err := exec.NewPlan(n.roots()...)
	if err != nil {
		t.Fatal(err)
	}
	small, err := exec.NewPlan(n.out)
	if err != nil {
		t.Fatal(err)
	}
	v := n.values(rows, 0, 3, 4, 12)
	var own, shared []*exec.Exec
	var a exec.Arena
	for _, p := range []*exec.Plan{small, large} {
		x, err := p.New(portable.New())
		if err != nil {
			t.Fatal(err)
		}
		y, err := p.NewIn(&a, portable.New())
		if err != nil {
			t.Fatal(err)
		}
		own, shared = append(own, x), append(shared, y)
	}
	for _, e := range append(own, shared...) {
		for l, x := range v {
			if _, err := e.Value(l); err == nil {
				if err := e.Feed(l, x); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for _, i := range []int{0, 1, 0, 1} {
		run(t, own[i])
		run(t, shared[i])
		roots := [][]*G.Node{{n.out}, n.roots()}[i]
		if !equal(copyOf(t, shared[i], roots...), copyOf(t, own[i], roots...)) {
			t.Errorf("plan %d gives other results in a shared arena", i)
		}
	}
	if s, l := shared[0].ArenaBytes(), shared[1].ArenaBytes(); s != l || l != own[1].ArenaBytes() || own[0].ArenaBytes() >= l {
		t.Errorf("the arenas take %d and %d bytes, %d and %d alone", s, l, own[0].ArenaBytes(), own[1].ArenaBytes())
	}
}
