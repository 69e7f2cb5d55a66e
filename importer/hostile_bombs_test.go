package importer_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/internal/app"
)

// behind puts nodes behind the first layer's activation, and what they give in its place.
func behind(t *testing.T, m *onnx.Model, add func(e *editor, x string) string) {
	t.Helper()
	e := before(t, m, scope+"output/dense/MatMul")
	node(t, m, scope+"output/dense/MatMul").Inputs[0] = add(e, scope+"intermediate/dense/Add_output_0")
}

// function adds a local function of opset 17.
func function(m *onnx.Model, name string, inputs, outputs []string, nodes ...*onnx.Node) {
	m.Functions = append(m.Functions, &onnx.Function{Name: name, Domain: "org.example", Inputs: inputs, Outputs: outputs, Nodes: nodes,
		OpsetImport: []onnx.OperatorSet{{Version: 17}, {Domain: "org.example", Version: 1}}})
	if _, ok := m.Opset("org.example"); !ok {
		m.OpsetImport = append(m.OpsetImport, onnx.OperatorSet{Domain: "org.example", Version: 1})
	}
}

// call is a node that calls a local function.
func call(name string, inputs, outputs []string) *onnx.Node {
	return &onnx.Node{OpType: name, Domain: "org.example", Inputs: inputs, Outputs: outputs}
}

// graphAttr is an attribute that holds a sub-graph.
func graphAttr(name string, g *onnx.Graph) *onnx.Attribute {
	return &onnx.Attribute{Name: name, Type: onnx.AttrGraph, G: g}
}

// What a few kilobytes ask for may be any number of nodes, hours of work or terabytes: it is refused at once.
func TestBombsAreRefusedAtOnce(t *testing.T) {
	const tera = int64(1) << 40
	x1, y1 := []string{"x"}, []string{"y"}
	for _, c := range []struct {
		name, want string
		edit       func(t *testing.T, m *onnx.Model)
	}{
		{"a function that calls itself", "or call themselves", func(t *testing.T, m *onnx.Model) {
			function(m, "F", x1, y1, call("F", x1, y1))
			behind(t, m, func(e *editor, x string) string { return e.calls("F", x) })
		}},
		{"functions that call each other", "or call themselves", func(t *testing.T, m *onnx.Model) {
			function(m, "F", x1, y1, call("G", x1, y1))
			function(m, "G", x1, y1, call("F", x1, y1))
			behind(t, m, func(e *editor, x string) string { return e.calls("F", x) })
		}},
		{"functions that double", "no encoder's", func(t *testing.T, m *onnx.Model) {
			function(m, "F0", x1, y1, &onnx.Node{OpType: "Tanh", Inputs: x1, Outputs: y1})
			for i := range 40 {
				f := fmt.Sprint("F", i)
				function(m, fmt.Sprint("F", i+1), x1, y1, call(f, x1, []string{"z"}), call(f, []string{"z"}, y1))
			}
			behind(t, m, func(e *editor, x string) string { return e.calls("F40", x) })
		}},
		{"functions that double and leave nothing", "no encoder's", func(t *testing.T, m *onnx.Model) {
			function(m, "F0", nil, nil)
			for i := range 40 {
				f := fmt.Sprint("F", i)
				function(m, fmt.Sprint("F", i+1), x1, x1, call(f, nil, nil), call(f, nil, nil))
			}
			behind(t, m, func(e *editor, x string) string { return e.calls("F40", x) })
		}},
		{"a function of a large sub-graph, called often", "no encoder's", func(t *testing.T, m *onnx.Model) {
			g := &onnx.Graph{Outputs: []*onnx.ValueInfo{{Name: "n0"}}}
			for i := range 2000 {
				g.Nodes = append(g.Nodes, &onnx.Node{OpType: "Tanh", Inputs: x1, Outputs: []string{fmt.Sprint("n", i)}})
			}
			function(m, "F", x1, y1, &onnx.Node{OpType: "If", Inputs: x1, Outputs: y1,
				Attributes: []*onnx.Attribute{graphAttr("then_branch", g), graphAttr("else_branch", g)}})
			behind(t, m, func(e *editor, x string) string {
				for range 5000 {
					x = e.calls("F", x)
				}
				return x
			})
		}},
		{"a function of many inputs, called often", "no encoder's", func(t *testing.T, m *onnx.Model) {
			many := slices.Repeat(x1, 10000)
			function(m, "F", x1, y1, &onnx.Node{OpType: "Concat", Inputs: many, Outputs: y1, Attributes: []*onnx.Attribute{intAttr("axis", 0)}})
			behind(t, m, func(e *editor, x string) string {
				for range 5000 {
					x = e.calls("F", x)
				}
				return x
			})
		}},
		{"many Ifs", "more Ifs than can be decided", func(t *testing.T, m *onnx.Model) {
			behind(t, m, func(e *editor, x string) string {
				g := func(op string) *onnx.Graph {
					return &onnx.Graph{Nodes: []*onnx.Node{{OpType: op, Inputs: []string{x}, Outputs: y1}}, Outputs: []*onnx.ValueInfo{{Name: "y"}}}
				}
				for range 4000 {
					shape := e.add("Shape", []string{"input_ids"})
					less := e.add("Less", []string{e.add("Gather", []string{shape, e.int(0)}), e.int(1 << 40)})
					e.add("If", []string{less}, graphAttr("then_branch", g("Tanh")), graphAttr("else_branch", g("Erf")))
				}
				return x
			})
		}},
		{"an If that asks for what it gives", "cycle", func(t *testing.T, m *onnx.Model) {
			behind(t, m, func(e *editor, x string) string {
				g := &onnx.Graph{Outputs: []*onnx.ValueInfo{{Name: x}}}
				out := e.add("If", []string{fmt.Sprintf("added_%d_9", 0)}, graphAttr("then_branch", g), graphAttr("else_branch", g))
				m.Graph.Nodes[e.at-1].Inputs[0] = out
				return out
			})
		}},
		{"a loop of 2⁶² rounds", "Loop", func(t *testing.T, m *onnx.Model) {
			behind(t, m, func(e *editor, x string) string {
				body := &onnx.Graph{Inputs: []*onnx.ValueInfo{{Name: "i"}, {Name: "c"}, {Name: "v"}},
					Nodes:   []*onnx.Node{{OpType: "Concat", Inputs: []string{"v", "v"}, Outputs: y1, Attributes: []*onnx.Attribute{intAttr("axis", 0)}}},
					Outputs: []*onnx.ValueInfo{{Name: "c"}, {Name: "y"}}}
				return e.add("Loop", []string{e.int(1 << 62), e.tensor(nil, []bool{true}), x}, graphAttr("body", body))
			})
		}},
		{"a scan of a billion steps", "Scan", func(t *testing.T, m *onnx.Model) {
			behind(t, m, func(e *editor, x string) string {
				body := &onnx.Graph{Inputs: []*onnx.ValueInfo{{Name: "v"}}, Outputs: []*onnx.ValueInfo{{Name: "v"}}}
				return e.add("Scan", []string{e.add("ConstantOfShape", []string{e.ints(1e9)})}, graphAttr("body", body), intAttr("num_scan_inputs", 1))
			})
		}},
		{"a billion zeros", "too large to fold", added("ConstantOfShape", func(e *editor, x string) []string { return []string{e.ints(1e9)} })},
		{"a terabyte of zeros", "out of range", added("ConstantOfShape", func(e *editor, x string) []string { return []string{e.ints(tera)} })},
		{"a constant expanded to a billion", "too large to fold", added("Expand", func(e *editor, x string) []string {
			return []string{e.float(1), e.ints(1e9)}
		})},
		{"a constant expanded to a terabyte", "out of range", added("Expand", func(e *editor, x string) []string {
			return []string{e.float(1), e.ints(tera)}
		})},
		{"activations expanded to eight gigabytes", "", added("Expand", func(e *editor, x string) []string {
			return []string{e.add("ReduceMean", []string{x}), e.ints(1<<16, 1<<15, 1)}
		})},
		{"activations expanded beyond any memory", "address space", added("Expand", func(e *editor, x string) []string {
			return []string{e.add("ReduceMean", []string{x}), e.ints(1<<30, 1<<30, 1)}
		})},
		{"four billion tiles", "", added("Tile", func(e *editor, x string) []string { return []string{x, e.ints(1<<12, 1<<12, 1)} })},
		{"a padding of a terabyte", "", added("Pad", func(e *editor, x string) []string {
			return []string{x, e.ints(0, 0, 0, tera, 0, 0)}
		})},
		{"a trillion numbers counted", "too large to fold", added("Range", func(e *editor, x string) []string {
			return []string{e.int(0), e.int(tera), e.int(1)}
		})},
		{"a count in steps of almost nothing", "too large to fold", added("Range", func(e *editor, x string) []string {
			return []string{e.float(0), e.float(1e30), e.float(1e-30)}
		})},
		{"a one for each of a trillion classes", "", added("OneHot", func(e *editor, x string) []string {
			return []string{"input_ids", e.int(tera), e.tensor([]int64{2}, []float32{0, 1})}
		})},
		{"sums that grow", "", func(t *testing.T, m *onnx.Model) { // each twice the width of the one before
			behind(t, m, func(e *editor, x string) string {
				for range 24 {
					x = e.add("Concat", []string{x, x}, intAttr("axis", 0))
				}
				return e.add("Add", []string{scope + "intermediate/dense/Add_output_0", e.add("ReduceMean", []string{x})})
			})
		}},
		{"a quantised weight of trillions", "in blocks of", func(t *testing.T, m *onnx.Model) {
			behind(t, m, func(e *editor, x string) string {
				w, s := e.tensor([]int64{1, 1, 8}, make([]uint8, 8)), e.tensor([]int64{1}, []float32{1})
				return e.contrib("MatMulNBits", []string{x, w, s}, intAttr("K", tera), intAttr("N", tera), intAttr("block_size", 1<<62))
			})
		}},
		{"a quantised weight of many blocks", "want", func(t *testing.T, m *onnx.Model) {
			behind(t, m, func(e *editor, x string) string {
				w, s := e.tensor([]int64{1, 1, 8}, make([]uint8, 8)), e.tensor([]int64{1}, []float32{1})
				return e.contrib("MatMulNBits", []string{x, w, s}, intAttr("K", 1<<24), intAttr("N", 1<<24), intAttr("block_size", 16))
			})
		}},
		{"blocks of scales of a negative size", "", func(t *testing.T, m *onnx.Model) {
			n := node(t, m, self+"query/MatMul")
			e := before(t, m, self+"query/MatMul")
			w, s := e.tensor([]int64{12, 12}, make([]int8, 144)), e.tensor([]int64{12, 12}, make([]float32, 144))
			n.Inputs[1] = e.add("DequantizeLinear", []string{w, s}, intAttr("block_size", -1<<62), intAttr("axis", 1<<62))
		}},
		{"100,000 nodes", "nodes, which is no encoder's", func(t *testing.T, m *onnx.Model) {
			n := &onnx.Node{OpType: "Identity", Inputs: []string{"input_ids"}}
			for i := range 100000 {
				c := *n
				c.Outputs = []string{fmt.Sprint("n", i)}
				m.Graph.Nodes = append(m.Graph.Nodes, &c)
			}
		}},
		{"strings for numbers", "string", func(t *testing.T, m *onnx.Model) {
			setInitialiser(t, m, "embeddings.LayerNorm.weight", slices.Repeat([]string{"1"}, 12))
		}},
		{"a string for a number", "of type string", func(t *testing.T, m *onnx.Model) {
			node(t, m, self+"Softmax").Attributes = []*onnx.Attribute{{Name: "axis", Type: onnx.AttrString, S: []byte("-1")}}
		}},
		{"whole numbers for weights", "int64", func(t *testing.T, m *onnx.Model) {
			setInitialiser(t, m, "embeddings.LayerNorm.weight", make([]int64, 12))
		}},
		{"names of a megabyte", "has a name of 1048576 bytes", func(t *testing.T, m *onnx.Model) {
			node(t, m, self+"Softmax").Inputs[0] = strings.Repeat("x", 1<<20)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := encoder(t, 17)
			c.edit(t, m)
			b, err := m.Encode()
			if err != nil {
				t.Fatal(err)
			}
			refused(t, t.TempDir(), b, c.want)
		})
	}
}

// What fits an operator may still be too much for a check, which onnxruntime would compute at any price.
func TestChecksAreOfAReasonableSize(t *testing.T) {
	m := encoder(t, 17)
	added("Expand", func(e *editor, x string) []string {
		return []string{e.add("ReduceMean", []string{x}), e.ints(1<<15, 1<<14, 1)}
	})(t, m)
	b, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if c, err := app.RunCheck(context.Background(), path, app.CheckOptions{Threads: 1}); err == nil || !strings.Contains(c.Reason, "too large to run") {
		t.Errorf("%v, %+v", err, c)
	}
}

// calls adds a call of a local function.
func (e *editor) calls(f, x string) string {
	out := e.add("Identity", []string{x})
	e.m.Graph.Nodes[e.at-1].OpType, e.m.Graph.Nodes[e.at-1].Domain = f, "org.example"
	return out
}

// added puts an operator behind the first layer's activation; the mean of what it gives is added to that.
func added(op string, in func(e *editor, x string) []string) func(t *testing.T, m *onnx.Model) {
	return func(t *testing.T, m *onnx.Model) {
		behind(t, m, func(e *editor, x string) string {
			return e.add("Add", []string{x, e.add("ReduceMean", []string{e.add(op, in(e, x))})})
		})
	}
}

// setInitialiser gives an initialiser other elements.
func setInitialiser(t *testing.T, m *onnx.Model, name string, data any) {
	t.Helper()
	for i, x := range m.Graph.Initializers {
		if x.Name == name {
			c, err := onnx.NewTensor(name, x.Dims, data)
			if err != nil {
				t.Fatal(err)
			}
			m.Graph.Initializers[i] = c
			return
		}
	}
	t.Fatalf("there is no %q", name)
}
