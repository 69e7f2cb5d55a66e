package lower_test

import (
	"slices"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// spread tells whether numbers differ enough for a variance of them to be well conditioned.
func (v *drawn) spread() bool { return v.within(-50, 50) && !v.within(-0.5, 0.5) }

// normalise draws a normalisation.
func normalise(m *maker) {
	v := m.ranked()
	if v == nil || !v.spread() {
		return
	}
	rank := len(v.Shape)
	vector := func(n int) *drawn { return m.initializer(m.floats(n), true) }
	switch m.IntN(6) {
	case 0:
		if rank > 2 {
			m.add(false, "InstanceNormalization", 1, []*drawn{v, vector(v.Shape[1]), vector(v.Shape[1])}, attr("epsilon", 0.1))
		}
	case 1:
		if rank < 3 || m.opset < 18 {
			return
		}
		groups := 1
		for _, d := range []int{2, 3} {
			if v.Shape[1]%d == 0 {
				groups = d
			}
		}
		n := groups
		if m.opset >= 21 {
			n = v.Shape[1]
		}
		m.add(false, "GroupNormalization", 1, []*drawn{v, vector(n), vector(n)}, attr("num_groups", groups), attr("epsilon", 0.1))
	case 2:
		if rank > 1 {
			c := v.Shape[1]
			variance := m.floats(c)
			for i, x := range variance.Floats {
				variance.Floats[i] = 0.5 + max(x, -x)
			}
			m.add(false, "BatchNormalization", 1, []*drawn{v, vector(c), vector(c), vector(c), m.initializer(variance, false)},
				attr("epsilon", 0.01))
		}
	case 3:
		m.add(false, "LpNormalization", 1, []*drawn{v}, attr("axis", m.axis(rank)), attr("p", 1+m.IntN(2)))
	case 4:
		if m.opset >= 23 {
			axis := m.IntN(rank)
			m.add(false, "RMSNormalization", 1, []*drawn{v, m.initializer(m.floats(v.Shape[axis:]...), true)}, attr("axis", axis-rank),
				attr("epsilon", 0.1))
		}
	case 5:
		if m.opset >= 13 && v.variance() > 0.1 { // onnxruntime takes a difference of means
			m.add(false, "MeanVarianceNormalization", 1, []*drawn{v}, attr("axes", m.axes(rank, rank)))
		}
	}
}

func (v *drawn) variance() float64 {
	mean, square := 0.0, 0.0
	for _, x := range v.Floats {
		mean += x / float64(v.Size())
	}
	for _, x := range v.Floats {
		square += (x - mean) * (x - mean) / float64(v.Size())
	}
	return square
}

// image is a value as [N, C, …] of a rank, made by a Reshape.
func (m *maker) image(rank int) *drawn {
	v := m.float()
	if v == nil || v.Size() < 2 {
		return nil
	}
	s := []int64{}
	rest := v.Size()
	for range rank - 1 {
		d := 1
		for k := 2; k <= 4; k++ {
			if rest%k == 0 && m.IntN(2) == 0 {
				d = k
			}
		}
		s, rest = append(s, int64(d)), rest/d
	}
	out := m.add(true, "Reshape", 1, []*drawn{v, m.vector(append(s, int64(rest))...)})
	if out == nil {
		return nil
	}
	return out[0]
}

func blocks(m *maker) {
	v := m.image(4)
	if v == nil {
		return
	}
	op := "DepthToSpace"
	var attrs []*onnx.Attribute
	if m.IntN(2) == 0 {
		op = "SpaceToDepth"
	} else {
		attrs = append(attrs, attr("mode", []string{"DCR", "CRD"}[m.IntN(2)]))
	}
	m.add(true, op, 1, []*drawn{v}, append(attrs, attr("blocksize", 1+m.IntN(2)))...)
}

// places are the attributes of a convolution or pooling.
func (m *maker) places(kernel []int) []*onnx.Attribute {
	var strides, dilations, pads, shape []int64
	for _, k := range kernel {
		strides, dilations, shape = append(strides, int64(1+m.IntN(2))), append(dilations, int64(1+m.IntN(2))), append(shape, int64(k))
	}
	for range 2 * len(kernel) {
		pads = append(pads, int64(m.IntN(2)))
	}
	attrs := []*onnx.Attribute{attr("strides", strides), attr("kernel_shape", shape)}
	switch m.IntN(4) {
	case 0:
		return append(attrs, attr("auto_pad", []string{"SAME_UPPER", "SAME_LOWER", "VALID"}[m.IntN(3)]))
	case 1:
		return append(attrs, attr("pads", pads))
	}
	return append(attrs, attr("pads", pads), attr("dilations", dilations))
}

func convolve(m *maker) {
	rank := 3 + m.IntN(2)
	v := m.image(rank)
	if v == nil {
		return
	}
	groups := 1
	for _, g := range []int{2, 3} {
		if v.Shape[1]%g == 0 && m.IntN(2) == 0 {
			groups = g
		}
	}
	kernel := []int{}
	for _, d := range v.Shape[2:] {
		kernel = append(kernel, 1+m.IntN(min(d, 3)))
	}
	outs := groups * (1 + m.IntN(2))
	in := []*drawn{v, m.initializer(m.floats(append([]int{outs, v.Shape[1] / groups}, kernel...)...), true)}
	if m.IntN(2) == 0 {
		in = append(in, m.initializer(m.floats(outs), true))
	}
	m.add(false, "Conv", 1, in, append(m.places(kernel), attr("group", groups))...)
}

func pool(m *maker) {
	v := m.image(3 + m.IntN(2))
	if v == nil {
		return
	}
	if m.IntN(3) == 0 {
		m.add(false, []string{"GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"}[m.IntN(3)], 1, []*drawn{v})
		return
	}
	kernel := []int{}
	for _, d := range v.Shape[2:] {
		kernel = append(kernel, min(d, 2+m.IntN(2)))
	}
	if slices.Contains(kernel, 1) { // whose windows could be of padding alone
		return
	}
	op := []string{"MaxPool", "AveragePool", "LpPool"}[m.IntN(3)]
	attrs := m.places(kernel)
	if op == "AveragePool" && m.opset < 19 || op == "LpPool" && m.opset < 18 {
		attrs = slices.DeleteFunc(attrs, func(a *onnx.Attribute) bool { return a.Name == "dilations" })
	}
	if op != "LpPool" && m.IntN(2) == 0 {
		attrs = append(attrs, attr("ceil_mode", 1))
	}
	if op == "AveragePool" {
		attrs = append(attrs, attr("count_include_pad", m.IntN(2)))
	}
	m.add(op == "MaxPool", op, 1, []*drawn{v}, attrs...)
}

// attend is Attention of opset 23 on a value as queries.
func attend(m *maker) {
	if m.opset < 23 {
		return
	}
	q := m.image(4)
	if q == nil || !q.within(-8, 8) {
		return
	}
	keys, d := 1+m.IntN(4), q.Shape[3]
	heads := q.Shape[1]
	if heads%2 == 0 && m.IntN(2) == 0 {
		heads /= 2
	}
	in := []*drawn{q, m.initializer(m.floats(q.Shape[0], heads, keys, d), true), m.initializer(m.floats(q.Shape[0], heads, keys, 3), true)}
	if m.IntN(2) == 0 {
		in = append(in, m.initializer(m.floats(q.Shape[2], keys), true))
	}
	attrs := []*onnx.Attribute{attr("scale", 0.5)}
	if m.IntN(2) == 0 {
		attrs = append(attrs, attr("is_causal", 1))
	}
	if m.IntN(3) == 0 {
		attrs = append(attrs, attr("softcap", 2.0))
	}
	m.add(false, "Attention", 1, in, attrs...)
}

// turn is RotaryEmbedding of opset 23.
func turn(m *maker) {
	if m.opset < 23 {
		return
	}
	x := m.image(4)
	if x == nil || x.Shape[3]%2 != 0 {
		return
	}
	d := x.Shape[3]
	var attrs []*onnx.Attribute
	if d%4 == 0 && m.IntN(2) == 0 {
		d /= 2
		attrs = append(attrs, attr("rotary_embedding_dim", d))
	}
	table := func() *drawn { return m.initializer(m.floats(x.Shape[0], x.Shape[2], d/2), false) }
	m.add(false, "RotaryEmbedding", 1, []*drawn{x, table(), table()}, append(attrs, attr("interleaved", m.IntN(2)))...)
}
