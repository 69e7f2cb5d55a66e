package importer_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// mutator changes a model at random in one place.
type mutator struct {
	*rand.Rand
	m *onnx.Model
}

// mutate makes a change and describes it; it is empty where the change did not apply.
func (x mutator) mutate() string {
	return pick(x, x.constant, x.constant, x.constant, x.attribute, x.rewire, x.rewire, x.swap, x.operator, x.remove, x.insert, x.leave,
		x.output)()
}

func pick[T any](r mutator, among ...T) T { return among[r.IntN(len(among))] }

func (x mutator) node() *onnx.Node { return pick(x, x.m.Graph.Nodes...) }

// constant changes an element of a small constant.
func (x mutator) constant() string {
	var all []**onnx.Tensor
	for _, n := range x.m.Graph.Nodes {
		for _, a := range n.Attributes {
			if a.T != nil {
				all = append(all, &a.T)
			}
		}
	}
	for i, t := range x.m.Graph.Initializers {
		if n, err := t.Len(); err == nil && n < 64 {
			all = append(all, &x.m.Graph.Initializers[i])
		}
	}
	if len(all) == 0 {
		return ""
	}
	at := pick(x, all...)
	old := *at
	var data any
	switch old.Type {
	case onnx.Float:
		v, err := old.Float32s()
		if err != nil || len(v) == 0 {
			return ""
		}
		v = slices.Clone(v)
		k := x.IntN(len(v))
		v[k] = pick(x, v[k]*1.2, -v[k], 0, v[k]+1, v[k]*-1e-3, 2)
		data = v
	case onnx.Int64:
		v, err := old.Int64s()
		if err != nil || len(v) == 0 {
			return ""
		}
		v = slices.Clone(v)
		k := x.IntN(len(v))
		v[k] = pick(x, v[k]+1, v[k]-1, -v[k], 0, v[k]*2)
		data = v
	case onnx.Bool:
		data = []bool{x.IntN(2) == 0}
	default:
		return ""
	}
	t, err := onnx.NewTensor(old.Name, old.Dims, data)
	if err != nil {
		return ""
	}
	*at = t
	return fmt.Sprintf("constant %q %v: %v", old.Name, old.Dims, data)
}

// attribute changes one of a node.
func (x mutator) attribute() string {
	n := x.node()
	if len(n.Attributes) == 0 {
		return ""
	}
	a := *pick(x, n.Attributes...)
	switch a.Type {
	case onnx.AttrInt:
		a.I += pick(x, int64(1), -1, 2)
	case onnx.AttrFloat:
		a.F = pick(x, a.F*2, a.F+1, 0)
	case onnx.AttrInts:
		a.Ints = slices.Clone(a.Ints)
		if len(a.Ints) < 2 || x.IntN(3) == 0 {
			return ""
		}
		i, j := x.IntN(len(a.Ints)), x.IntN(len(a.Ints))
		a.Ints[i], a.Ints[j] = a.Ints[j], a.Ints[i]
	case onnx.AttrString:
		a.S = []byte(pick(x, "none", "tanh", "Relu"))
	default:
		return ""
	}
	setAttribute(n, &a)
	return fmt.Sprintf("%v: attribute %s %d %v %v %s", n, a.Name, a.I, a.F, a.Ints, a.S)
}

// rewire gives a node another input.
func (x mutator) rewire() string {
	i := x.IntN(len(x.m.Graph.Nodes))
	n := x.m.Graph.Nodes[i]
	if len(n.Inputs) == 0 {
		return ""
	}
	k := x.IntN(len(n.Inputs))
	to := x.value(i)
	was := n.Inputs[k]
	n.Inputs[k] = to
	return fmt.Sprintf("%v: input %d is %q instead of %q", n, k, to, was)
}

// value is the name of something that is there before a node: mostly another node's output.
func (x mutator) value(before int) string {
	switch g := x.m.Graph; {
	case before > 0 && x.IntN(3) > 0:
		lo := max(0, before-40)
		return g.Nodes[lo+x.IntN(before-lo)].Outputs[0]
	case x.IntN(8) == 0:
		return pick(x, g.Inputs...).Name
	default:
		return pick(x, g.Initializers...).Name
	}
}

// swap exchanges two inputs.
func (x mutator) swap() string {
	n := x.node()
	if len(n.Inputs) < 2 {
		return ""
	}
	i, j := x.IntN(len(n.Inputs)), x.IntN(len(n.Inputs))
	n.Inputs[i], n.Inputs[j] = n.Inputs[j], n.Inputs[i]
	return fmt.Sprintf("%v: inputs %d and %d", n, i, j)
}

// operator makes a node compute something else.
func (x mutator) operator() string {
	n := x.node()
	kinds := [][]string{{"Add", "Sub", "Mul", "Div", "Pow", "Min", "Max"}, {"Erf", "Tanh", "Sigmoid", "Relu", "Sqrt", "Exp", "Neg", "Identity"},
		{"Softmax", "LogSoftmax"}, {"ReduceMean", "ReduceSum", "ReduceMax"}, {"Equal", "Less", "Greater"}, {"And", "Or"}}
	for _, k := range kinds {
		if slices.Contains(k, n.OpType) {
			was := n.OpType
			n.OpType = pick(x, k...)
			return fmt.Sprintf("%v was %s", n, was)
		}
	}
	return ""
}

// remove lets a node's users read its input.
func (x mutator) remove() string {
	i := x.IntN(len(x.m.Graph.Nodes))
	n := x.m.Graph.Nodes[i]
	if len(n.Inputs) == 0 {
		return ""
	}
	from := pick(x, n.Inputs...)
	for _, u := range x.m.Graph.Nodes {
		for k, in := range u.Inputs {
			if in == n.Outputs[0] {
				u.Inputs[k] = from
			}
		}
	}
	return fmt.Sprintf("%v is replaced by %q", n, from)
}

// insert puts an operator between a node and its input.
func (x mutator) insert() string {
	i := x.IntN(len(x.m.Graph.Nodes))
	n := x.m.Graph.Nodes[i]
	if len(n.Inputs) == 0 {
		return ""
	}
	k := x.IntN(len(n.Inputs))
	in := n.Inputs[k]
	add := &onnx.Node{OpType: pick(x, "Identity", "Neg", "Relu", "Tanh", "Mul", "Add", "Div", "Transpose", "Softmax"), Name: "inserted",
		Inputs: []string{in}, Outputs: []string{"inserted"}}
	switch add.OpType {
	case "Mul", "Add", "Div":
		other := pick(x, "factor", in, x.value(i))
		if t, err := onnx.NewTensor("factor", nil, []float32{pick(x, float32(1), 2, -1, 0.5)}); err == nil && other == "factor" {
			x.m.Graph.Initializers = append(x.m.Graph.Initializers, t)
		}
		add.Inputs = append(add.Inputs, other)
	case "Transpose":
		setAttribute(add, &onnx.Attribute{Name: "perm", Type: onnx.AttrInts, Ints: pick(x, []int64{0, 1, 2}, []int64{0, 1, 3, 2}, []int64{0, 2, 1, 3},
			[]int64{1, 0, 2}, []int64{1, 0})})
	}
	x.m.Graph.Nodes = slices.Insert(x.m.Graph.Nodes, i, add)
	n.Inputs[k] = "inserted"
	return fmt.Sprintf("%s%q before input %d of %v", add.OpType, add.Inputs, k, n)
}

// leave drops a node's last input.
func (x mutator) leave() string {
	n := x.node()
	if len(n.Inputs) < 2 {
		return ""
	}
	n.Inputs = n.Inputs[:len(n.Inputs)-1]
	return fmt.Sprintf("%v: only %q is left", n, n.Inputs)
}

// output makes an inner value an output.
func (x mutator) output() string {
	n := x.node()
	o := x.m.Graph.Outputs[0]
	o.Name = n.Outputs[0]
	o.Type = nil
	return fmt.Sprintf("output %q", o.Name)
}

// Whatever is changed in an encoder, it is refused, or what is recognised is what onnxruntime computes.
func TestMutantsAreRefusedOrRecognisedRightly(t *testing.T) {
	needRuntime(t)
	mutants := 400
	if testing.Short() {
		mutants = 60
	}
	for _, opset := range []int{11, 13, 17, 20} {
		base := encoder(t, opset)
		testMutants(t, base, uint64(opset), mutants/4, small.VocabSize)
	}
}

func testMutants(t *testing.T, base *onnx.Model, seed uint64, mutants, vocab int) {
	t.Helper()
	accepted, refused, invalid := 0, 0, 0
	for k := range mutants {
		m := clone(t, base)
		x := mutator{rand.New(rand.NewPCG(seed, uint64(k))), m}
		what := ""
		for range 1 + x.IntN(2) {
			if w := x.mutate(); w != "" {
				what += "; " + w
			}
		}
		if what == "" {
			continue
		}
		e, err := importer.EncoderOf(m)
		if err != nil {
			refused++
			continue
		}
		d, err := disagreement(m, e, texts(uint64(k), vocab, 2, 6, 1, 9))
		var bad *runtimeError
		switch {
		case errors.As(err, &bad):
			invalid++
			t.Logf("mutant %d%s: onnxruntime: %.200v", k, what, err)
		case err != nil:
			t.Errorf("mutant %d%s: %v", k, what, err)
		case !(d <= tolerance):
			t.Errorf("mutant %d%s: recognised as something else: it differs by %.2g", k, what, d)
		default:
			accepted++
		}
	}
	t.Logf("%d recognised, %d refused, %d invalid to onnxruntime", accepted, refused, invalid)
	if accepted < mutants/20 || refused < mutants/4 {
		t.Errorf("%d mutants recognised and %d refused, of %d", accepted, refused, mutants)
	}
}
