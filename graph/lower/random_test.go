package lower_test

import (
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

var (
	graphs    = flag.Int("graphs", 300, "how many random graphs to hold to onnxruntime")
	firstSeed = flag.Uint64("seed", 1, "the first one's seed")
)

// maker draws a graph of known operators, node by node, keeping only nodes whose result is well conditioned: then two
// ways of computing it agree to some units of rounding.
type maker struct {
	*rand.Rand
	opset  int64
	graph  *onnx.Graph
	inputs map[string]*fold.Array
	values []*drawn
	used   map[string]bool
	fresh  int
}

// drawn is a value with its elements. exact tells that every element is a multiple of 1/64 below 2^10, computed without
// rounding, so that comparisons and roundings of it are the same everywhere.
type drawn struct {
	*fold.Array
	name     string
	exact    bool
	constant bool // an initialiser
}

var opsets = []int64{11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24}

func newMaker(seed uint64) *maker {
	m := &maker{Rand: rand.New(rand.NewPCG(seed, 7)), graph: &onnx.Graph{Name: "random"}, inputs: map[string]*fold.Array{},
		used: map[string]bool{}}
	m.opset = opsets[m.IntN(len(opsets))]
	for range 1 + m.IntN(2) { // onnxruntime_go feeds no scalars
		m.input(m.floats(append(m.shape(), 1+m.IntN(4))...))
	}
	m.input(m.integers(3, append(m.shape(), 1+m.IntN(3))...))
	if m.IntN(2) == 0 {
		m.input(m.booleans(append(m.shape(), 1+m.IntN(3))...))
	}
	for range 1 + m.IntN(3) {
		m.initializer(m.floats(m.shape()...), true)
	}
	return m
}

// model draws the graph.
func (m *maker) model() *onnx.Model {
	for n := 2 + m.IntN(9); len(m.graph.Nodes) < n; {
		ops[m.IntN(len(ops))](m)
	}
	for _, v := range m.values {
		if v.constant || m.used[v.name] || m.inputs[v.name] != nil {
			continue
		}
		if len(v.Shape) == 0 { // nor does it return them
			v = m.add(true, "Reshape", 1, []*drawn{v, m.vector(1)})[0]
		}
		m.graph.Outputs = append(m.graph.Outputs, info(v))
	}
	return &onnx.Model{IRVersion: 8, OpsetImport: []onnx.OperatorSet{{Version: m.opset}}, Graph: m.graph}
}

func info(v *drawn) *onnx.ValueInfo {
	s := &onnx.Shape{}
	for _, d := range v.Shape {
		s.Dims = append(s.Dims, onnx.FixedDim(int64(d)))
	}
	return &onnx.ValueInfo{Name: v.name, Type: &onnx.Type{Tensor: &onnx.TensorType{Elem: v.Type, Shape: s}}}
}

func (m *maker) name(kind string) string {
	m.fresh++
	return fmt.Sprintf("%s.%d", kind, m.fresh)
}

func (m *maker) shape() []int {
	s := make([]int, m.IntN(5))
	for i := range s {
		s[i] = 1 + m.IntN(5)
	}
	return s
}

func (m *maker) floats(shape ...int) *fold.Array {
	a := &fold.Array{Type: onnx.Float, Shape: shape, Floats: []float64{}}
	for range a.Size() {
		a.Floats = append(a.Floats, float64(m.IntN(65)-32)/16)
	}
	return a
}

// integers are from −below to below, without below itself.
func (m *maker) integers(below int, shape ...int) *fold.Array {
	a := fold.Ints([]int64{}, shape...)
	for range a.Size() {
		a.Ints = append(a.Ints, int64(m.IntN(2*below)-below))
	}
	return a
}

func (m *maker) booleans(shape ...int) *fold.Array {
	a := &fold.Array{Type: onnx.Bool, Shape: shape, Ints: []int64{}}
	for range a.Size() {
		a.Ints = append(a.Ints, int64(m.IntN(2)))
	}
	return a
}

func (m *maker) input(a *fold.Array) {
	v := &drawn{a, m.name("input"), true, false}
	m.inputs[v.name], m.values = a, append(m.values, v)
	m.graph.Inputs = append(m.graph.Inputs, info(v))
}

// initializer adds a weight or a constant, which other nodes may use too if shared is set.
func (m *maker) initializer(a *fold.Array, shared bool) *drawn {
	v := &drawn{a, m.name("weight"), true, true}
	t, err := tensorFor(v.name, a)
	if err != nil {
		panic(err)
	}
	m.graph.Initializers = append(m.graph.Initializers, t)
	if shared {
		m.values = append(m.values, v)
	}
	return v
}

func (m *maker) vector(x ...int64) *drawn { return m.initializer(fold.Ints(x, len(x)), false) }

// pick is a value that ok takes, nil if there is none. Later ones are likelier.
func (m *maker) pick(ok func(*drawn) bool) *drawn {
	for range 12 {
		i := max(m.IntN(len(m.values)), m.IntN(len(m.values)))
		if v := m.values[i]; ok(v) && (!v.constant || m.IntN(3) == 0) {
			return v
		}
	}
	return nil
}

func (m *maker) float() *drawn { return m.pick(func(v *drawn) bool { return v.Type == onnx.Float }) }
func (m *maker) ranked() *drawn {
	return m.pick(func(v *drawn) bool { return v.Type == onnx.Float && len(v.Shape) > 0 })
}

// beside is a float that broadcasts with v, made if none is found.
func (m *maker) beside(v *drawn) *drawn {
	if w := m.pick(func(w *drawn) bool {
		s, err := fold.Broadcast(v.Shape, w.Shape)
		return w.Type == onnx.Float && err == nil && size(s) < 3000
	}); w != nil {
		return w
	}
	s := slices.Clone(v.Shape[m.IntN(len(v.Shape)+1):])
	for i := range s {
		if m.IntN(3) == 0 {
			s[i] = 1
		}
	}
	return m.initializer(m.floats(s...), true)
}

func size(s []int) int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

// attr is an attribute of a node.
func attr(name string, v any) *onnx.Attribute {
	a := &onnx.Attribute{Name: name}
	switch v := v.(type) {
	case int:
		a.Type, a.I = onnx.AttrInt, int64(v)
	case []int64:
		a.Type, a.Ints = onnx.AttrInts, v
	case float64:
		a.Type, a.F = onnx.AttrFloat, float32(v)
	case string:
		a.Type, a.S = onnx.AttrString, []byte(v)
	}
	return a
}

// add appends a node if its results are well conditioned, and returns them.
func (m *maker) add(exact bool, op string, outputs int, in []*drawn, attrs ...*onnx.Attribute) []*drawn {
	n := &onnx.Node{OpType: op, Name: m.name(op), Attributes: attrs}
	if m.IntN(20) == 0 {
		n.Name = ""
	}
	var args []*fold.Array
	for _, v := range in {
		if v == nil {
			n.Inputs, args = append(n.Inputs, ""), append(args, nil)
			continue
		}
		n.Inputs, args = append(n.Inputs, v.name), append(args, v.Array)
		exact = exact && v.exact
	}
	for range outputs {
		n.Outputs = append(n.Outputs, m.name("value"))
	}
	f, err := fold.Lookup(n, m.opset)
	if err != nil {
		return nil
	}
	got, err := f(fold.Call{Node: n, In: args})
	if err == nil && len(got) > 0 && !got[0].Known() { // as that of Softmax, of which it tells the shape alone
		got, err = m.evaluate(n, args)
	}
	if err != nil || len(got) < outputs {
		return nil
	}
	var out []*drawn
	for i, name := range n.Outputs {
		if !tame(got[i]) {
			return nil
		}
		out = append(out, &drawn{got[i], name, exact && small(got[i]), false})
	}
	for _, v := range in {
		if v != nil {
			m.used[v.name] = m.used[v.name] || m.IntN(4) > 0 // now and then what is used is an output too
		}
	}
	m.graph.Nodes, m.values = append(m.graph.Nodes, n), append(m.values, out...)
	return out
}

// evaluate runs one node.
func (m *maker) evaluate(n *onnx.Node, args []*fold.Array) ([]*fold.Array, error) {
	g := &onnx.Graph{Nodes: []*onnx.Node{n}}
	inputs := map[string]*fold.Array{}
	for i, a := range args {
		if name := n.Inputs[i]; a != nil && inputs[name] == nil {
			inputs[name] = a
			g.Inputs = append(g.Inputs, info(&drawn{Array: a, name: name}))
		}
	}
	for _, name := range n.Outputs {
		g.Outputs = append(g.Outputs, &onnx.ValueInfo{Name: name})
	}
	net, err := lowered(&onnx.Model{IRVersion: 8, OpsetImport: []onnx.OperatorSet{{Version: m.opset}}, Graph: g}, inputs)
	if err != nil {
		return nil, err
	}
	return net.Run(context.Background(), inputs)
}

// tame tells whether all elements are known, and numbers of moderate size.
func tame(a *fold.Array) bool {
	if !a.Known() || a.Size() == 0 || a.Size() > 4000 {
		return false
	}
	return !slices.ContainsFunc(a.Floats, func(x float64) bool { return math.IsNaN(x) || math.Abs(x) > 500 })
}

func small(a *fold.Array) bool {
	return !slices.ContainsFunc(a.Floats, func(x float64) bool { return math.Abs(x) > 1<<10 || x*64 != math.Trunc(x*64) })
}

// within tells whether all elements lie in an interval.
func (v *drawn) within(low, high float64) bool {
	for i := range v.Size() {
		if x := v.At(i); x < low || x > high {
			return false
		}
	}
	return true
}

// axis is an axis of a rank, from either end.
func (m *maker) axis(rank int) int {
	k := m.IntN(rank)
	if m.IntN(2) == 0 {
		k -= rank
	}
	return k
}

// axes are some different axes of a rank, in any order.
func (m *maker) axes(rank, least int) []int64 {
	out := []int64{}
	for _, k := range m.Perm(rank)[:least+m.IntN(rank-least+1)] {
		if m.IntN(2) == 0 {
			k -= rank
		}
		out = append(out, int64(k))
	}
	return out
}

// onnxruntime and we each round every result, products after sums in another order: 1e-5 of the largest number leaves
// room for a dozen nodes. Where it is exact, so must be the result.
func TestRandomGraphsMatchOnnxruntime(t *testing.T) {
	needRuntime(t)
	n := *graphs
	if testing.Short() {
		n /= 10
	}
	counts, failures := map[string]int{}, 0
	for seed := *firstSeed; seed < *firstSeed+uint64(n); seed++ {
		mk := newMaker(seed)
		m := mk.model()
		var names []string
		for _, o := range m.Graph.Outputs {
			names = append(names, o.Name)
		}
		want, err := runtime(m, mk.inputs, names)
		if err != nil { // it has no kernel, or its shape inference fails where the checker's does not
			counts["refused by onnxruntime"]++
			if refused := counts["refused by onnxruntime"]; refused > 3+n/100 {
				t.Fatalf("seed %d: onnxruntime refuses %d graphs: %v\n%s", seed, refused, err, show(m))
			}
			continue
		}
		net, err := lowered(m, mk.inputs)
		if err != nil {
			t.Errorf("seed %d: %v\n%s", seed, err, show(m))
			continue
		}
		got, err := net.Run(context.Background(), mk.inputs)
		if err != nil {
			t.Errorf("seed %d: %v\n%s", seed, err, show(m))
			continue
		}
		for i, w := range want {
			if d := differs(got[i], w, 1e-5); d != "" {
				t.Errorf("seed %d: output %q: %s\n%s", seed, names[i], d, show(m))
			}
		}
		for _, node := range m.Graph.Nodes {
			counts[node.OpType]++
		}
		if failures += b2i(t.Failed()); failures > 20 {
			break
		}
	}
	t.Log(counts)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// show writes a graph's nodes out.
func show(m *onnx.Model) string {
	var b strings.Builder
	fmt.Fprintln(&b, "opset", m.OpsetImport[0].Version)
	for _, n := range m.Graph.Nodes {
		fmt.Fprintf(&b, "%v = %s %v", n.Outputs, n.OpType, n.Inputs)
		for _, a := range n.Attributes {
			fmt.Fprintf(&b, " %s=%v%v%v%s", a.Name, a.I, a.Ints, a.F, a.S)
		}
		fmt.Fprintln(&b)
	}
	return b.String()
}
