package lower_test

import (
	"math"

	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// hostOps try to add one node of an operator that runs on the host alone, beside those of ops.
var hostOps = []func(m *maker){shapes, bits, ranges, indexed, castLike, dropout, notNumbers, constants}

// integer is a value of integers.
func (m *maker) integer() *drawn {
	return m.pick(func(v *drawn) bool { return v.Type == onnx.Int64 && len(v.Shape) > 0 })
}

// shapes are operators that look at shapes.
func shapes(m *maker) {
	v := m.values[m.IntN(len(m.values))]
	switch m.IntN(4) {
	case 0:
		var attrs []*onnx.Attribute
		if m.opset >= 15 && m.IntN(2) == 0 {
			attrs = append(attrs, attr("start", m.IntN(3)-1), attr("end", m.IntN(5)-1))
		}
		m.add(true, "Shape", 1, []*drawn{v}, attrs...)
	case 1:
		m.add(true, "Size", 1, []*drawn{v})
	case 2:
		m.add(true, "ConstantOfShape", 1, []*drawn{m.vector(int64(1+m.IntN(3)), int64(1+m.IntN(3)))})
	case 3:
		m.add(true, "EyeLike", 1, []*drawn{m.initializer(m.floats(1+m.IntN(4), 1+m.IntN(4)), true)}, attr("k", m.IntN(3)-1))
	}
}

// bits are operators on the bits of integers.
func bits(m *maker) {
	unsigned := func() *drawn {
		a := m.integers(100, 4)
		a.Type = onnx.Uint32
		for i, x := range a.Ints {
			a.Ints[i] = max(x, -x) % 20
		}
		return m.initializer(a, false)
	}
	switch k := m.IntN(5); {
	case k == 0:
		m.add(true, "BitShift", 1, []*drawn{unsigned(), unsigned()}, attr("direction", []string{"LEFT", "RIGHT"}[m.IntN(2)]))
	case m.opset < 18:
	case k == 1:
		m.add(true, "BitwiseNot", 1, []*drawn{m.initializer(m.integers(100, 5), true)})
	default:
		m.add(true, []string{"BitwiseAnd", "BitwiseOr", "BitwiseXor"}[k-2], 1,
			[]*drawn{m.initializer(m.integers(100, 2, 3), false), m.initializer(m.integers(100, 3), false)})
	}
}

// ranges are operators whose results depend on known elements.
func ranges(m *maker) {
	number := func(x int) *drawn { return m.initializer(fold.Ints([]int64{int64(x)}), false) }
	if m.IntN(2) == 0 {
		m.add(true, "Range", 1, []*drawn{number(m.IntN(5)), number(5 + m.IntN(9)), number(1 + m.IntN(3))})
		return
	}
	m.add(true, "NonZero", 1, []*drawn{m.initializer(m.integers(2, 3, 4), false)})
}

// indexed are operators of indices on integers, as the host has them.
func indexed(m *maker) {
	v := m.integer()
	if v == nil {
		return
	}
	switch m.IntN(3) {
	case 0:
		m.add(true, "CumSum", 1, []*drawn{v, m.initializer(fold.Ints([]int64{0}), false)}, attr("exclusive", m.IntN(2)))
	case 1:
		n := v.Shape[0]
		m.add(true, "Gather", 1, []*drawn{v, m.vector(int64(m.IntN(n)), int64(-1-m.IntN(n)))})
	case 2:
		m.add(true, "Mod", 1, []*drawn{v, m.initializer(fold.Ints([]int64{int64(2 + m.IntN(3))}), false)})
	}
}

func castLike(m *maker) {
	if v := m.float(); v != nil && v.exact && m.opset >= 15 {
		m.add(true, "CastLike", 1, []*drawn{v, m.vector(1)})
	}
}

func dropout(m *maker) {
	if v := m.float(); v != nil {
		m.add(true, "Dropout", 1, []*drawn{v})
	}
}

func notNumbers(m *maker) {
	a := m.floats(5)
	a.Floats[2], a.Floats[4] = math.NaN(), math.Inf(1)
	v := m.initializer(a, false)
	n := &onnx.Node{OpType: "IsNaN", Name: m.name("IsNaN"), Inputs: []string{v.name}, Outputs: []string{m.name("value")}}
	m.graph.Nodes = append(m.graph.Nodes, n)
	m.values = append(m.values, &drawn{Array: fold.Unknown(onnx.Bool, 5), name: n.Outputs[0]})
}

func constants(m *maker) {
	t, err := tensorFor("", m.floats(1+m.IntN(3)))
	if err != nil {
		panic(err)
	}
	m.add(true, "Constant", 1, nil, &onnx.Attribute{Name: "value", Type: onnx.AttrTensor, T: t})
}
