package build_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/build"
	"github.com/seed-aefebe89/graft/importer/onnx/internal/orttest"
)

// ids is a small model of an encoder's inputs: the ids as floats, in a branch that doubles them if the mask has zeros.
func ids(t *testing.T) *onnx.Model {
	t.Helper()
	b := build.New(17)
	in := b.Input("input_ids", onnx.Int64, "batch", "sequence")
	mask := b.Input("attention_mask", onnx.Int64, "batch", "sequence")
	x := b.In("embed").Node("Cast", []string{in}, build.Int("to", int64(onnx.Float)))
	least := b.Node("ReduceMin", []string{mask}, build.Int("keepdims", 0))
	padded := b.Node("Equal", []string{least, b.Constant(nil, []int64{0})})
	then, otherwise := b.Sub("then"), b.Sub("else")
	then.Output(then.Node("Mul", []string{x, then.Initializer("two", nil, []float32{2})}), onnx.Float, "batch", "sequence")
	otherwise.Output(otherwise.Node("Identity", []string{x}), onnx.Float, "batch", "sequence")
	y := b.Node("If", []string{padded}, build.Graph("then_branch", then), build.Graph("else_branch", otherwise))
	halves := b.Nodes("Split", 2, []string{y, b.Initializer("sizes", []int64{2}, []int64{1, 1})}, build.Int("axis", 0))
	b.Output(b.Node("BiasGelu", []string{halves[0], b.Initializer("bias", []int64{5}, make([]float32, 5))},
		build.Domain("com.microsoft", 1), build.To("y")), onnx.Float, 1, "sequence")
	b.Output(halves[1], onnx.Float, 1, "sequence")
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestNamesFollowScopesAndOperators(t *testing.T) {
	m := ids(t)
	var got []string
	for _, n := range m.Graph.Nodes {
		got = append(got, n.String()+" → "+strings.Join(n.Outputs, " "))
	}
	want := []string{
		`Cast "/embed/Cast" → /embed/Cast_output_0`,
		`ReduceMin "/ReduceMin" → /ReduceMin_output_0`,
		`Constant "/Constant" → /Constant_output_0`,
		`Equal "/Equal" → /Equal_output_0`,
		`If "/If" → /If_output_0`,
		`Split "/Split" → /Split_output_0 /Split_output_1`,
		`com.microsoft.BiasGelu "/BiasGelu" → y`,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q,\nwant %q", got, want)
	}
	if v, ok := m.Opset("com.microsoft"); !ok || v != 1 || m.IRVersion != 8 {
		t.Errorf("com.microsoft %d %v, IR version %d", v, ok, m.IRVersion)
	}
	if got := m.Graph.Inputs[0].Type.String(); got != "tensor(int64)[batch,sequence]" {
		t.Errorf("input of type %s", got)
	}
	b := build.New(11)
	x := b.Input("x", onnx.Float)
	first, second := b.Node("Relu", []string{x}, build.Name("/Relu")), b.Node("Relu", []string{x})
	if first != "/Relu_output_0" || second != "/Relu_1_output_0" {
		t.Errorf("outputs %q and %q", first, second)
	}
}

func TestOnnxruntimeRunsWhatWasBuilt(t *testing.T) {
	orttest.Require(t)
	b, err := ids(t).Encode()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	in := map[string][]int64{
		"input_ids":      {8, 9, 10, 11, 12, 1, 2, 3, 4, 5},
		"attention_mask": {1, 1, 1, 1, 1, 1, 1, 1, 0, 0},
	}
	out, err := orttest.Run(path, 2, 5, in)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]orttest.Output{ // GELU(16) is 16 in float32
		"y":               {Shape: []int64{1, 5}, Data: []float32{16, 18, 20, 22, 24}},
		"/Split_output_1": {Shape: []int64{1, 5}, Data: []float32{2, 4, 6, 8, 10}},
	}
	if !reflect.DeepEqual(out, want) {
		t.Errorf("got %v, want %v", out, want)
	}
}

func TestEveryAttributeTypeIsSet(t *testing.T) {
	b := build.New(17)
	x, err := onnx.NewTensor("x", nil, []float32{1})
	if err != nil {
		t.Fatal(err)
	}
	sub := b.Sub("sub")
	sub.Node("Inner", nil, build.Domain("test", 3))
	b.Node("Op", nil, build.Int("i", 1), build.Float("f", 2), build.String("s", "x"), build.Ints("is", 1, 2),
		build.Floats("fs", 1), build.Strings("ss", "a", "b"), build.Tensor("t", x), build.Graph("g", sub))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]onnx.AttributeType{"i": onnx.AttrInt, "f": onnx.AttrFloat, "s": onnx.AttrString, "is": onnx.AttrInts,
		"fs": onnx.AttrFloats, "ss": onnx.AttrStrings, "t": onnx.AttrTensor, "g": onnx.AttrGraph}
	for _, a := range m.Graph.Nodes[0].Attributes {
		if a.Type != want[a.Name] {
			t.Errorf("%s has type %v, want %v", a.Name, a.Type, want[a.Name])
		}
		delete(want, a.Name)
	}
	if len(want) > 0 {
		t.Errorf("attributes missing: %v", want)
	}
	if v, _ := m.Opset("test"); v != 3 {
		t.Errorf("the sub-graph's domain is imported as version %d, want 3", v)
	}
}

func TestFaultsAreReturnedByModel(t *testing.T) {
	for name, tc := range map[string]struct {
		add  func(b *build.Builder)
		want string
	}{
		"unknown input": {
			func(b *build.Builder) { b.Node("Relu", []string{"z"}) }, `Relu "/Relu" reads "z", which nothing gives`,
		},
		"unknown output": {func(b *build.Builder) { b.Output("z", onnx.Float) }, `nothing gives the output "z"`},
		"value twice": {
			func(b *build.Builder) { b.Node("Relu", []string{"x"}, build.To("x")) }, `the value "x" is given twice`,
		},
		"node twice": {func(b *build.Builder) {
			b.Node("Relu", []string{"x"}, build.Name("n"), build.To("a"))
			b.Node("Relu", []string{"x"}, build.Name("n"), build.To("b"))
		}, `two nodes are named "n"`},
		"attribute twice": {
			func(b *build.Builder) { b.Node("A", nil, build.Int("a", 1), build.Int("a", 1)) }, `two attributes "a"`,
		},
		"outputs": {
			func(b *build.Builder) { b.Node("A", nil, build.To("a", "b")) }, "has 1 outputs, but 2 names",
		},
		"no outputs": {func(b *build.Builder) { b.Nodes("A", 0, nil, build.To("a")) }, "has 0 outputs, but 1 names"},
		"initialiser": {
			func(b *build.Builder) { b.Initializer("w", []int64{3}, []float32{1}) }, "4 bytes of data, want 12",
		},
		"constant": {func(b *build.Builder) { b.Constant(nil, []any{1}) }, "no data type holds []interface {}"},
		"dimension": {
			func(b *build.Builder) { b.Input("y", onnx.Float, 1.5) }, `input "y": a dimension cannot be a float64`,
		},
		"output's dimension": {func(b *build.Builder) { b.Output("x", onnx.Float, 1.5) },
			`output "x": a dimension cannot be a float64`},
		"versions": {func(b *build.Builder) {
			b.Node("A", nil, build.Domain("d", 1))
			b.Node("A", nil, build.Domain("d", 2))
		}, `the domain "d" is imported as version 1 and as 2`},
		"in a sub-graph": {func(b *build.Builder) {
			sub := b.Sub("then")
			sub.Node("Relu", []string{"z"})
			b.Node("If", []string{"x"}, build.Graph("then_branch", sub))
		}, `building then: Relu "/Relu" reads "z"`},
		"default twice": {func(b *build.Builder) {
			b.Initializer("x", nil, []float32{1})
			b.Initializer("x", nil, []float32{1})
		}, `the value "x" is given twice`},
	} {
		b := build.New(17)
		b.Input("x", onnx.Float)
		tc.add(b)
		if m, err := b.Model(); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, %v; want an error with %q", name, m, err, tc.want)
		}
	}
}

func TestAnInitialiserIsAnInputsDefault(t *testing.T) {
	b := build.New(17)
	x := b.Input("x", onnx.Float, 1)
	b.Initializer("x", []int64{1}, []float32{3})
	b.Output(b.Node("Relu", []string{x}), onnx.Float, 1)
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	if m.Graph.Initializer("x") == nil || len(m.Graph.Inputs) != 1 {
		t.Error("no default")
	}
}

func TestIRVersionsFollowTheReleases(t *testing.T) {
	for opset, want := range map[int64]int64{
		1: 3, 8: 3, 9: 4, 11: 6, 12: 7, 14: 7, 15: 8, 18: 8, 19: 9, 22: 10, 23: 11, 27: 13, 28: 14,
	} {
		if got := build.IRVersion(opset); got != want {
			t.Errorf("opset %d: IR version %d, want %d", opset, got, want)
		}
	}
}
