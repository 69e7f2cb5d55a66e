package fold

import (
	"testing"

	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/build"
)

var integers = []onnx.DataType{onnx.Int64, onnx.Int32, onnx.Uint8, onnx.Int8, onnx.Uint16}

// since are the recent opsets from one on.
func since(opset int64) (out []int64) {
	for _, v := range recent {
		if v >= opset {
			out = append(out, v)
		}
	}
	return out
}

func TestUnaryOperatorsMatchOnnxruntime(t *testing.T) {
	for name, u := range unaries {
		types := floats
		switch u.in {
		case number:
			types = numbers
		case integer:
			types = integers
		case boolean:
			types = []onnx.DataType{onnx.Bool}
		}
		mk := maker{name: name, opsets: since(u.since), make: func(g *gen) trial {
			a := g.array(pick(g, types...), g.shape()...)
			if g.chance(3) && !(name == "Sign" && a.Type == onnx.Float16) { // onnxruntime: 0 for a NaN of that type alone
				g.special(a)
			}
			if g.chance(12) {
				a = g.array(pick(g, onnx.Bool, onnx.Float, onnx.Int64), 2)
			}
			return trial{op: name, opset: g.opset, in: []*Array{a}, outputs: 1}
		}}
		matchRuntime(t, mk)
	}
}

func TestBinaryOperatorsMatchOnnxruntime(t *testing.T) {
	for name, b := range binaries {
		types := numbers
		switch b.in {
		case integer:
			types = integers
		case boolean:
			types = []onnx.DataType{onnx.Bool}
		case anyType:
			types = every
		}
		mk := maker{name: name, opsets: since(b.since), make: func(g *gen) trial {
			typ, shape := pick(g, types...), g.shape()
			x, y := g.array(typ, g.narrow(shape)...), g.array(typ, shape...)
			if g.chance(3) {
				g.special(x)
				g.special(y)
			}
			if g.chance(12) {
				y = g.array(pick(g, types...), g.shape()...)
			}
			if g.chance(2) && name != "Pow" {
				x, y = y, x
			}
			tr := trial{op: name, opset: g.opset, in: []*Array{x, y}, outputs: 1}
			switch name {
			case "Div", "Mod":
				for i, v := range y.Ints { // onnxruntime dies of integer divisions by zero
					if v == 0 || v == -1 {
						y.Ints[i] = 3
					}
				}
				if name == "Mod" && (isFloat(y.Type) || g.chance(2)) && !g.chance(9) {
					if x.Ints != nil { // of which onnxruntime computes the remainder in float64
						x.Ints, y.Ints = each(x.Ints, func(v int64) int64 { return v % 1000 }),
							each(y.Ints, func(v int64) int64 { return v%1000 + b2i(v%1000 == 0) })
					}
					tr.attrs = append(tr.attrs, build.Int("fmod", 1))
				}
			case "Pow":
				x = g.array(typ, x.Shape...) // powers of the largest integers do not fit
				for i, v := range x.Floats {
					x.Floats[i] = max(v, -v)
				}
				y = g.array(pick(g, typ, onnx.Float, onnx.Int64, onnx.Int32), y.Shape...)
				for i, v := range y.Ints {
					y.Ints[i] = max(v, -v) % 5
				}
				for i, v := range x.Ints {
					if y.Floats != nil { // or the power is no number
						x.Ints[i] = max(v, -v, 1)
					}
				}
				tr.in = []*Array{x, y}
			case "Min", "Max":
				for range g.IntN(3) {
					tr.in = append(tr.in, g.array(typ, g.narrow(shape)...))
				}
				if g.chance(6) {
					tr.in = tr.in[:1]
				}
			}
			return tr
		}, laxer: func(tr trial) bool { return name == "Pow" && tr.opset < 12 && tr.in[0].Type != tr.in[1].Type }}
		matchRuntime(t, mk)
	}
}

func TestWhereMatchesOnnxruntime(t *testing.T) {
	matchRuntime(t, maker{name: "Where", make: func(g *gen) trial {
		typ, shape := pick(g, every...), g.shape()
		in := []*Array{g.array(onnx.Bool, g.narrow(shape)...), g.array(typ, shape...), g.array(typ, g.narrow(shape)...)}
		if g.chance(2) {
			in[1], in[2] = in[2], in[1]
		}
		if g.chance(12) {
			in[g.IntN(3)] = g.array(pick(g, every...), g.shape()...)
		}
		return trial{op: "Where", opset: g.opset, in: in, outputs: 1}
	}})
}

func TestCastsMatchOnnxruntime(t *testing.T) {
	types := append([]onnx.DataType{onnx.Uint64, onnx.Bfloat16, onnx.Int8, onnx.Int16, onnx.Uint16, onnx.Uint32}, every...)
	source := func(g *gen, to onnx.DataType) *Array {
		a := g.array(pick(g, types...), g.shape()...)
		if isFloat(to) || a.Ints != nil && to != onnx.Uint64 { // what does not fit an integer is undefined
			g.special(a)
		}
		for i, x := range a.Floats {
			if !isFloat(to) && to.Bits() > 0 && (to == onnx.Uint8 || to == onnx.Uint16 || to == onnx.Uint32 ||
				to == onnx.Uint64) {
				a.Floats[i] = max(x, -x)
			}
		}
		if to == onnx.Uint64 {
			for i, x := range a.Ints {
				a.Ints[i] = max(x, -x)
			}
		}
		return a
	}
	matchRuntime(t,
		maker{name: "Cast", make: func(g *gen) trial {
			to := pick(g, types...)
			return trial{op: "Cast", opset: g.opset, in: []*Array{source(g, to)},
				attrs: []build.Option{build.Int("to", int64(to))}, outputs: 1}
		}},
		maker{name: "CastLike", opsets: []int64{15, 19, 21}, make: func(g *gen) trial {
			to := pick(g, types...)
			return trial{op: "CastLike", opset: g.opset, in: []*Array{source(g, to), g.array(to, g.shape()...)}, outputs: 1}
		}},
	)
}
