package importer_test

import (
	"math"
	"testing"

	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// hide adds a mask to that of the small random encoder: a condition [.., sequence, sequence] of what is hidden.
func hide(condition func(e *editor) string) func(t *testing.T, m *onnx.Model) {
	return func(t *testing.T, m *onnx.Model) {
		e := before(t, m, self+"Add")
		low := e.add("Where", []string{condition(e), e.float(-math.MaxFloat32), e.float(0)})
		n := node(t, m, self+"Add")
		n.Inputs[1] = e.add("Add", []string{n.Inputs[1], low})
	}
}

// pairs are the positions of queries [sequence, 1] and keys [1, sequence].
func pairs(e *editor) (queries, keys string) {
	length := e.add("Gather", []string{e.add("Shape", []string{"input_ids"}), e.int(1)}, intAttr("axis", 0))
	at := e.add("Range", []string{e.int(0), length, e.int(1)})
	return e.add("Unsqueeze", []string{at, e.ints(1)}), e.add("Unsqueeze", []string{at, e.ints(0)})
}

// window hides what is further away than n tokens.
func window(n int64) func(e *editor) string {
	return func(e *editor) string {
		q, k := pairs(e)
		return e.add("Greater", []string{e.add("Abs", []string{e.add("Sub", []string{q, k})}), e.int(n)})
	}
}

func TestOnlyPaddingMayBeMasked(t *testing.T) {
	const sees = "where graft expects attention that only padding and a window of equal reach to both sides limit"
	run(t, []change{
		{name: "a causal mask", edit: hide(func(e *editor) string {
			q, k := pairs(e)
			return e.add("Less", []string{q, k})
		}), want: sees},
		{name: "a window of 2 tokens", edit: hide(window(2)), check: reaches(2)},
		{name: "a window of 64 tokens", edit: hide(window(64)), check: reaches(64)},
		{name: "a window of 512 tokens", edit: hide(window(512)), check: reaches(512)},
		{name: "a mask that hides nothing", edit: hide(window(1 << 40)), check: reaches(0)},
		{name: "a window to one side", edit: hide(func(e *editor) string {
			q, k := pairs(e)
			return e.add("Greater", []string{e.add("Sub", []string{k, q}), e.ints(2)})
		}), want: sees},
		{name: "a mask of segments", edit: hide(func(e *editor) string {
			a := e.add("Unsqueeze", []string{"token_type_ids", e.ints(1, 2)})
			b := e.add("Unsqueeze", []string{"token_type_ids", e.ints(1, 3)})
			return e.add("Not", []string{e.add("Equal", []string{a, b})})
		}), want: sees},
		{name: "a mask of the diagonal", edit: hide(func(e *editor) string {
			q, k := pairs(e)
			return e.add("Equal", []string{q, k})
		}), want: sees},
		{name: "a table that is cut", edit: hide(func(e *editor) string { // [1, 1, 16, 16], as long as the positions are
			length := e.add("Shape", []string{"input_ids"}, intAttr("start", 1))
			ends := e.add("Concat", []string{length, length}, intAttr("axis", 0))
			table := e.tensor([]int64{1, 1, 16, 16}, make([]bool, 256))
			return e.add("Slice", []string{table, e.ints(0, 0), ends, e.ints(2, 3)})
		})},
		{name: "a causal table that is cut", edit: hide(func(e *editor) string {
			length := e.add("Shape", []string{"input_ids"}, intAttr("start", 1))
			ends := e.add("Concat", []string{length, length}, intAttr("axis", 0))
			causal := make([]bool, 256)
			for i := range causal {
				causal[i] = i%16 > i/16
			}
			return e.add("Slice", []string{e.tensor([]int64{1, 1, 16, 16}, causal), e.ints(0, 0), ends, e.ints(2, 3)})
		}), want: sees},
		{name: "a weaker mask", edit: set("/Constant_3_output_0", []float32{-10}), want: "adds -10 to a score, which neither lets through nor hides"},
		{name: "an older mask", edit: set("/Constant_3_output_0", []float32{-10000})},
		{name: "a mask of infinity", edit: set("/Constant_3_output_0", []float32{float32(math.Inf(-1))}), want: "adds NaN"}, // 0·∞
		{name: "a mask that lifts", edit: set("/Constant_3_output_0", []float32{10000}), want: "adds 10000"},
		{name: "a mask turned round", edit: set("/Constant_2_output_0", []float32{0}), want: "neither"},
		{name: "a mask that is not applied", edit: func(t *testing.T, m *onnx.Model) {
			n := node(t, m, self+"Add")
			n.Inputs[1] = before(t, m, self+"Add").float(0)
		}, want: sees},
		{name: "a model without a mask", edit: func(t *testing.T, m *onnx.Model) { unmask(t, m) }, even: true},
		{name: "a condition that keeps", edit: condition(false)},
		{name: "a condition that hides", edit: condition(true)},
		{name: "a condition that puts a small number", edit: func(t *testing.T, m *onnx.Model) {
			condition(true)(t, m)
			n := node(t, m, self+"Softmax")
			where := node(t, m, n.Inputs[0])
			where.Inputs[1] = before(t, m, where.Name).float(-5)
		}, want: "is part of no block"},
		{name: "a mask of scores alone", edit: func(t *testing.T, m *onnx.Model) { // relative positions, learnt
			e := before(t, m, self+"Add")
			w := make([]float32, 3)
			n := node(t, m, self+"Add")
			n.Inputs[0] = e.add("Add", []string{n.Inputs[0], e.tensor([]int64{3, 1, 1}, w)})
		}, want: "is part of no block"},
		{name: "a bias by slopes that are constants", edit: slopes(false, 0.3, 0.2, 0.1)},
		{name: "a bias by slopes that are weights", edit: slopes(true, 0.3, 0.2, 0.1),
			want: `it is computed of the weight "encoder.slopes", is by no table and has not ALiBi's slopes`},
		{name: "ALiBi's slopes as an initialiser", edit: slopes(true, 1./16, 1./256, 1./4)}, // 2⁻⁴ and 2⁻⁸ of two heads, 2⁻² of four
		{name: "ALiBi's slopes in another order", edit: slopes(true, 1./256, 1./16, 1./4), want: "has not ALiBi's slopes"},
		{name: "a mask by the values of the tokens", edit: func(t *testing.T, m *onnx.Model) {
			n := node(t, m, self+"Add")
			n.Inputs[1] = self + "Div_output_0"
		}, want: "is part of no block"},
	})
}

// slopes adds a multiple of the distance for each head to the scores, by an initialiser or by a constant.
func slopes(weight bool, x ...float32) func(t *testing.T, m *onnx.Model) {
	return func(t *testing.T, m *onnx.Model) {
		e := before(t, m, self+"Add")
		v, err := onnx.NewTensor("encoder.slopes", []int64{int64(len(x)), 1, 1}, x)
		if err != nil {
			t.Fatal(err)
		}
		by := "encoder.slopes"
		if weight {
			m.Graph.Initializers = append(m.Graph.Initializers, v)
		} else {
			by = e.add("Constant", nil, &onnx.Attribute{Name: "value", Type: onnx.AttrTensor, T: v})
		}
		length := e.add("Gather", []string{e.add("Shape", []string{"input_ids"}), e.int(1)})
		at := e.add("Range", []string{e.int(0), length, e.int(1)})
		apart := e.add("Sub", []string{e.add("Unsqueeze", []string{at, e.ints(0)}), e.add("Unsqueeze", []string{at, e.ints(1)})})
		bias := e.add("Mul", []string{e.to(onnx.Float, e.add("Neg", []string{e.add("Abs", []string{apart})})), by})
		n := node(t, m, self+"Add")
		n.Inputs[0] = e.add("Add", []string{n.Inputs[0], bias})
	}
}

// condition masks by Where instead of an addition.
func condition(hides bool) func(t *testing.T, m *onnx.Model) {
	return func(t *testing.T, m *onnx.Model) {
		n := node(t, m, self+"Softmax")
		e := before(t, m, self+"Softmax")
		keep := e.to(onnx.Bool, e.add("Unsqueeze", []string{"attention_mask", e.ints(1, 2)}))
		scores, low := node(t, m, self+"Add").Inputs[0], e.float(-math.MaxFloat32)
		if hides {
			n.Inputs[0] = e.add("Where", []string{e.add("Not", []string{keep}), low, scores})
		} else {
			n.Inputs[0] = e.add("Where", []string{keep, scores, low})
		}
	}
}

// Masks are as long as the positions of the small encoder here: 16.
func TestMasksAreLookedAtWhereTheModelTakesNoLongSequence(t *testing.T) {
	m := encoder(t, 17)
	hide(func(e *editor) string {
		length := e.add("Shape", []string{"input_ids"}, intAttr("start", 1))
		sizes := e.add("Concat", []string{length, length}, intAttr("axis", 0))
		far := make([]bool, 256) // |query − key| > 10
		for i := range far {
			far[i] = max(i%16-i/16, i/16-i%16) > 10
		}
		return e.add("Slice", []string{e.tensor([]int64{16, 16}, far), e.ints(0, 0), sizes, e.ints(0, 1)})
	})(t, m)
	reaches(10)(t, recognise(t, m))
}

// reaches checks the window of the second layer, which the changes here are made in.
func reaches(want int) func(t *testing.T, e *importer.Encoder) {
	return func(t *testing.T, e *importer.Encoder) {
		t.Helper()
		if got := e.Ops[e.Layers[1].Attention].(*importer.Attention).Window; got != want {
			t.Errorf("tokens see each other up to %d places away, want %d", got, want)
		}
	}
}
