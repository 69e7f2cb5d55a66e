package fold

import (
	"testing"

	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/build"
)

func TestReductionsMatchOnnxruntime(t *testing.T) {
	for _, name := range []string{"ReduceMean", "ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin"} {
		matchRuntime(t, maker{name: name, make: func(g *gen) trial {
			typ := pick(g, numbers...)
			if g.opset >= 20 && (name == "ReduceMax" || name == "ReduceMin") {
				typ = pick(g, every...)
			}
			s := g.shape()
			for i, d := range s { // onnxruntime 1.30 gives some reductions of nothing wrong shapes
				s[i] = max(d, 1)
			}
			a := g.array(typ, s...)
			if name == "ReduceProd" { // of integers that fit: beyond, onnxruntime saturates, in float64
				a.Ints = each(a.Ints, func(v int64) int64 { return v % 2 })
				if isFloat(typ) {
					a.Ints = nil
				}
			}
			tr := trial{op: name, opset: g.opset, in: []*Array{a}, outputs: 1}
			since := int64(18)
			if name == "ReduceSum" {
				since = 13
			}
			if !g.chance(3) {
				tr.attrs = append(tr.attrs, build.Int("keepdims", int64(g.IntN(2))))
			}
			if g.opset >= since && g.chance(4) {
				tr.attrs = append(tr.attrs, build.Int("noop_with_empty_axes", int64(g.IntN(2))))
			}
			if g.chance(4) {
				return tr
			}
			axes := g.axes(len(a.Shape))
			if g.chance(12) {
				axes = append(axes, int64(len(a.Shape)))
			}
			return withAxes(tr, since, "axes", axes)
		}, stricter: func(tr trial) bool { return len(tr.in[0].Shape) == 0 }}) // which onnxruntime reduces along any axis
	}
}

func TestCumSumMatchesOnnxruntime(t *testing.T) {
	matchRuntime(t, maker{name: "CumSum", make: func(g *gen) trial {
		a := g.array(pick(g, onnx.Int64, onnx.Int32, onnx.Float, onnx.Double), g.ranked()...)
		k := g.array(pick(g, onnx.Int64, onnx.Int32))
		k.Ints[0] = g.axis(len(a.Shape))
		if g.chance(12) {
			k.Ints[0] = 5
		}
		tr := trial{op: "CumSum", opset: g.opset, in: []*Array{a, k}, outputs: 1}
		for _, name := range []string{"exclusive", "reverse"} {
			if g.chance(2) {
				tr.attrs = append(tr.attrs, build.Int(name, int64(g.IntN(2))))
			}
		}
		return tr
	}, stricter: func(tr trial) bool { return tr.in[0].Size() == 0 }}) // where onnxruntime looks at no axis
}
