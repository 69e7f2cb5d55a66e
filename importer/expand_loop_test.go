package importer_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// tensors are values of a type, of any shape.
func tensors(t onnx.DataType, names ...string) []*onnx.ValueInfo {
	var out []*onnx.ValueInfo
	for _, name := range names {
		out = append(out, &onnx.ValueInfo{Name: name, Type: &onnx.Type{Tensor: &onnx.TensorType{Elem: t}}})
	}
	return out
}

func bodyAttr(g *onnx.Graph) *onnx.Attribute {
	return &onnx.Attribute{Name: "body", Type: onnx.AttrGraph, G: g}
}

func step(op string, in []string, out string, attributes ...*onnx.Attribute) *onnx.Node {
	return &onnx.Node{OpType: op, Name: "in the body/" + op, Inputs: in, Outputs: []string{out}, Attributes: attributes}
}

// loop adds a Loop that adds its turn's number to a state and gives the state of each turn too. cond is what its body
// makes of its condition, by a node of its own.
func loop(e *editor, turns, x string, cond *onnx.Node) (last, all string) {
	scalar := func(t onnx.DataType, name string) *onnx.ValueInfo {
		return &onnx.ValueInfo{Name: name, Type: &onnx.Type{Tensor: &onnx.TensorType{Elem: t, Shape: &onnx.Shape{}}}}
	}
	body := &onnx.Graph{Name: "body",
		Inputs: append([]*onnx.ValueInfo{scalar(onnx.Int64, "turn"), scalar(onnx.Bool, "on")}, tensors(onnx.Float, "state")...),
		Nodes: []*onnx.Node{cond, step("Cast", []string{"turn"}, "number", intAttr("to", int64(onnx.Float))),
			step("Add", []string{"state", "number"}, "next"), step("Mul", []string{"next", "next"}, "square")},
		Outputs: append([]*onnx.ValueInfo{scalar(onnx.Bool, cond.Outputs[0])}, tensors(onnx.Float, "next", "square")...)}
	last = e.add("Loop", []string{turns, "", x}, bodyAttr(body))
	n := e.m.Graph.Nodes[e.at-1]
	n.Outputs = append(n.Outputs, last+" of all turns")
	return last, n.Outputs[1]
}

// Sequences, and loops of a constant number of turns, are written out.
func TestSequencesAndLoopsAreWrittenOut(t *testing.T) {
	needRuntime(t)
	onwards := step("Identity", []string{"on"}, "still on")
	for _, c := range []struct {
		name  string
		opset int64
		f     func(e *editor, x string) []string
	}{
		{"parts of given sizes", 18, func(e *editor, x string) []string {
			s := e.add("SplitToSequence", []string{x, e.ints(4, 12, 8)}, intAttr("axis", -1))
			return []string{e.add("SequenceAt", []string{s, e.int(-2)}), e.add("ConcatFromSequence", []string{s}, intAttr("axis", 2))}
		}},
		{"equal parts", 17, func(e *editor, x string) []string {
			s := e.add("SplitToSequence", []string{e.tensor([]int64{7, 24}, numbers(7*24)), e.int(3)}, intAttr("axis", 0))
			n := e.to(onnx.Float, e.add("SequenceLength", []string{s}))
			last := e.add("ReduceSum", []string{e.add("SequenceAt", []string{s, e.int(2)})}, intAttr("keepdims", 0))
			return []string{e.add("Add", []string{x, last}), e.add("Mul", []string{x, n})}
		}},
		{"slices whose axis is dropped", 12, func(e *editor, x string) []string {
			s := e.add("SplitToSequence", []string{e.tensor([]int64{3, 24}, numbers(3*24))}, intAttr("axis", 0), intAttr("keepdims", 0))
			return []string{e.add("Add", []string{x, e.add("SequenceAt", []string{s, e.int(1)})})}
		}},
		{"a sequence that is edited", 17, func(e *editor, x string) []string {
			s := e.add("SequenceConstruct", []string{x, e.add("Neg", []string{x})})
			s = e.add("SequenceInsert", []string{s, e.add("Abs", []string{x}), e.int(1)})
			s = e.add("SequenceErase", []string{e.add("Identity", []string{s}), e.int(0)})
			return []string{e.add("ConcatFromSequence", []string{s}, intAttr("axis", 1), intAttr("new_axis", 1))}
		}},
		{"a loop", 17, func(e *editor, x string) []string {
			last, all := loop(e, e.int(3), x, onwards)
			return []string{last, all}
		}},
		{"a loop of turns that a shape decides", 13, func(e *editor, x string) []string {
			rank := e.add("Size", []string{e.add("Shape", []string{x})})
			last, all := loop(e, rank, x, step("Constant", nil, "still on", &onnx.Attribute{Name: "value", Type: onnx.AttrTensor, T: truth(e)}))
			return []string{last, all}
		}},
		{"a scan", 17, func(e *editor, x string) []string {
			body := &onnx.Graph{Name: "body", Inputs: tensors(onnx.Float, "state", "row"), Nodes: []*onnx.Node{
				step("Add", []string{"state", "row"}, "next"), step("Neg", []string{"next"}, "minus")}, Outputs: tensors(onnx.Float, "next", "minus")}
			y := e.add("Scan", []string{e.tensor([]int64{24}, numbers(24)), e.tensor([]int64{4, 24}, numbers(4*24))}, bodyAttr(body),
				intAttr("num_scan_inputs", 1), intsAttr("scan_input_directions", 1))
			n := e.m.Graph.Nodes[e.at-1]
			n.Outputs = append(n.Outputs, "rows")
			return []string{e.add("Add", []string{x, y}), e.add("Add", []string{e.add("ReduceSum", []string{"rows"}, intAttr("keepdims", 0)), x})}
		}},
	} {
		t.Run(c.name, func(t *testing.T) { expandsTo(t, alone(t, c.opset, c.f)) })
		t.Run(c.name+", in another order", func(t *testing.T) {
			m := clone(t, alone(t, c.opset, c.f))
			slices.Reverse(m.Graph.Nodes)
			expandsTo(t, m)
			x, err := importer.Dequantised(m)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range m.Graph.Nodes { // onnxruntime takes no body's nodes so
				if a := n.Attribute("body"); a != nil {
					slices.Reverse(a.G.Nodes)
				}
			}
			y, err := importer.Dequantised(m)
			if err != nil || len(y.Graph.Nodes) != len(x.Graph.Nodes) {
				t.Errorf("with its body in another order it is written otherwise: %v", err)
			}
		})
	}
}

func truth(e *editor) *onnx.Tensor {
	x, err := onnx.NewTensor("", nil, []bool{true})
	if err != nil {
		e.tb.Fatal(err)
	}
	return x
}

// What depends on the batch is refused, with the reason.
func TestLoopsThatTheBatchDecidesAreRefused(t *testing.T) {
	onwards := step("Identity", []string{"on"}, "still on")
	for name, c := range map[string]struct {
		f    func(e *editor, x string) []string
		want string
	}{
		"turns of the batch": {func(e *editor, x string) []string {
			last, _ := loop(e, e.add("Gather", []string{e.add("Shape", []string{"input_ids"}), e.int(1)}), x, onwards)
			return []string{last}
		}, "is not the same for all inputs, batch sizes and lengths: graft has no loops"},
		"turns without end": {func(e *editor, x string) []string {
			last, _ := loop(e, e.int(1<<40), x, onwards)
			return []string{last}
		}, "are too many to write out"},
		"a condition": {func(e *editor, x string) []string {
			last, _ := loop(e, e.int(3), x, step("Less", []string{"turn", "turn"}, "still on"))
			return []string{last}
		}, "a condition of its body may end it"},
		"slices of the batch": {func(e *editor, x string) []string {
			s := e.add("SplitToSequence", []string{x}, intAttr("axis", 1))
			return []string{e.add("SequenceAt", []string{s, e.int(0)})}
		}, "so that the number of its parts is not known"},
		"a place beyond the end": {func(e *editor, x string) []string {
			return []string{e.add("SequenceAt", []string{e.add("SequenceConstruct", []string{x}), e.int(1)})}
		}, "is outside of 1 places"},
		"no sequence": {func(e *editor, x string) []string {
			return []string{e.add("SequenceAt", []string{x, e.int(0)})}
		}, "is no sequence whose length graft knows"},
		"an LSTM": {func(e *editor, x string) []string {
			return []string{e.add("LSTM", []string{x, x, x}, intAttr("hidden_size", 4))}
		}, "it is recurrent"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := importer.NewNodewise(alone(t, 17, c.f))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}
