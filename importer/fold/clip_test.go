package fold

import (
	"testing"

	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/build"
)

func TestClipMatchesOnnxruntime(t *testing.T) {
	matchRuntime(t, maker{name: "Clip", make: func(g *gen) trial {
		typ := onnx.Float
		if g.opset >= 12 {
			typ = pick(g, onnx.Float, onnx.Int64, onnx.Int32)
		}
		tr := trial{op: "Clip", opset: g.opset, in: []*Array{g.array(typ, g.shape()...)}, outputs: 1}
		if g.opset < 11 {
			for _, name := range []string{"min", "max"} {
				if !g.chance(3) {
					tr.attrs = append(tr.attrs, build.Float(name, float32(g.IntN(9)-4)))
				}
			}
			return tr
		}
		for range g.IntN(3) { // bounds of which the higher may be the first
			bound := g.array(typ)
			if g.chance(12) {
				bound = g.array(typ, 2)
			}
			tr.in = append(tr.in, bound)
		}
		if len(tr.in) == 3 && g.chance(4) {
			tr.in[1] = nil
		}
		return tr
	}})
}

func TestClipRefusesWhatIsNoBound(t *testing.T) {
	x := ints64([]int{2}, 1, 5)
	for _, c := range []struct {
		opset int64
		in    []*Array
	}{
		{17, []*Array{x, reals(onnx.Float, nil, 1)}},
		{17, []*Array{x, nil, reals(onnx.Float, nil, 1)}},
		{17, []*Array{x, vector(1, 2)}},
		{11, []*Array{x, ints64(nil, 1)}}, // which took integers from opset 12 on
		{11, []*Array{x}},
	} {
		if out, err := (trial{op: "Clip", opset: c.opset, in: c.in, outputs: 1}).fold(); err == nil {
			t.Errorf("opset %d, %v: %v, want an error", c.opset, c.in, out)
		}
	}
}
