package lower_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel/cpu"

	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

var record = flag.Bool("record", false, "write the cases of operators anew, with what onnxruntime gives")

// TestRecordCases draws cases of every operator and writes them with -record. Cases of different opsets at which an
// operator's form differs come first, then others; each is drawn in float32 or, on the host, in integers, and once more in
// each type for which onnxruntime has a kernel.
func TestRecordCases(t *testing.T) {
	if !*record {
		t.Skip("writes the cases, if -record is given")
	}
	needRuntime(t)
	all := slices.Concat(ops, hostOps)
	kept := map[string][]*operatorCase{}
	forms := map[string]int{}
	for i, f := range all {
		for seed := range uint64(3000) {
			m := newMaker(seed)

			f(m)
			if len(m.graph.Nodes) == 0 {
				continue
			}
			last := m.graph.Nodes[len(m.graph.Nodes)-1]
			name := last.OpType
			form := fmt.Sprint(name, formOf(name, m.opset), len(last.Attributes), len(last.Inputs))
			for _, a := range last.Attributes {
				if a.Name != "equation" {
					form += string(a.S) // a mode, a reduction
				}
			}
			if len(kept[name]) > 24 || forms[form] > 1 || i < len(ops) && seed > 1500 {
				continue
			}
			model, inputs := m.alone()
			types := []onnx.DataType{onnx.Float}
			if forms[form] == 0 && name != "Cast" {
				types = append(types, onnx.Double, onnx.Int64, onnx.Int32)
			}
			for _, to := range types {
				if c := recorded(t, name, model, inputs, to); c != nil {
					forms[form]++
					kept[name] = append(kept[name], c)
				}
			}
		}
	}
	var cases []*operatorCase
	for _, c := range kept {
		cases = append(cases, c...)
	}
	slices.SortStableFunc(cases, func(a, b *operatorCase) int {
		return cmp.Or(cmp.Compare(a.Op, b.Op), cmp.Compare(a.Opset, b.Opset), cmp.Compare(a.Type, b.Type), bytes.Compare(a.Model, b.Model))
	})
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
	e := json.NewEncoder(z)
	for _, c := range cases {
		if err := e.Encode(c); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(casesFile(t)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(casesFile(t), out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d cases of %d operators, %d bytes", len(cases), len(kept), out.Len())
}

// formOf numbers the form of an operator at an opset.
func formOf(name string, opset int64) int {
	k := 0
	for _, o := range fold.Operators() {
		for _, since := range o.Since {
			if o.Domain == "" && o.Name == name && since <= opset {
				k++
			}
		}
	}
	return k
}

// alone is the graph so far with the inputs that it needs, one at least, and all results of its last node as outputs;
// onnxruntime's binding takes and gives no scalars, and ours of it no unsigned numbers.
func (m *maker) alone() (*onnx.Model, map[string]*fold.Array) {
	g := &onnx.Graph{Name: "case"}
	last := m.graph.Nodes[len(m.graph.Nodes)-1]
	for _, v := range slices.Clone(m.values) {
		if !slices.Contains(last.Outputs, v.name) {
			continue
		}
		if len(v.Shape) == 0 {
			v = m.add(true, "Reshape", 1, []*drawn{v, m.vector(1)})[0]
		}
		if v.Type == onnx.Uint32 {
			v = m.add(true, "Cast", 1, []*drawn{v}, attr("to", int(onnx.Int64)))[0]
		}
		g.Outputs = append(g.Outputs, info(v))
	}
	g.Nodes = m.graph.Nodes
	read := map[string]bool{}
	for _, n := range g.Nodes {
		for _, in := range n.Inputs {
			read[in] = true
		}
	}
	inputs := map[string]*fold.Array{}
	feed := func(v *drawn) {
		inputs[v.name] = v.Array
		g.Inputs = append(g.Inputs, info(v))
	}
	for _, v := range m.values {
		if m.inputs[v.name] != nil && read[v.name] {
			feed(v)
		}
	}
	if len(inputs) == 0 {
		feed(&drawn{Array: m.floats(1), name: "unused"})
	}
	for _, t := range m.graph.Initializers {
		if read[t.Name] {
			g.Initializers = append(g.Initializers, t)
		}
	}
	return &onnx.Model{IRVersion: 8, OpsetImport: []onnx.OperatorSet{{Version: m.opset}}, Graph: g}, inputs
}

// recorded is a case of a model whose float32 are of another type, nil where onnxruntime has no kernel or graft refuses.
func recorded(t *testing.T, name string, model *onnx.Model, inputs map[string]*fold.Array, to onnx.DataType) *operatorCase {
	model, inputs = retyped(t, model, inputs, to)
	if model == nil {
		return nil
	}
	var names []string
	for _, o := range model.Graph.Outputs {
		names = append(names, o.Name)
	}
	want, err := runtime(model, inputs, names)
	if err != nil || slices.ContainsFunc(want, func(a *fold.Array) bool { return a == nil || a.Size() > 200 }) {
		return nil
	}
	c := &operatorCase{Op: name, Opset: model.OpsetImport[0].Version, Type: typeOf(name, model, inputs), model: model,
		data: map[string]*fold.Array{}}
	data := &onnx.Graph{Name: "data"}
	add := func(name string, a *fold.Array) {
		x, err := tensorFor(name, a)
		if err != nil {
			t.Fatal(err)
		}
		data.Initializers = append(data.Initializers, x)
		c.data[name] = a
	}
	for _, v := range model.Graph.Inputs {
		add(v.Name, inputs[v.Name])
	}
	for i, name := range names {
		add(name, want[i])
	}
	switch d, err := c.run(cpu.New()); {
	case err != nil:
		return nil
	case d != "":
		t.Errorf("%v: %s\n%s", c, d, show(model))
		return nil
	}
	if c.Model, err = model.Encode(); err != nil {
		t.Fatal(err)
	}
	if c.Data, err = (&onnx.Model{IRVersion: 8, OpsetImport: model.OpsetImport, Graph: data}).Encode(); err != nil {
		t.Fatal(err)
	}
	return c
}

// typeOf is the type of an operator's first input.
func typeOf(name string, m *onnx.Model, inputs map[string]*fold.Array) string {
	last := m.Graph.Nodes[slices.IndexFunc(m.Graph.Nodes, func(n *onnx.Node) bool { return n.OpType == name })]
	for _, in := range last.Inputs {
		if a := inputs[in]; a != nil {
			return a.Type.String()
		}
		for _, t := range m.Graph.Initializers {
			if t.Name == in {
				return t.Type.String()
			}
		}
		if in != "" {
			break
		}
	}
	for _, v := range m.Graph.Inputs {
		if len(m.Graph.Nodes) > 1 {
			return v.Type.Tensor.Elem.String() // which the nodes before keep
		}
	}
	return m.Graph.Outputs[0].Type.Tensor.Elem.String()
}

// retyped is a model with another type in place of float32: integers are rounded. It is nil where it has no float32, or
// where numbers do not stay what they are.
func retyped(t *testing.T, m *onnx.Model, inputs map[string]*fold.Array, to onnx.DataType) (*onnx.Model, map[string]*fold.Array) {
	if to == onnx.Float {
		return m, inputs
	}
	out, g := *m, *m.Graph
	out.Graph, g.Initializers, g.Inputs, g.Outputs = &g, nil, nil, nil
	changed := false
	other := func(a *fold.Array) *fold.Array {
		if a.Type != onnx.Float {
			return a
		}
		changed = true
		b := fold.Unknown(to, a.Shape...)
		for _, x := range a.Floats {
			if to == onnx.Int64 || to == onnx.Int32 {
				b.Ints = append(b.Ints, int64(math.Round(x)))
			} else {
				b.Floats = append(b.Floats, x)
			}
		}
		return b
	}
	in := map[string]*fold.Array{}
	for _, v := range m.Graph.Inputs {
		in[v.Name] = other(inputs[v.Name])
		g.Inputs = append(g.Inputs, info(&drawn{Array: in[v.Name], name: v.Name}))
	}
	for _, x := range m.Graph.Initializers {
		a, err := fold.FromTensor(x)
		if err != nil {
			t.Fatal(err)
		}
		if x, err = tensorFor(x.Name, other(a)); err != nil {
			t.Fatal(err)
		}
		g.Initializers = append(g.Initializers, x)
	}
	for _, v := range m.Graph.Outputs {
		shape := v.Type.Tensor.Shape
		elem := v.Type.Tensor.Elem
		if elem == onnx.Float {
			elem = to
		}
		g.Outputs = append(g.Outputs, &onnx.ValueInfo{Name: v.Name, Type: &onnx.Type{Tensor: &onnx.TensorType{Elem: elem, Shape: shape}}})
	}
	if !changed {
		return nil, nil
	}
	return &out, in
}
