package lower_test

import (
	"slices"

	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// activations with the interval in which they are well conditioned, as unaries are, the opset from which they are known,
// and attributes that each may have.
var activations = []struct {
	op          string
	since       int64
	low, high   float64
	exact, jump bool
	attrs       []string
}{
	{"Elu", 6, -500, 500, false, false, []string{"alpha"}}, {"Selu", 6, -500, 500, false, false, []string{"alpha", "gamma"}},
	{"Celu", 12, -500, 500, false, false, []string{"alpha"}}, {"LeakyRelu", 6, -500, 500, false, false, []string{"alpha"}},
	{"ThresholdedRelu", 10, -500, 500, true, true, []string{"alpha"}},
	{"HardSigmoid", 6, -500, 500, false, false, []string{"alpha", "beta"}}, {"HardSwish", 14, -500, 500, false, false, nil},
	{"Softsign", 1, -500, 500, false, false, nil}, {"Mish", 18, -500, 500, false, false, nil},
	{"Swish", 24, -500, 500, false, false, []string{"alpha"}}, {"Shrink", 9, -500, 500, true, true, []string{"lambd", "bias"}},
	{"Tan", 7, -1.3, 1.3, false, false, nil}, {"Asin", 7, -0.98, 0.98, false, false, nil}, {"Acos", 7, -0.98, 0.98, false, false, nil},
	{"Sinh", 9, -5, 5, false, false, nil}, {"Cosh", 9, -5, 5, false, false, nil}, {"Asinh", 9, -500, 500, false, false, nil},
	{"Acosh", 9, 1.05, 500, false, false, nil}, {"Atanh", 9, -0.95, 0.95, false, false, nil}, {"IsInf", 10, -500, 500, true, false, nil},
}

func activation(m *maker) {
	u := activations[m.IntN(len(activations))]
	v := m.float()
	if v == nil || m.opset < u.since || u.jump && !v.exact {
		return
	}
	if !v.within(u.low, u.high) {
		if u.low < -100 || u.high < 2 && !v.within(-500, 500) {
			return
		}
		x := m.add(false, "Sin", 1, []*drawn{v}) // which most have to go through
		if x == nil || u.low > 1 || !x[0].within(u.low, u.high) {
			return
		}
		v = x[0]
	}
	var attrs []*onnx.Attribute
	for _, name := range u.attrs {
		if m.IntN(2) == 0 {
			attrs = append(attrs, attr(name, []float64{0.25, 0.5, 1.5}[m.IntN(3)]))
		}
	}
	m.add(u.exact, u.op, 1, []*drawn{v}, attrs...)
}

func pRelu(m *maker) {
	if v := m.float(); v != nil {
		s := slices.Clone(v.Shape[m.IntN(len(v.Shape)+1):])
		for i := range s {
			if m.IntN(3) == 0 {
				s[i] = 1
			}
		}
		m.add(false, "PRelu", 1, []*drawn{v, m.initializer(m.floats(s...), true)})
	}
}

func variadic(m *maker) {
	if v := m.float(); v != nil {
		in := []*drawn{v}
		for range m.IntN(3) {
			in = append(in, m.beside(v))
		}
		op := []string{"Sum", "Mean"}[m.IntN(2)]
		m.add(op == "Sum", op, 1, in)
	}
}

func remainder(m *maker) {
	a := m.float()
	if a == nil || !a.exact {
		return
	}
	if b := m.beside(a); b.exact && (b.within(0.01, 500) || b.within(-500, -0.01)) {
		m.add(true, "Mod", 1, []*drawn{a, b}, attr("fmod", 1))
	}
}

func extreme(m *maker) {
	v := m.ranked()
	if v == nil || !v.exact {
		return
	}
	attrs := []*onnx.Attribute{attr("axis", m.axis(len(v.Shape))), attr("keepdims", m.IntN(2))}
	if m.opset >= 12 {
		attrs = append(attrs, attr("select_last_index", m.IntN(2)))
	}
	out := m.add(true, []string{"ArgMax", "ArgMin"}[m.IntN(2)], 1, []*drawn{v}, attrs...)
	if out != nil && m.IntN(2) == 0 {
		m.add(true, "Cast", 1, out, attr("to", int(onnx.Float)))
	}
}

func hardmax(m *maker) {
	if v := m.ranked(); v != nil && v.exact {
		m.add(true, "Hardmax", 1, []*drawn{v}, attr("axis", m.axis(len(v.Shape))))
	}
}

func topK(m *maker) {
	v := m.ranked()
	if v == nil || !v.exact {
		return
	}
	axis := m.axis(len(v.Shape))
	k := 1 + m.IntN(v.Shape[(axis+len(v.Shape))%len(v.Shape)])
	m.add(true, "TopK", 2, []*drawn{v, m.vector(int64(k))}, attr("axis", axis), attr("largest", m.IntN(2)))
}

func oneHot(m *maker) {
	v := m.pick(func(v *drawn) bool { return v.Type == onnx.Int64 && len(v.Shape) < 4 && v.exact })
	if v == nil {
		return
	}
	values := m.pick(func(v *drawn) bool { return v.Type == onnx.Float && slices.Equal(v.Shape, []int{2}) })
	if values == nil {
		values = m.initializer(m.floats(2), true)
	}
	m.add(true, "OneHot", 1, []*drawn{v, m.vector(int64(2 + m.IntN(3))), values},
		attr("axis", m.axis(len(v.Shape)+1)))
}

func trilu(m *maker) {
	v := m.ranked()
	if v == nil || len(v.Shape) < 2 || m.opset < 14 {
		return
	}
	in := []*drawn{v}
	if m.IntN(2) == 0 {
		in = append(in, m.initializer(fold.Ints([]int64{int64(m.IntN(7) - 3)}), false))
	}
	m.add(true, "Trilu", 1, in, attr("upper", m.IntN(2)))
}

func pad(m *maker) {
	v := m.ranked()
	if v == nil {
		return
	}
	mode := []string{"constant", "reflect", "edge", "wrap"}[m.IntN(4)]
	if mode == "wrap" && m.opset < 19 {
		return
	}
	axes := []int64{}
	for i := range v.Shape {
		axes = append(axes, int64(i))
	}
	some := m.opset >= 18 && m.IntN(2) == 0
	if some {
		axes = m.axes(len(v.Shape), 1)
	}
	pads := make([]int64, 2*len(axes))
	for i := range pads {
		d := v.Shape[(int(axes[i%len(axes)])+len(v.Shape))%len(v.Shape)]
		switch {
		case mode == "constant":
			pads[i] = int64(m.IntN(4) - m.IntN(2))
		case mode == "reflect" && d < 2:
		case mode == "reflect":
			pads[i] = int64(m.IntN(d))
		case mode == "wrap": // once round: onnxruntime leaves zeros beyond
			pads[i] = int64(m.IntN(min(d, 2) + 1))
		default:
			pads[i] = int64(m.IntN(3))
		}
	}
	in := []*drawn{v, m.vector(pads...)}
	var value *drawn
	if mode == "constant" && m.IntN(2) == 0 {
		value = m.initializer(&fold.Array{Type: onnx.Float, Floats: []float64{float64(m.IntN(9)-4) / 2}}, false)
		in = append(in, value)
	}
	if some {
		if value == nil {
			in = append(in, nil)
		}
		in = append(in, m.vector(axes...))
	}
	m.add(true, "Pad", 1, in, attr("mode", mode))
}

// einsum draws an equation for a value: some of its axes, and some of another operand's, in any order.
func einsum(m *maker) {
	v := m.ranked()
	if v == nil || m.opset < 12 || len(v.Shape) > 4 {
		return
	}
	const letters = "abcdefgh"
	sizes := map[byte]int{}
	left := ""
	for i, d := range v.Shape {
		l := letters[i]
		for j := range i {
			if v.Shape[j] == d && m.IntN(8) == 0 && m.IntN(2) == 0 {
				l = left[j] // a diagonal
			}
		}
		left += string(l)
		sizes[l] = d
	}
	terms, in, all := left, []*drawn{v}, left
	for range m.IntN(3) {
		var s []int
		t := ""
		for range 1 + m.IntN(3) {
			l := letters[m.IntN(len(letters))]
			if slices.Contains([]byte(t), l) {
				continue
			}
			if sizes[l] == 0 {
				sizes[l] = 1 + m.IntN(3)
			}
			t, s = t+string(l), append(s, sizes[l])
		}
		terms, in, all = terms+","+t, append(in, m.initializer(m.floats(s...), false)), all+t
	}
	out := ""
	for _, i := range m.Perm(len(all)) {
		if m.IntN(3) > 0 && !slices.Contains([]byte(out), all[i]) {
			out += string(all[i])
		}
	}
	if m.IntN(4) > 0 {
		terms += "->" + out
	}
	m.add(false, "Einsum", 1, in, attr("equation", terms))
}

func scatter(m *maker) {
	v := m.ranked()
	if v == nil {
		return
	}
	kinds := []string{"none"}
	if m.opset >= 16 {
		kinds = append(kinds, "add", "mul")
	}
	if m.opset >= 18 {
		kinds = append(kinds, "min", "max")
	}
	kind := kinds[m.IntN(len(kinds))]
	exact := kind == "none" || kind == "min" || kind == "max"
	var attrs []*onnx.Attribute
	if kind != "none" {
		attrs = append(attrs, attr("reduction", kind))
	}
	if m.IntN(2) == 0 {
		n := 1 + m.IntN(len(v.Shape))
		rows := 1 + m.IntN(3)
		idx := m.tuples(v.Shape[:n], rows)
		m.add(exact, "ScatterND", 1, []*drawn{v, idx, m.initializer(m.floats(append([]int{rows}, v.Shape[n:]...)...), true)}, attrs...)
		return
	}
	axis := m.axis(len(v.Shape))
	k := (axis + len(v.Shape)) % len(v.Shape)
	s := slices.Clone(v.Shape)
	for i := range s {
		s[i] = 1 + m.IntN(s[i])
	}
	idx := fold.Ints(make([]int64, size(s)), s...)
	if kind == "none" { // where two updates go to one place, either may win
		s[k] = 1
		idx = fold.Ints(make([]int64, size(s)), s...)
	}
	for i := range idx.Ints {
		idx.Ints[i] = int64(m.IntN(2*v.Shape[k]) - v.Shape[k])
	}
	m.add(exact, "ScatterElements", 1, []*drawn{v, m.initializer(idx, false), m.initializer(m.floats(s...), true)},
		append(attrs, attr("axis", axis))...)
}

// tuples are different places in a shape.
func (m *maker) tuples(shape []int, rows int) *drawn {
	a := fold.Ints([]int64{}, rows, len(shape))
	seen := map[string]bool{}
	for range rows {
		for range 20 {
			row := []int64{}
			name := ""
			for _, d := range shape {
				x := m.IntN(d)
				name += string(rune('a' + x))
				if m.IntN(3) == 0 {
					x -= d
				}
				row = append(row, int64(x))
			}
			if !seen[name] {
				seen[name] = true
				a.Ints = append(a.Ints, row...)
				break
			}
		}
	}
	a.Shape[0] = len(a.Ints) / len(shape)
	return m.initializer(a, false)
}

func gatherND(m *maker) {
	if v := m.ranked(); v != nil {
		n := 1 + m.IntN(len(v.Shape))
		m.add(true, "GatherND", 1, []*drawn{v, m.tuples(v.Shape[:n], 1+m.IntN(3))})
	}
}

// choose is Compress or ReverseSequence.
func choose(m *maker) {
	v := m.ranked()
	if v == nil {
		return
	}
	if len(v.Shape) > 1 && m.IntN(2) == 0 {
		batch := m.IntN(2)
		lengths := fold.Ints([]int64{}, v.Shape[batch])
		for range v.Shape[batch] {
			lengths.Ints = append(lengths.Ints, int64(1+m.IntN(v.Shape[1-batch])))
		}
		m.add(true, "ReverseSequence", 1, []*drawn{v, m.initializer(lengths, false)}, attr("batch_axis", batch), attr("time_axis", 1-batch))
		return
	}
	axis := m.axis(len(v.Shape))
	d := v.Shape[(axis+len(v.Shape))%len(v.Shape)]
	which := m.booleans(d)
	which.Ints[m.IntN(d)] = 1
	m.add(true, "Compress", 1, []*drawn{v, m.initializer(which, false)}, attr("axis", axis))
}

// clip is Clip with either bound.
func clip(m *maker) {
	v := m.float()
	if v == nil {
		return
	}
	scalar := func(x float64) *drawn {
		if m.IntN(3) == 0 {
			return nil
		}
		return m.initializer(&fold.Array{Type: onnx.Float, Floats: []float64{x}}, false)
	}
	m.add(true, "Clip", 1, []*drawn{v, scalar(float64(m.IntN(4)-4) / 2), scalar(float64(m.IntN(4)) / 2)})
}

// selection makes a condition out of integers, as masks are made.
func selection(m *maker) {
	if v := m.pick(func(v *drawn) bool { return v.Type == onnx.Int64 }); v != nil {
		m.add(true, "Cast", 1, []*drawn{v}, attr("to", int([]onnx.DataType{onnx.Bool, onnx.Float}[m.IntN(2)])))
	}
}
