package fold

import (
	"math"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/build"
)

// ints64 is an Int64 array, typed another integer array, reals a Float one.
func ints64(shape []int, x ...int64) *Array { return Ints(append([]int64{}, x...), shape...) }

func typed(t onnx.DataType, shape []int, x ...int64) *Array {
	return &Array{Type: t, Shape: shape, Ints: append([]int64{}, x...)}
}

func reals(t onnx.DataType, shape []int, x ...float64) *Array {
	return &Array{Type: t, Shape: shape, Floats: append([]float64{}, x...)}
}

// Worked by hand: what exporters write for positions, masks and shapes, and where onnxruntime differs from ONNX or ONNX
// leaves it open.
func TestOperatorsGiveWhatONNXSays(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct {
		name string
		tr   trial
		want []*Array
	}{
		{"an index counted from the end", trial{op: "Gather", in: []*Array{ints64([]int{3}, 7, 8, 9), ints64(nil, -1)}},
			[]*Array{ints64(nil, 9)}},
		{"positions of RoBERTa", trial{op: "CumSum", in: []*Array{typed(onnx.Int32, []int{2, 3}, 1, 1, 0, 1, 0, 0),
			ints64(nil, 1)}},
			[]*Array{typed(onnx.Int32, []int{2, 3}, 1, 2, 2, 1, 1, 1)}},
		{"a running sum without its own element, backwards", trial{op: "CumSum",
			in:    []*Array{ints64([]int{4}, 1, 2, 3, 4), ints64(nil, 0)},
			attrs: []build.Option{build.Int("exclusive", 1), build.Int("reverse", 1)}},
			[]*Array{ints64([]int{4}, 9, 7, 4, 0)}},
		{"a reshape that keeps a dimension and computes one", trial{op: "Reshape",
			in: []*Array{ints64([]int{2, 3}, 1, 2, 3, 4, 5, 6), vector(0, -1, 1)}},
			[]*Array{ints64([]int{2, 3, 1}, 1, 2, 3, 4, 5, 6)}},
		{"a reshape where 0 is a size", trial{op: "Reshape", in: []*Array{ints64([]int{0, 3}), vector(3, 0)},
			attrs: []build.Option{build.Int("allowzero", 1)}},
			[]*Array{ints64([]int{3, 0})}},
		{"a slice backwards beyond the start", trial{op: "Slice", in: []*Array{ints64([]int{4}, 1, 2, 3, 4), vector(-2),
			vector(math.MinInt64), vector(0), vector(-2)}},
			[]*Array{ints64([]int{2}, 3, 1)}},
		{"a slice with the largest step", trial{op: "Slice", in: []*Array{ints64([]int{4}, 1, 2, 3, 4), vector(1),
			vector(math.MaxInt64), vector(0), vector(math.MaxInt64)}},
			[]*Array{ints64([]int{1}, 2)}},
		{"a slice with the least step", trial{op: "Slice", in: []*Array{ints64([]int{4}, 1, 2, 3, 4), vector(3),
			vector(math.MinInt64), vector(0), vector(math.MinInt64)}},
			[]*Array{ints64([]int{1}, 4)}},
		{"a slice of attributes", trial{op: "Slice", opset: 9, in: []*Array{ints64([]int{2, 2}, 1, 2, 3, 4)},
			attrs: []build.Option{build.Ints("starts", 1), build.Ints("ends", 9), build.Ints("axes", 1)}},
			[]*Array{ints64([]int{2, 1}, 2, 4)}},
		{"parts of which the last is smaller", trial{op: "Split", in: []*Array{ints64([]int{5}, 1, 2, 3, 4, 5)},
			outputs: 2, attrs: []build.Option{build.Int("num_outputs", 2)}},
			[]*Array{ints64([]int{3}, 1, 2, 3), ints64([]int{2}, 4, 5)}},
		{"a range up to the largest integer", trial{op: "Range", in: []*Array{ints64(nil, math.MaxInt64-5),
			ints64(nil, math.MaxInt64), ints64(nil, 2)}},
			[]*Array{vector(math.MaxInt64-5, math.MaxInt64-3, math.MaxInt64-1)}},
		{"a range down to the least integer", trial{op: "Range", in: []*Array{ints64(nil, math.MaxInt64),
			ints64(nil, math.MinInt64), ints64(nil, math.MinInt64)}},
			[]*Array{vector(math.MaxInt64, -1)}},
		{"a range of nothing", trial{op: "Range", in: []*Array{ints64(nil, 5), ints64(nil, 1), ints64(nil, 2)}},
			[]*Array{vector()}},
		{"the negative of the end of everything", trial{op: "Neg", in: []*Array{vector(math.MaxInt64)}},
			[]*Array{vector(-math.MaxInt64)}},
		{"integers beyond float64", trial{op: "Add", in: []*Array{vector(1<<53 + 1), vector(1)}},
			[]*Array{vector(1<<53 + 2)}},
		{"int32 wraps", trial{op: "Add", in: []*Array{typed(onnx.Int32, []int{1}, math.MaxInt32), typed(onnx.Int32, nil, 1)}},
			[]*Array{typed(onnx.Int32, []int{1}, math.MinInt32)}},
		{"uint8 wraps", trial{op: "Sub", in: []*Array{typed(onnx.Uint8, []int{1}, 1), typed(onnx.Uint8, nil, 2)}},
			[]*Array{typed(onnx.Uint8, []int{1}, 255)}},
		{"a cast loses upper bits", trial{op: "Cast", in: []*Array{vector(1<<32 + 5)},
			attrs: []build.Option{build.Int("to", int64(onnx.Int32))}},
			[]*Array{typed(onnx.Int32, []int{1}, 5)}},
		{"a cast rounds to half precision", trial{op: "Cast", in: []*Array{reals(onnx.Float, []int{2}, 2049, -1e9)},
			attrs: []build.Option{build.Int("to", int64(onnx.Float16))}},
			[]*Array{reals(onnx.Float16, []int{2}, 2048, -inf)}},
		{"a cast rounds an integer once", trial{op: "Cast", in: []*Array{vector(1<<60 + 1<<36 + 1)},
			attrs: []build.Option{build.Int("to", int64(onnx.Float))}},
			[]*Array{reals(onnx.Float, []int{1}, 1<<60+1<<37)}},
		{"a division of integers truncates", trial{op: "Div", in: []*Array{vector(-7, 7), vector(2)}},
			[]*Array{vector(-3, 3)}},
		{"a remainder has the divisor's sign", trial{op: "Mod", in: []*Array{vector(-7, 7), vector(3, -3)}},
			[]*Array{vector(2, -2)}},
		{"the least of an infinity and no number", trial{op: "Min",
			in: []*Array{reals(onnx.Float, []int{1}, -inf), reals(onnx.Float, nil, math.NaN())}},
			[]*Array{reals(onnx.Float, []int{1}, math.NaN())}},
		{"a product of nothing", trial{op: "MatMul", in: []*Array{reals(onnx.Float, []int{2, 0}),
			reals(onnx.Float, []int{0, 1})}},
			[]*Array{reals(onnx.Float, []int{2, 1}, 0, 0)}},
		{"a sum of nothing", trial{op: "ReduceSum", opset: 11, in: []*Array{ints64([]int{2, 0, 1})},
			attrs: []build.Option{build.Ints("axes", 1), build.Int("keepdims", 0)}},
			[]*Array{ints64([]int{2, 1}, 0, 0)}},
		{"a dimension of one is squeezed wherever it is", trial{op: "Squeeze", in: []*Array{ints64([]int{1, 2, 1}, 1, 2)}},
			[]*Array{vector(1, 2)}},
		{"a softplus that exp overflows", trial{op: "Softplus", in: []*Array{reals(onnx.Float, []int{2}, 1000, -1000)}},
			[]*Array{reals(onnx.Float, []int{2}, 1000, 0)}},
		{"a mask", trial{op: "Where", in: []*Array{typed(onnx.Bool, []int{2, 1}, 1, 0), reals(onnx.Float, nil, -inf),
			reals(onnx.Float, []int{2}, 1, 2)}},
			[]*Array{reals(onnx.Float, []int{2, 2}, -inf, -inf, 1, 2)}},
		{"a double constant", trial{op: "Identity", in: []*Array{reals(onnx.Double, nil, 0.1)}},
			[]*Array{reals(onnx.Double, nil, 0.1)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.tr.opset == 0 {
				c.tr.opset = 18
			}
			c.tr.outputs = max(1, c.tr.outputs)
			got, err := c.tr.fold()
			if err != nil {
				t.Fatal(err)
			}
			for i, w := range c.want {
				if g := got[i]; g.Type != w.Type || !g.Known() || differs(g, w) != "" {
					t.Errorf("output %d is %v %v%v, want %v %v%v", i, g, g.Ints, g.Floats, w, w.Ints, w.Floats)
				}
			}
		})
	}
}

func TestConstantsAreTensorsExactly(t *testing.T) {
	third := 1. / 3
	for _, c := range []struct {
		data any
		want *Array
	}{
		{[]float64{third}, reals(onnx.Double, []int{1}, third)},
		{[]float32{float32(third)}, reals(onnx.Float, []int{1}, float64(float32(third)))},
		{[]onnx.F16{onnx.ToF16(0.1)}, reals(onnx.Float16, []int{1}, float64(onnx.ToF16(0.1).Float32()))},
		{[]int64{math.MinInt64}, vector(math.MinInt64)},
		{[]bool{true}, typed(onnx.Bool, []int{1}, 1)},
		{[]uint8{200}, typed(onnx.Uint8, []int{1}, 200)},
	} {
		x, err := onnx.NewTensor("x", []int64{1}, c.data)
		if err != nil {
			t.Fatal(err)
		}
		got, err := FromTensor(x)
		if err != nil || !got.Equal(c.want) {
			t.Errorf("%T: %v %v%v (%v), want %v", c.data, got, got.Ints, got.Floats, err, c.want)
		}
	}
	empty, err := onnx.NewTensor("x", []int64{0, 2}, []int64{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := FromTensor(empty); err != nil || !got.Known() || got.Size() != 0 {
		t.Errorf("an empty tensor is %v, %v", got, err)
	}
}

func TestConstantsThatCannotBeFoldedAreRefused(t *testing.T) {
	for name, x := range map[string]*onnx.Tensor{
		"strings":        must(onnx.NewTensor("x", []int64{1}, []string{"a"})),
		"complex":        must(onnx.NewTensor("x", []int64{1}, []complex64{1})),
		"large integers": must(onnx.NewTensor("x", []int64{1}, []uint64{math.MaxUint64})),
		"no data":        {Type: onnx.Float, Dims: []int64{3}},
		"negative":       {Type: onnx.Float, Dims: []int64{-1}},
		"overflow":       {Type: onnx.Float, Dims: []int64{1 << 40, 1 << 40}},
		"too large":      {Type: onnx.Float, Dims: []int64{1 << 20, 1 << 20}},
		"unknown type":   {Type: 99, Dims: []int64{1}},
	} {
		if a, err := FromTensor(x); err == nil {
			t.Errorf("%s: gave %v", name, a)
		}
	}
}

func must(x *onnx.Tensor, err error) *onnx.Tensor {
	if err != nil {
		panic(err)
	}
	return x
}

func TestLookupNamesWhatIsMissing(t *testing.T) {
	for _, c := range []struct {
		node  onnx.Node
		opset int64
		want  string
	}{
		{onnx.Node{OpType: "Resize", Name: "/x/Resize"}, 17,
			`Resize "/x/Resize": graft does not know this operator (opset 17)`},
		{onnx.Node{OpType: "Add", Domain: "org.example", Outputs: []string{"y"}}, 1,
			`org.example.Add → "y": graft does not know this operator (opset 1)`},
		{onnx.Node{OpType: "Gelu", Name: "n"}, 19,
			`Gelu "n": graft knows this operator from opset 20 on, the model imports opset 19`},
	} {
		if _, err := Lookup(&c.node, c.opset); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %s", &c.node, err, c.want)
		}
	}
	if _, err := Lookup(&onnx.Node{OpType: "Add", Domain: "ai.onnx"}, 17); err != nil {
		t.Error(err)
	}
}

func TestExpandBroadcastsOneWay(t *testing.T) {
	a := ints64([]int{2, 1}, 1, 2)
	got, err := Expand(a, []int{3, 2, 2})
	if want := ints64([]int{3, 2, 2}, 1, 1, 2, 2, 1, 1, 2, 2, 1, 1, 2, 2); err != nil || !got.Equal(want) {
		t.Errorf("%v, %v", got, err)
	}
	for _, s := range [][]int{{2}, {1, 1}, {3, 1}, {-1, 1}, {1 << 40, 2, 1 << 30}} {
		if got, err := Expand(a, s); err == nil {
			t.Errorf("%v expands to %v", a, got)
		}
	}
}
