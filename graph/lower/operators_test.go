package lower_test

import (
	"math"
	"slices"

	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// ops each try to add one node of an operator or of a family of them.
var ops = []func(m *maker){
	unary, unary, unary, binary, binary, binary, compare, logic, where, casts, reshape, transpose, slice, split, concat,
	gather, gatherElements, expand, squeeze, reduce, reduce, cumSum, softmax, layerNorm, matMul, matMul, gemm, clip, selection,
	activation, activation, pRelu, variadic, remainder, extreme, hardmax, topK, oneHot, trilu, pad, pad, einsum, einsum, scatter,
	scatter, gatherND, choose, normalise, normalise, blocks, convolve, convolve, pool, attend, turn,
}

// unaries with the interval in which they are well conditioned; exact ones keep exact values so, jumps need them.
var unaries = []struct {
	op          string
	low, high   float64
	exact, jump bool
}{
	{"Abs", -500, 500, true, false}, {"Neg", -500, 500, true, false}, {"Relu", -500, 500, true, false},
	{"Sign", -500, 500, true, true}, {"Ceil", -500, 500, true, true}, {"Floor", -500, 500, true, true},
	{"Round", -500, 500, true, true}, {"Sqrt", 0.01, 500, false, false}, {"Exp", -20, 4, false, false},
	{"Log", 0.1, 500, false, false}, {"Erf", -500, 500, false, false}, {"Tanh", -500, 500, false, false},
	{"Sin", -20, 20, false, false}, {"Cos", -20, 20, false, false}, {"Reciprocal", 0.1, 500, false, false},
	{"Sigmoid", -500, 500, false, false}, {"Softplus", -500, 500, false, false}, {"Gelu", -500, 500, false, false},
	{"Identity", -500, 500, true, false}, {"Atan", -500, 500, false, false},
}

func unary(m *maker) {
	u := unaries[m.IntN(len(unaries))]
	v := m.float()
	if v == nil || !v.within(u.low, u.high) || u.jump && !v.exact {
		return
	}
	var attrs []*onnx.Attribute
	if u.op == "Gelu" && m.IntN(2) == 0 {
		attrs = append(attrs, attr("approximate", "tanh"))
	}
	m.add(u.exact, u.op, 1, []*drawn{v}, attrs...)
}

func binary(m *maker) {
	a := m.float()
	if a == nil {
		return
	}
	b := m.beside(a)
	switch op := []string{"Add", "Sub", "Mul", "Div", "Pow", "Min", "Max"}[m.IntN(7)]; op {
	case "Div":
		if b.within(0.1, 500) || b.within(-500, -0.1) {
			m.add(false, op, 1, []*drawn{a, b})
		}
	case "Pow":
		if a.within(0.1, 20) && b.within(-3, 3) {
			m.add(false, op, 1, []*drawn{a, b})
		}
	case "Min", "Max":
		in := []*drawn{a, b}
		if m.IntN(3) == 0 {
			in = append(in, m.beside(a))
		}
		m.add(true, op, 1, in)
	default:
		m.add(op != "Mul", op, 1, []*drawn{a, b})
	}
}

func compare(m *maker) {
	a := m.float()
	if a == nil || !a.exact {
		return
	}
	if b := m.beside(a); b.exact {
		m.add(true, []string{"Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual"}[m.IntN(5)], 1, []*drawn{a, b})
	}
}

func boolean(v *drawn) bool { return v.Type == onnx.Bool }

func logic(m *maker) {
	a := m.pick(boolean)
	if a == nil {
		return
	}
	if m.IntN(3) == 0 {
		m.add(true, "Not", 1, []*drawn{a})
		return
	}
	b := m.pick(func(v *drawn) bool { _, err := fold.Broadcast(a.Shape, v.Shape); return boolean(v) && err == nil })
	if b != nil {
		m.add(true, []string{"And", "Or", "Xor"}[m.IntN(3)], 1, []*drawn{a, b})
	}
}

func where(m *maker) {
	c, a := m.pick(boolean), m.float()
	if c == nil || a == nil {
		return
	}
	m.add(true, "Where", 1, []*drawn{c, a, m.beside(a)})
}

func casts(m *maker) {
	v := m.values[m.IntN(len(m.values))]
	to := []onnx.DataType{onnx.Float, onnx.Int64, onnx.Int32, onnx.Bool}[m.IntN(4)]
	if v.exact {
		m.add(true, "Cast", 1, []*drawn{v}, attr("to", int(to)))
	}
}

func reshape(m *maker) {
	v := m.float()
	if v == nil {
		return
	}
	n := int64(v.Size())
	to := [][]int64{{-1}, {n}, {1, -1}, {n, 1}, {1, n, 1}}[m.IntN(5)]
	for d := int64(2); d <= n; d++ {
		if n%d == 0 && m.IntN(2) == 0 {
			to = []int64{d, -1}
			break
		}
	}
	if len(v.Shape) > 0 && m.IntN(3) == 0 {
		m.add(true, "Flatten", 1, []*drawn{v}, attr("axis", m.axis(len(v.Shape))))
		return
	}
	m.add(true, "Reshape", 1, []*drawn{v, m.vector(to...)})
}

func transpose(m *maker) {
	v := m.ranked()
	if v == nil {
		return
	}
	var attrs []*onnx.Attribute
	if m.IntN(4) > 0 {
		perm := []int64{}
		for _, k := range m.Perm(len(v.Shape)) {
			perm = append(perm, int64(k))
		}
		attrs = append(attrs, attr("perm", perm))
	}
	m.add(true, "Transpose", 1, []*drawn{v}, attrs...)
}

func slice(m *maker) {
	v := m.ranked()
	if v == nil {
		return
	}
	axes := m.axes(len(v.Shape), 1)
	var starts, ends, steps []int64
	for range axes {
		starts, ends = append(starts, int64(m.IntN(8)-4)), append(ends, []int64{int64(m.IntN(9) - 4), math.MaxInt64, 100}[m.IntN(3)])
		steps = append(steps, []int64{1, 1, 2, -1}[m.IntN(4)])
	}
	m.add(true, "Slice", 1, []*drawn{v, m.vector(starts...), m.vector(ends...), m.vector(axes...), m.vector(steps...)})
}

func split(m *maker) {
	v := m.ranked()
	if v == nil {
		return
	}
	axis := m.axis(len(v.Shape))
	d := v.Shape[(axis+len(v.Shape))%len(v.Shape)]
	if d < 2 {
		return
	}
	first := int64(1 + m.IntN(d-1))
	if m.opset < 13 {
		m.add(true, "Split", 2, []*drawn{v}, attr("axis", axis), attr("split", []int64{first, int64(d) - first}))
		return
	}
	m.add(true, "Split", 2, []*drawn{v, m.vector(first, int64(d)-first)}, attr("axis", axis))
}

func concat(m *maker) {
	v := m.ranked()
	if v == nil {
		return
	}
	axis := m.axis(len(v.Shape))
	in := []*drawn{v}
	for range 1 + m.IntN(2) {
		s := slices.Clone(v.Shape)
		s[(axis+len(s))%len(s)] = 1 + m.IntN(3)
		w := m.pick(func(w *drawn) bool { return w.Type == onnx.Float && slices.Equal(w.Shape, s) })
		if w == nil {
			w = m.initializer(m.floats(s...), true)
		}
		in = append(in, w)
	}
	m.Shuffle(len(in), func(i, j int) { in[i], in[j] = in[j], in[i] })
	m.add(true, "Concat", 1, in, attr("axis", axis))
}

// indices are integers for an axis of d: the model's own where they fit, else constants.
func (m *maker) indices(d int, shape ...int) *drawn {
	if v := m.pick(func(v *drawn) bool {
		return v.Type == onnx.Int64 && m.inputs[v.name] != nil && v.within(float64(-d), float64(d-1)) &&
			(shape == nil || slices.Equal(v.Shape, shape))
	}); v != nil {
		return v
	}
	if shape == nil {
		shape = m.shape()
	}
	return m.initializer(m.integers(d, shape...), false)
}

func gather(m *maker) {
	v := m.ranked()
	if v == nil {
		return
	}
	axis := m.axis(len(v.Shape))
	d := v.Shape[(axis+len(v.Shape))%len(v.Shape)]
	m.add(true, "Gather", 1, []*drawn{v, m.indices(d)}, attr("axis", axis))
}

func gatherElements(m *maker) {
	v := m.ranked()
	if v == nil {
		return
	}
	axis := m.axis(len(v.Shape))
	s := slices.Clone(v.Shape)
	k := (axis + len(s)) % len(s)
	s[k] = 1 + m.IntN(4)
	m.add(true, "GatherElements", 1, []*drawn{v, m.indices(v.Shape[k], s...)}, attr("axis", axis))
}

func expand(m *maker) {
	v := m.float()
	if v == nil {
		return
	}
	if m.IntN(3) == 0 && len(v.Shape) > 0 {
		repeats := []int64{}
		for range v.Shape {
			repeats = append(repeats, int64(1+m.IntN(3)))
		}
		m.add(true, "Tile", 1, []*drawn{v, m.vector(repeats...)})
		return
	}
	s := []int64{int64(1 + m.IntN(3))}
	for _, d := range v.Shape {
		if d == 1 {
			d = 1 + m.IntN(3)
		}
		s = append(s, int64(d))
	}
	m.add(true, "Expand", 1, []*drawn{v, m.vector(s...)})
}

func squeeze(m *maker) {
	v := m.float()
	if v == nil {
		return
	}
	op, axes := "Unsqueeze", []int64{int64(m.axis(len(v.Shape) + 1))}
	if k := slices.Index(v.Shape, 1); k >= 0 && m.IntN(2) == 0 {
		op, axes = "Squeeze", []int64{int64(k)}
	}
	if m.opset < 13 {
		m.add(true, op, 1, []*drawn{v}, attr("axes", axes))
		return
	}
	m.add(true, op, 1, []*drawn{v, m.vector(axes...)})
}

func reduce(m *maker) {
	v := m.ranked()
	if v == nil {
		return
	}
	op := []string{"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare",
		"ReduceLogSum", "ReduceLogSumExp"}[m.IntN(10)]
	if op == "ReduceLogSum" && !v.within(0.1, 500) {
		return
	}
	if op == "ReduceProd" && (v.Size() > 64 || !v.within(-2, 2)) { // whose parts may overflow on the way to a small product
		return
	}
	since := int64(18)
	if op == "ReduceSum" {
		since = 13
	}
	attrs := []*onnx.Attribute{attr("keepdims", m.IntN(2))}
	in := []*drawn{v}
	if axes := m.axes(len(v.Shape), 0); len(axes) > 0 {
		if m.opset < since {
			attrs = append(attrs, attr("axes", axes))
		} else {
			in = append(in, m.vector(axes...))
		}
	}
	m.add(op == "ReduceMax" || op == "ReduceMin", op, 1, in, attrs...)
}

func cumSum(m *maker) {
	if v := m.ranked(); v != nil {
		m.add(false, "CumSum", 1, []*drawn{v, m.initializer(fold.Ints([]int64{int64(m.axis(len(v.Shape)))}), false)},
			attr("exclusive", m.IntN(2)), attr("reverse", m.IntN(2)))
	}
}

func softmax(m *maker) {
	if v := m.ranked(); v != nil {
		m.add(false, []string{"Softmax", "LogSoftmax"}[m.IntN(2)], 1, []*drawn{v}, attr("axis", m.axis(len(v.Shape))))
	}
}

func layerNorm(m *maker) {
	v := m.ranked()
	if v == nil || m.opset < 17 {
		return
	}
	axis := m.IntN(len(v.Shape))
	s := v.Shape[axis:]
	if size(s) < 2 {
		return
	}
	in := []*drawn{v, m.initializer(m.floats(s...), true)}
	if m.IntN(2) == 0 {
		in = append(in, m.initializer(m.floats(s...), true))
	}
	m.add(false, "LayerNormalization", 1, in, attr("axis", axis), attr("epsilon", 0.01))
}

func matMul(m *maker) {
	v := m.ranked()
	if v == nil {
		return
	}
	k := v.Shape[len(v.Shape)-1]
	w := m.pick(func(w *drawn) bool {
		n := len(w.Shape)
		return w.Type == onnx.Float && (n == 1 && w.Shape[0] == k || n > 1 && w.Shape[n-2] == k)
	})
	if w == nil {
		s := []int{k, 1 + m.IntN(5)}
		if m.IntN(3) == 0 && len(v.Shape) > 2 {
			s = slices.Concat(v.Shape[:len(v.Shape)-2], s)
		}
		w = m.initializer(m.floats(s...), true)
	}
	if m.IntN(4) == 0 && len(v.Shape) > 1 { // as the left operand
		s := []int{1 + m.IntN(4), v.Shape[len(v.Shape)-2]}
		m.add(false, "MatMul", 1, []*drawn{m.initializer(m.floats(s...), true), v})
		return
	}
	m.add(false, "MatMul", 1, []*drawn{v, w})
}

func gemm(m *maker) {
	a := m.pick(func(v *drawn) bool { return v.Type == onnx.Float && len(v.Shape) == 2 })
	if a == nil {
		return
	}
	ta, tb := m.IntN(2), m.IntN(2)
	rows, k, n := a.Shape[ta], a.Shape[1-ta], 1+m.IntN(5)
	s := []int{k, n}
	if tb == 1 {
		s = []int{n, k}
	}
	in := []*drawn{a, m.initializer(m.floats(s...), true)}
	if m.IntN(3) > 0 {
		c := [][]int{{n}, {1, n}, {rows, 1}, {rows, n}, {}}[m.IntN(5)]
		in = append(in, m.initializer(m.floats(c...), true))
	}
	m.add(false, "Gemm", 1, in, attr("transA", ta), attr("transB", tb), attr("alpha", []float64{1, 0.5}[m.IntN(2)]),
		attr("beta", []float64{1, -0.25}[m.IntN(2)]))
}
