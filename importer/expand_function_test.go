package importer_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// outline moves the nodes whose names begin with a prefix into a local function, which a node in their place calls. What
// they read becomes its inputs, what others read of theirs its outputs.
func outline(t *testing.T, m *onnx.Model, prefix string) (*onnx.Function, *onnx.Node) {
	t.Helper()
	f := &onnx.Function{Name: "F" + fmt.Sprint(len(m.Functions)), Domain: "org.example",
		OpsetImport: slices.Clone(m.OpsetImport)}
	call := &onnx.Node{OpType: f.Name, Domain: f.Domain, Name: prefix + "call"}
	made := map[string]bool{}
	at := -1
	var rest []*onnx.Node
	for _, n := range m.Graph.Nodes {
		if !strings.HasPrefix(n.Name, prefix) {
			rest = append(rest, n)
			continue
		}
		at = len(rest) // after what the last of them reads
		f.Nodes = append(f.Nodes, n)
		for _, in := range n.Inputs {
			if in != "" && !made[in] && !slices.Contains(f.Inputs, in) {
				f.Inputs, call.Inputs = append(f.Inputs, in), append(call.Inputs, in)
			}
		}
		for _, o := range n.Outputs {
			made[o] = true
		}
	}
	if at < 0 {
		t.Fatalf("no node is called %s…", prefix)
	}
	for _, n := range rest {
		for _, in := range n.Inputs {
			if made[in] && !slices.Contains(f.Outputs, in) {
				f.Outputs, call.Outputs = append(f.Outputs, in), append(call.Outputs, in)
			}
		}
	}
	m.Graph.Nodes = slices.Insert(rest, at, call)
	m.Functions = append(m.Functions, f)
	if _, ok := m.Opset(f.Domain); !ok {
		m.OpsetImport = append(m.OpsetImport, onnx.OperatorSet{Domain: f.Domain, Version: 1})
	}
	return f, call
}

func TestLocalFunctionsAreInlined(t *testing.T) {
	const act = "/encoder/layer.0/intermediate/"
	run(t, []change{
		{name: "an activation", edit: func(t *testing.T, m *onnx.Model) { outline(t, m, gelu) }},
		{name: "a layer, and another", edit: func(t *testing.T, m *onnx.Model) {
			outline(t, m, "/encoder/layer.0/")
			outline(t, m, "/encoder/layer.1/")
		}},
		{name: "a function in a function", edit: func(t *testing.T, m *onnx.Model) {
			f, call := outline(t, m, act)
			m.Graph.Nodes[slices.Index(m.Graph.Nodes, call)].Name = act + "call"
			g, _ := outline(t, m, act+"call")
			g.OpsetImport = append(g.OpsetImport, onnx.OperatorSet{Domain: f.Domain, Version: 1})
		}},
		{name: "names of its own", edit: func(t *testing.T, m *onnx.Model) {
			f, _ := outline(t, m, gelu)
			short := map[string]string{"": ""}
			rename := func(names []string) []string {
				out := slices.Clone(names)
				for i, name := range names {
					if _, ok := short[name]; !ok {
						short[name] = fmt.Sprint("x", len(short))
					}
					out[i] = short[name]
				}
				return out
			}
			f.Inputs, f.Outputs = rename(f.Inputs), rename(f.Outputs)
			for _, n := range f.Nodes {
				n.Inputs, n.Outputs = rename(n.Inputs), rename(n.Outputs)
			}
		}},
		{name: "an attribute of its caller's", edit: func(t *testing.T, m *onnx.Model) {
			f, call := outline(t, m, self+"Softmax")
			f.AttributeNames = []string{"dim"}
			f.Nodes[0].Attributes = []*onnx.Attribute{{Name: "axis", RefAttrName: "dim", Type: onnx.AttrInt}}
			call.Attributes = []*onnx.Attribute{intAttr("dim", -1)}
		}},
		{name: "an attribute with a default", edit: func(t *testing.T, m *onnx.Model) {
			f, _ := outline(t, m, self+"Softmax")
			f.Attributes = []*onnx.Attribute{intAttr("dim", 3)}
			f.Nodes[0].Attributes = []*onnx.Attribute{{Name: "axis", RefAttrName: "dim", Type: onnx.AttrInt}}
		}},
		{name: "an attribute that makes it another function", edit: func(t *testing.T, m *onnx.Model) {
			f, call := outline(t, m, self+"Softmax")
			f.AttributeNames = []string{"dim"}
			f.Nodes[0].Attributes = []*onnx.Attribute{{Name: "axis", RefAttrName: "dim", Type: onnx.AttrInt}}
			call.Attributes = []*onnx.Attribute{intAttr("dim", 1)}
		}, want: "is part of no block that graft recognises"},
		{name: "a function that calls itself", edit: func(t *testing.T, m *onnx.Model) {
			f, call := outline(t, m, self+"Softmax")
			f.OpsetImport = m.OpsetImport
			f.Nodes[0] = &onnx.Node{OpType: call.OpType, Domain: call.Domain, Name: "again", Inputs: f.Inputs, Outputs: f.Outputs}
		}, want: "call themselves"},
		{name: "functions that double each other", edit: func(t *testing.T, m *onnx.Model) {
			f, _ := outline(t, m, self+"Softmax")
			for i := range 60 {
				call := func(out string) *onnx.Node {
					return &onnx.Node{OpType: m.Functions[i].Name, Domain: f.Domain, Inputs: f.Inputs, Outputs: []string{out}}
				}
				m.Functions = append(m.Functions, &onnx.Function{Name: fmt.Sprint("F", i+1), Domain: f.Domain, Inputs: f.Inputs,
					Outputs: f.Outputs, OpsetImport: m.OpsetImport, Nodes: []*onnx.Node{call("waste"), call(f.Outputs[0])}})
			}
			node(t, m, self+"Softmaxcall").OpType = "F60"
		}, want: "nodes, which is no encoder's"},
		{name: "two functions of one name", edit: func(t *testing.T, m *onnx.Model) {
			f, _ := outline(t, m, self+"Softmax")
			m.Functions = append(m.Functions, f)
		}, want: "is defined twice"},
		{name: "a value that the function does not make", edit: func(t *testing.T, m *onnx.Model) {
			f, _ := outline(t, m, self+"Softmax")
			f.Nodes[0].Inputs = []string{self + "Add_output_0 of the graph around"}
		}, want: "nothing makes the input"},
		{name: "too many inputs", edit: func(t *testing.T, m *onnx.Model) {
			_, call := outline(t, m, self+"Softmax")
			call.Inputs = append(call.Inputs, call.Inputs[0])
		}, want: "it has 2 inputs and 1 outputs, the function 1 and 1"},
		{name: "another opset of the same meaning", edit: func(t *testing.T, m *onnx.Model) {
			f, _ := outline(t, m, self+"Softmax")
			f.OpsetImport = []onnx.OperatorSet{{Version: 15}}
		}},
		{name: "another opset of another meaning", edit: func(t *testing.T, m *onnx.Model) {
			f, _ := outline(t, m, self+"Softmax")
			f.OpsetImport = []onnx.OperatorSet{{Version: 12}}
		}, want: "changes its meaning up to the model's 17"},
	})
}

// choose puts a node into the branch of an If whose condition is a value; the other branch is made by other.
func choose(t *testing.T, m *onnx.Model, name, cond string, then bool, other *onnx.Node) {
	t.Helper()
	n := node(t, m, name)
	at := slices.Index(m.Graph.Nodes, n)
	inner := *n
	inner.Outputs = []string{n.Outputs[0] + " inside"}
	graphs := map[bool]*onnx.Graph{}
	for which, n := range map[bool]*onnx.Node{then: &inner, !then: other} {
		graphs[which] = &onnx.Graph{Name: fmt.Sprint(which), Nodes: []*onnx.Node{n}, Outputs: []*onnx.ValueInfo{{Name: n.Outputs[0],
			Type: &onnx.Type{Tensor: &onnx.TensorType{Elem: onnx.Float}}}}}
	}
	m.Graph.Nodes[at] = &onnx.Node{OpType: "If", Name: name, Inputs: []string{cond}, Outputs: n.Outputs, Attributes: []*onnx.Attribute{
		{Name: "then_branch", Type: onnx.AttrGraph, G: graphs[true]}, {Name: "else_branch", Type: onnx.AttrGraph, G: graphs[false]}}}
}

func TestIfsThatShapesDecideAreInlined(t *testing.T) {
	other := func(t *testing.T, m *onnx.Model) *onnx.Node {
		return &onnx.Node{OpType: "Neg", Name: "other", Inputs: node(t, m, self+"Softmax").Inputs, Outputs: []string{"other"}}
	}
	run(t, []change{
		{name: "a constant", edit: func(t *testing.T, m *onnx.Model) {
			e := before(t, m, self+"Softmax")
			choose(t, m, self+"Softmax", e.tensor(nil, []bool{true}), true, other(t, m))
		}},
		{name: "a constant that is false", edit: func(t *testing.T, m *onnx.Model) {
			e := before(t, m, self+"Softmax")
			choose(t, m, self+"Softmax", e.tensor([]int64{1}, []bool{false}), false, other(t, m))
		}},
		{name: "a shape", edit: func(t *testing.T, m *onnx.Model) { // [batch, heads, sequence, sequence]
			e := before(t, m, self+"Softmax")
			shape := e.add("Shape", []string{node(t, m, self+"Softmax").Inputs[0]})
			q, k := e.add("Gather", []string{shape, e.int(2)}), e.add("Gather", []string{shape, e.int(-1)})
			choose(t, m, self+"Softmax", e.add("Equal", []string{q, k}), true, other(t, m))
		}},
		{name: "one If after another", edit: func(t *testing.T, m *onnx.Model) {
			for i, name := range []string{self + "Softmax", "/encoder/layer.1/output/dense/MatMul"} {
				n := node(t, m, name)
				e := before(t, m, name)
				shape := e.add("Shape", []string{n.Inputs[0]})
				o := &onnx.Node{OpType: "Neg", Inputs: n.Inputs[:1], Outputs: []string{fmt.Sprint("other", i)}}
				choose(t, m, name, e.add("Less", []string{e.add("Size", []string{shape}), e.int(2)}), false, o)
			}
		}},
		{name: "tokens", edit: func(t *testing.T, m *onnx.Model) {
			e := before(t, m, self+"Softmax")
			first := e.add("Gather", []string{e.add("Reshape", []string{"input_ids", e.ints(-1)}), e.int(0)})
			choose(t, m, self+"Softmax", e.add("Equal", []string{first, e.int(3)}), true, other(t, m))
		}, want: "is not the same for all inputs, batch sizes and lengths"},
		{name: "the number of tokens", edit: func(t *testing.T, m *onnx.Model) {
			e := before(t, m, self+"Softmax")
			choose(t, m, self+"Softmax", e.add("Less", []string{e.add("Size", []string{"input_ids"}), e.int(15)}), true, other(t, m))
		}, want: "is not the same for all inputs, batch sizes and lengths"},
		{name: "no branch", edit: func(t *testing.T, m *onnx.Model) {
			e := before(t, m, self+"Softmax")
			choose(t, m, self+"Softmax", e.tensor(nil, []bool{true}), true, other(t, m))
			n := node(t, m, self+"Softmax")
			n.Attributes = n.Attributes[1:]
		}, want: "it has no then_branch"},
	})
}

// The other branch is no part of the encoder: what it holds does not matter.
func TestTheOtherBranchIsNotLookedAt(t *testing.T) {
	m := encoder(t, 17)
	e := before(t, m, self+"Softmax")
	choose(t, m, self+"Softmax", e.tensor(nil, []bool{true}), true,
		&onnx.Node{OpType: "Nonsense", Domain: "org.example", Inputs: []string{self + "Add_output_0"}, Outputs: []string{"other"}})
	if _, err := importer.EncoderOf(m); err != nil {
		t.Fatal(err)
	}
}

// onnxruntime refuses such functions, ONNX does not.
func TestFunctionsMayHandAnInputOn(t *testing.T) {
	m := encoder(t, 17)
	f, call := outline(t, m, self+"Softmax")
	f.Outputs = append(f.Outputs, f.Inputs[0])
	call.Outputs = append(call.Outputs, "handed on")
	n := node(t, m, self+"MatMul_1")
	e := before(t, m, self+"MatMul_1")
	n.Inputs[0] = e.add("Softmax", []string{"handed on"}, intAttr("axis", -1))
	recognise(t, m)
}
