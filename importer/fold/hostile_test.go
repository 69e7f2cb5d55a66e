package fold

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// attr makes an attribute by the type of its value.
func attr(name string, v any) *onnx.Attribute {
	a := &onnx.Attribute{Name: name}
	switch v := v.(type) {
	case int:
		a.Type, a.I = onnx.AttrInt, int64(v)
	case float32:
		a.Type, a.F = onnx.AttrFloat, v
	case string:
		a.Type, a.S = onnx.AttrString, []byte(v)
	case []int64:
		a.Type, a.Ints = onnx.AttrInts, v
	case *onnx.Tensor:
		a.Type, a.T = onnx.AttrTensor, v
	}
	return a
}

func TestHostileNodesAreRefused(t *testing.T) {
	f := func(shape ...int) *Array { return Unknown(onnx.Float, shape...) }
	i := func(shape ...int) *Array { return Unknown(onnx.Int64, shape...) }
	huge := 1 << 40
	for _, c := range []struct {
		op    string
		in    []*Array
		attrs []*onnx.Attribute
		want  string
	}{
		{"Add", nil, nil, "input 0 is missing"},
		{"Add", []*Array{f(1)}, nil, "input 1 is missing"},
		{"Add", []*Array{f(1), nil}, nil, "input 1 is missing"},
		{"Add", []*Array{f(1), f(1), f(1)}, nil, "3 inputs"},
		{"Add", []*Array{f(1), i(1)}, nil, "want float"},
		{"Add", []*Array{f(2), f(3)}, nil, "do not broadcast"},
		{"Add", []*Array{f(-1), f(1)}, nil, "negative"},
		{"Add", []*Array{f(huge, 1), f(1, huge)}, nil, "address space"},
		{"Add", []*Array{Unknown(onnx.String, 1), Unknown(onnx.String, 1)}, nil, "not supported"},
		{"Add", []*Array{{Type: onnx.Float, Shape: []int{2}, Ints: []int64{1, 2}}, f(1)}, nil, "do not fit"},
		{"Add", []*Array{{Type: onnx.Int64, Shape: []int{3}, Ints: []int64{1, 2}}, i(1)}, nil, "do not fit"},
		{"And", []*Array{i(1), i(1)}, nil, "want bool"},
		{"Not", []*Array{f(1)}, nil, "want bool"},
		{"Sqrt", []*Array{i(1)}, nil, "floating-point"},
		{"Div", []*Array{vector(1), vector(0)}, nil, "divided by zero"},
		{"Mod", []*Array{vector(1), vector(0)}, nil, "divided by zero"},
		{"Mod", []*Array{f(1), f(1)}, nil, "fmod"},
		{"Min", []*Array{f(1), nil, f(1)}, nil, "input 1 is missing"},
		{"Where", []*Array{i(1), f(1), f(1)}, nil, "want bool"},
		{"Cast", []*Array{f(1)}, nil, "undefined"},
		{"Cast", []*Array{f(1)}, []*onnx.Attribute{attr("to", int(onnx.String))}, "string"},
		{"Cast", []*Array{f(1)}, []*onnx.Attribute{attr("to", float32(1))}, "of type float, want int"},
		{"Reshape", []*Array{f(2, 3)}, nil, "input 1 is missing"},
		{"Reshape", []*Array{f(2, 3), f(1)}, nil, "want int64"},
		{"Reshape", []*Array{f(2, 3), i(1)}, nil, errUnknown.Error()},
		{"Reshape", []*Array{f(2, 3), vector(4)}, nil, "cannot reshape"},
		{"Reshape", []*Array{f(2, 3), vector(-1, -1)}, nil, "cannot reshape"},
		{"Reshape", []*Array{f(2, 3), vector(6, 0, 0)}, nil, "cannot reshape"},
		{"Reshape", []*Array{f(2, 3), vector(1<<30, 1<<30, 1<<30)}, nil, "address space"},
		{"Reshape", []*Array{f(2, 3), vector(math.MaxInt64)}, nil, "out of range"},
		{"Reshape", []*Array{f(2, 3), ints64([]int{1, 1}, 6)}, nil, "not a vector"},
		{"Transpose", []*Array{f(2, 3)}, []*onnx.Attribute{attr("perm", []int64{0})}, "does not fit rank 2"},
		{"Transpose", []*Array{f(2, 3)}, []*onnx.Attribute{attr("perm", []int64{0, 0})}, "no permutation"},
		{"Transpose", []*Array{f(2, 3)}, []*onnx.Attribute{attr("perm", []int64{0, math.MinInt64})}, "no permutation"},
		{"Flatten", []*Array{f(2)}, []*onnx.Attribute{attr("axis", math.MinInt64)}, "outside of rank"},
		{"Squeeze", []*Array{f(2), vector(0)}, nil, "cannot squeeze"},
		{"Squeeze", []*Array{f(1), vector(math.MinInt64)}, nil, "outside of rank"},
		{"Unsqueeze", []*Array{f(2), vector(0, 0)}, nil, "given twice"},
		{"Unsqueeze", []*Array{f(2), vector(5)}, nil, "outside of rank"},
		{"Expand", []*Array{f(1), vector(-1)}, nil, "negative"},
		{"Expand", []*Array{f(1), vector(1<<30, 1<<30)}, nil, "address space"},
		{"Expand", []*Array{reals(onnx.Float, []int{1}, 1), vector(1<<30, 2)}, nil, "too large to fold"},
		{"Tile", []*Array{f(2), vector(-1)}, nil, "negative"},
		{"Tile", []*Array{f(2), vector(1, 1)}, nil, "do not fit"},
		{"Tile", []*Array{f(huge), vector(1 << 30)}, nil, "address space"},
		{"Concat", []*Array{f(1)}, nil, "axis is missing"},
		{"Concat", []*Array{f(1), f(1, 1)}, []*onnx.Attribute{attr("axis", 0)}, "cannot join"},
		{"Concat", []*Array{f(1 << 46), f(1 << 46), f(1 << 46)}, []*onnx.Attribute{attr("axis", 0)}, "cannot join"},
		{"Concat", []*Array{f()}, []*onnx.Attribute{attr("axis", 0)}, "outside of rank"},
		{"Split", []*Array{f(4), vector(1)}, nil, "2 outputs but 1 sizes"},
		{"Split", []*Array{f(4), vector(1, math.MaxInt64)}, nil, "do not fit"},
		{"Split", []*Array{f(4), vector(5, -1)}, nil, "do not fit"},
		{"Split", []*Array{f(4), vector(1, 1)}, nil, "do not fill"},
		{"Split", []*Array{f(1)}, nil, "has no 2 parts"},
		{"Slice", []*Array{f(4), vector(0)}, nil, "input 2 is missing"},
		{"Slice", []*Array{f(4), vector(0), vector(1, 2)}, nil, "do not go together"},
		{"Slice", []*Array{f(4), vector(0), vector(1), vector(1)}, nil, "outside of rank"},
		{"Slice", []*Array{f(4), vector(0, 0), vector(1, 1), vector(0, -1)}, nil, "given twice"},
		{"Slice", []*Array{f(4), vector(0), vector(1), vector(0), vector(0)}, nil, "step 0"},
		{"Slice", []*Array{f(4), ints64(nil, 0), vector(1)}, nil, "not a vector"},
		{"Slice", []*Array{f(4), f(1), f(1)}, nil, "want int32 or int64"},
		{"Gather", []*Array{f(4), f(1)}, nil, "want int32 or int64"},
		{"Gather", []*Array{f(), i(1)}, nil, "outside of rank"},
		{"Gather", []*Array{f(4), vector(4)}, nil, "outside of axis"},
		{"Gather", []*Array{f(4), vector(math.MinInt64)}, nil, "outside of axis"},
		{"Gather", []*Array{f(1 << 46), i(4)}, []*onnx.Attribute{attr("axis", "0")}, "of type string"},
		{"Gather", []*Array{f(1, 1<<46), i(4)}, nil, "address space"},
		{"GatherElements", []*Array{f(4), reals(onnx.Float, []int{1}, 0)}, nil, "want int32 or int64"},
		{"GatherElements", []*Array{f(4, 2), i(4)}, nil, "do not fit"},
		{"GatherElements", []*Array{f(4, 2), i(4, 3)}, nil, "do not fit"},
		{"ConstantOfShape", []*Array{vector(-1)}, nil, "negative"},
		{"ConstantOfShape", []*Array{vector(1 << 25)}, nil, "too large to fold"},
		{"ConstantOfShape", []*Array{ints64(nil, 1)}, nil, "not a vector"},
		{"ConstantOfShape", []*Array{vector(1)},
			[]*onnx.Attribute{attr("value", must(onnx.NewTensor("", []int64{2}, []int64{1, 2})))}, "one element"},
		{"Constant", nil, nil, "without a numeric value"},
		{"Constant", nil, []*onnx.Attribute{attr("value", 1)}, "of type int, want tensor"},
		{"Range", []*Array{vector(0), vector(1 << 40), vector(1)}, nil, "too large to fold"},
		{"Range", []*Array{vector(0), vector(1), vector(0)}, nil, "steps of 0"},
		{"Range", []*Array{vector(0), vector(1, 2), vector(1)}, nil, "one element"},
		{"Range", []*Array{i(), vector(1), vector(1)}, nil, errUnknown.Error()},
		{"Range", []*Array{reals(onnx.Float, nil, 0), reals(onnx.Float, nil, math.NaN()), reals(onnx.Float, nil, 1)}, nil,
			"a range"},
		{"Range", []*Array{reals(onnx.Float, nil, 0), reals(onnx.Float, nil, math.Inf(1)), reals(onnx.Float, nil, 1)}, nil,
			"too large"},
		{"Dropout", []*Array{f(1), f(), typed(onnx.Bool, nil, 1)}, nil, "training"},
		{"ReduceSum", []*Array{f(1), vector(1)}, nil, "outside of rank"},
		{"ReduceSum", []*Array{Unknown(onnx.Bool, 1)}, nil, "want a number"},
		{"ReduceMax", []*Array{reals(onnx.Float, []int{0})}, nil, "nothing to reduce"},
		{"CumSum", []*Array{f(1), vector(0, 0)}, nil, "one element"},
		{"CumSum", []*Array{reals(onnx.Float, []int{1}, 0), vector(1)}, nil, "outside of rank"},
		{"MatMul", []*Array{f(), f()}, nil, "cannot multiply"},
		{"MatMul", []*Array{f(2, 3), f(2, 3)}, nil, "cannot multiply"},
		{"MatMul", []*Array{f(huge, 1), f(1, huge)}, nil, "address space"},
		{"Gemm", []*Array{f(2, 3), f(3)}, nil, "cannot multiply"},
		{"Gemm", []*Array{f(2, 3), f(3, 4), f(5)}, nil, "does not broadcast"},
		{"Softmax", []*Array{f(2)}, []*onnx.Attribute{attr("axis", 1)}, "outside of rank"},
		{"LayerNormalization", []*Array{f(2, 3), f(2)}, nil, "does not broadcast"},
		{"LayerNormalization", []*Array{f(), f()}, nil, "outside of rank"},
		{"Gelu", []*Array{f(1)}, []*onnx.Attribute{attr("approximate", "sigmoid")}, "approximation"},
	} {
		n := &onnx.Node{OpType: c.op, Attributes: c.attrs, Outputs: []string{"y", "z"}}
		opset := int64(18)
		if c.op == "Gelu" {
			opset = 20
		}
		fn, err := Lookup(n, opset)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := fn(Call{Node: n, In: c.in}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %v: %v, %v; want %q", c.op, c.in, out, err, c.want)
		}
	}
}

// A model could ask for hours of work in a few bytes.
func TestProductsOfHugeConstantsAreRefused(t *testing.T) {
	n := &onnx.Node{OpType: "MatMul"}
	f, err := Lookup(n, 17)
	if err != nil {
		t.Fatal(err)
	}
	a, b := Unknown(onnx.Float, 2048, 2048), Unknown(onnx.Float, 2048, 2048)
	for _, x := range []*Array{a, b} {
		if err := x.alloc(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f(Call{Node: n, In: []*Array{a, b}}); err == nil || !strings.Contains(err.Error(), "too large to fold") {
		t.Errorf("%v", err)
	}
}

// Every operator with every number of inputs up to six, of every type and some shapes: an answer that holds together or
// an error.
func TestNoInputsOverthrowAnOperator(t *testing.T) {
	types := []onnx.DataType{onnx.Float, onnx.Int64, onnx.Bool, onnx.Undefined, onnx.String, onnx.Double, onnx.Int32}
	shapes := [][]int{nil, {0}, {1}, {3}, {2, 3}, {0, 2}, {1 << 47}, {1 << 62, 1 << 62, 0}, {-1}}
	for k := range operators {
		opsets := []int64{1, 11, 13, 18, 20}
		for _, opset := range opsets {
			n := &onnx.Node{OpType: k.op, Domain: k.domain, Outputs: []string{"y", "z"}}
			f, err := Lookup(n, opset)
			if err != nil {
				continue
			}
			for count := range 6 {
				for _, typ := range types {
					for _, shape := range shapes {
						for _, known := range []bool{false, true} {
							a := Unknown(typ, shape...)
							if known && (product(shape) < 0 || product(shape) > 6 || a.alloc() != nil) {
								continue
							}
							out, err := f(Call{Node: n, In: slices.Repeat([]*Array{a}, count)})
							if err != nil {
								continue
							}
							for _, x := range out {
								if err := x.check(); err != nil {
									t.Errorf("%s of %d times %v gives %v", k.op, count, a, err)
								}
							}
						}
					}
				}
			}
		}
	}
}
