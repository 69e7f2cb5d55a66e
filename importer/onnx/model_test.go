package onnx

import (
	"fmt"
	"path/filepath"
	"testing"
)

func TestTypesAreWrittenForMessages(t *testing.T) {
	tensor := func(dims ...Dim) *Type { return &Type{Tensor: &TensorType{Elem: Float, Shape: &Shape{Dims: dims}}} }
	for want, typ := range map[string]*Type{
		"tensor(float)[batch,sequence,32]": tensor(SymbolicDim("batch"), SymbolicDim("sequence"), FixedDim(32)),
		"tensor(float)[?,0,-1]":            tensor(Dim{}, FixedDim(0), FixedDim(-1)),
		"tensor(float)[]":                  tensor(),
		"tensor(bfloat16)":                 {Tensor: &TensorType{Elem: Bfloat16}},
		"tensor(data type 99)":             {Tensor: &TensorType{Elem: 99}},
		"tensor(data type -1)":             {Tensor: &TensorType{Elem: -1}},
		"sparse_tensor(int64)[2]":          {Sparse: &TensorType{Elem: Int64, Shape: &Shape{Dims: []Dim{FixedDim(2)}}}},
		"seq(map(int64,tensor(float)[2]))": {
			Sequence: &ElemType{Elem: &Type{Map: &MapType{Key: Int64, Value: tensor(FixedDim(2))}}},
		},
		"optional(unknown)":     {Optional: &ElemType{}},
		"map(string,unknown)":   {Map: &MapType{Key: String}},
		"opaque(ai.test,thing)": {Opaque: &OpaqueType{Domain: "ai.test", Name: "thing"}},
		"unknown":               nil,
	} {
		if got := typ.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestNodesAreNamedForMessages(t *testing.T) {
	for want, n := range map[string]*Node{
		`Softmax "/encoder/layer.0/Softmax"`: {OpType: "Softmax", Name: "/encoder/layer.0/Softmax", Outputs: []string{"y"}},
		`Gelu "g"`:                           {OpType: "Gelu", Domain: "ai.onnx", Name: "g"},
		`com.microsoft.Gelu → "y"`:           {OpType: "Gelu", Domain: "com.microsoft", Outputs: []string{"", "y"}},
		`Print`:                              {OpType: "Print"},
	} {
		if got := n.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestOpsetKnowsTheDefaultDomainByBothNames(t *testing.T) {
	m := &Model{OpsetImport: []OperatorSet{{Domain: "com.microsoft", Version: 1}, {Domain: "ai.onnx", Version: 17}}}
	for domain, want := range map[string]int64{"": 17, "ai.onnx": 17, "com.microsoft": 1} {
		if v, ok := m.Opset(domain); !ok || v != want {
			t.Errorf("%q: %d, %v; want %d", domain, v, ok, want)
		}
	}
	if v, ok := m.Opset("ai.onnx.ml"); ok {
		t.Errorf("ai.onnx.ml: %d", v)
	}
}

func TestDataTypesHaveNamesAndSizes(t *testing.T) {
	for typ, want := range map[DataType]string{
		Undefined: "undefined 0", Float: "float 32", String: "string 0", Bool: "bool 8", Complex128: "complex128 128",
		Float8E5M2FNUZ: "float8e5m2fnuz 8", Int4: "int4 4", Float6E3M2: "float6e3m2 6", 29: "data type 29 0",
	} {
		if got := fmt.Sprint(typ, " ", typ.Bits()); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := fmt.Sprint(AttrSparseTensors, AttributeType(15)); got != "sparse_tensors attribute type 15" {
		t.Errorf("attribute types: %s", got)
	}
}

// What each edge case is there for, read through the public fields.
func TestEdgeCasesAreUnderstood(t *testing.T) {
	values := func(m *Model, name string) string {
		x := m.Graph.Initializer(name)
		if s, err := x.Strings(); err == nil {
			return fmt.Sprint(x.Type, x.Dims, s)
		}
		v, err := x.Float32s()
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(x.Type, x.Dims, v)
	}
	first := func(m *Model) *Node { return m.Graph.Nodes[0] }
	for name, tc := range map[string]struct {
		get  func(m *Model) any
		want string
	}{
		"init_bf16":       {func(m *Model) any { return values(m, "w") }, "bfloat16 [2] [1 2]"},
		"init_f16":        {func(m *Model) any { return values(m, "w") }, "float16 [4] [0 1 2 3]"},
		"init_f64":        {func(m *Model) any { return values(m, "w") }, "double [4] [0 1 2 3]"},
		"init_u64":        {func(m *Model) any { return values(m, "w") }, "uint64 [4] [0 1 2 3]"},
		"init_i8":         {func(m *Model) any { return values(m, "w") }, "int8 [4] [0 1 2 3]"},
		"init_bool_i32":   {func(m *Model) any { return values(m, "w") }, "bool [4] [1 0 1 1]"},
		"init_bool_raw":   {func(m *Model) any { return values(m, "w") }, "bool [4] [1 0 1 1]"},
		"init_f32_nonraw": {func(m *Model) any { return values(m, "w") }, "float [4] [1 2 3 4]"},
		"init_empty":      {func(m *Model) any { return values(m, "w") }, "float [0 4] []"},
		"init_scalar":     {func(m *Model) any { return values(m, "w") }, "float [] [3]"},
		"init_string":     {func(m *Model) any { return values(m, "w") }, "string [2] [a b]"},
		"external":        {func(m *Model) any { return values(m, "w") }, "float [4] [0 1 2 3]"},
		"sparse": {func(m *Model) any {
			d, err := m.Graph.SparseInitializers[0].Dense()
			if err != nil {
				return err
			}
			v, err := d.Float32s()
			return fmt.Sprint(d.Dims, v, err)
		}, "[4] [1 0 0 2] <nil>"},
		"norank":           {func(m *Model) any { return m.Graph.Inputs[0].Type }, "tensor(float)"},
		"dyn":              {func(m *Model) any { return m.Graph.Inputs[0].Type }, "tensor(float)[batch,4,seq]"},
		"seq_in":           {func(m *Model) any { return m.Graph.Inputs[0].Type }, "seq(tensor(float))"},
		"ms_domain":        {func(m *Model) any { return first(m) }, `com.microsoft.Gelu → "y"`},
		"function":         {func(m *Model) any { return m.Functions[0].Nodes[0].OpType }, "Add"},
		"if":               {func(m *Model) any { return first(m).Attribute("then_branch").G.Nodes[0].OpType }, "Relu"},
		"clip_opt":         {func(m *Model) any { return fmt.Sprintf("%q", first(m).Inputs) }, `["x" "" "mx"]`},
		"split_opt_out":    {func(m *Model) any { return fmt.Sprintf("%q", first(m).Outputs) }, `["a" "" "y"]`},
		"const_value_ints": {func(m *Model) any { return first(m).Attribute("value_ints").Ints }, "[4 2]"},
		"const_empty_i64": {
			func(m *Model) any { x, err := first(m).Attribute("value").T.Int64s(); return fmt.Sprint(x, err) },
			"[] <nil>",
		},
		"init_is_input":     {func(m *Model) any { return len(m.Graph.Inputs) }, "3"},
		"vi_includes_input": {func(m *Model) any { return m.Graph.ValueInfo[0].Name }, "x"},
	} {
		f := open(t, filepath.Join("testdata", "edge", name+".onnx"))
		if got := fmt.Sprint(tc.get(f.Model)); got != tc.want {
			t.Errorf("%s: got %s, want %s", name, got, tc.want)
		}
	}
}
