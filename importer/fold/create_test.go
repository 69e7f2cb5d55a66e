package fold

import (
	"testing"

	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/build"
)

func TestSourcesMatchOnnxruntime(t *testing.T) {
	matchRuntime(t,
		maker{name: "Constant", opsets: []int64{12, 13, 17, 20}, make: func(g *gen) trial {
			tr := trial{op: "Constant", opset: g.opset, outputs: 1}
			switch g.IntN(6) {
			case 0:
				tr.attrs = []build.Option{build.Int("value_int", int64(g.IntN(100)-50))}
			case 1:
				tr.attrs = []build.Option{build.Ints("value_ints", g.axes(5)...)}
			case 2:
				tr.attrs = []build.Option{build.Float("value_float", float32(g.NormFloat64()))}
			case 3:
				tr.attrs = []build.Option{build.Floats("value_floats", float32(g.NormFloat64()), 2)}
			default:
				x, err := toTensor("", g.array(pick(g, append(every, onnx.Uint32, onnx.Int16)...), g.shape()...))
				if err != nil {
					t.Fatal(err)
				}
				tr.attrs = []build.Option{build.Tensor("value", x)}
			}
			return tr
		}},
		maker{name: "ConstantOfShape", make: func(g *gen) trial {
			shape := vector()
			for _, d := range g.shape() {
				shape.Ints = append(shape.Ints, int64(d))
			}
			if g.chance(12) {
				shape.Ints = append(shape.Ints, -1)
			}
			shape.Shape = []int{len(shape.Ints)}
			tr := trial{op: "ConstantOfShape", opset: g.opset, in: []*Array{shape}, outputs: 1}
			if !g.chance(3) {
				x, err := toTensor("", g.special(g.array(pick(g, every...), 1+b2int(g.chance(9)))))
				if err != nil {
					t.Fatal(err)
				}
				tr.attrs = []build.Option{build.Tensor("value", x)}
			}
			return tr
		}},
		maker{name: "Shape", make: func(g *gen) trial {
			tr := trial{op: "Shape", opset: g.opset, in: []*Array{g.array(pick(g, every...), g.shape()...)}, outputs: 1}
			for _, name := range []string{"start", "end"} {
				if g.opset >= 15 && g.chance(2) {
					tr.attrs = append(tr.attrs, build.Int(name, int64(g.IntN(13)-6)))
				}
			}
			return tr
		}},
		maker{name: "Size", make: func(g *gen) trial {
			return trial{op: "Size", opset: g.opset, in: []*Array{g.array(pick(g, every...), g.shape()...)}, outputs: 1}
		}},
		maker{name: "Range", make: func(g *gen) trial {
			typ := pick(g, onnx.Int64, onnx.Int64, onnx.Int32, onnx.Int16, onnx.Float, onnx.Double)
			tr := trial{op: "Range", opset: g.opset, in: []*Array{g.array(typ), g.array(typ), g.array(typ)}, outputs: 1}
			return tr
		}},
		maker{name: "Identity", make: func(g *gen) trial {
			return trial{op: "Identity", opset: g.opset, in: []*Array{g.array(pick(g, every...), g.shape()...)}, outputs: 1}
		}},
		maker{name: "Dropout", opsets: []int64{11, 12, 13, 17, 20}, make: func(g *gen) trial {
			tr := trial{op: "Dropout", opset: g.opset, in: []*Array{g.array(onnx.Float, g.shape()...)}, outputs: 1 + g.IntN(2)}
			if g.opset >= 12 && g.chance(2) {
				tr.in = append(tr.in, g.array(onnx.Float))
				tr.in[1].Floats[0] = 0.5
				if g.chance(2) {
					tr.in = append(tr.in, g.array(onnx.Bool))
				}
			}
			return tr
		}, stricter: func(tr trial) bool { return len(tr.in) == 3 && tr.in[2].Ints[0] == 1 }},
	)
}
