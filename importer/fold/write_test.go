package fold

import (
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/build"
)

// full is a random shape of a rank without zeros.
func (g *gen) full(rank int) []int {
	s := make([]int, rank)
	for i := range s {
		s[i] = 1 + g.IntN(4)
	}
	return s
}

// below are indices of a dimension, from either end, and now and then one outside.
func (g *gen) below(d int, shape ...int) *Array {
	a := g.array(onnx.Int64, shape...)
	for i := range a.Ints {
		a.Ints[i] = int64(g.IntN(2*d) - d)
		if g.chance(60) {
			a.Ints[i] = int64(d)
		}
	}
	return a
}

// The operators that choose and move elements, in all types.
func TestChoicesMatchOnnxruntime(t *testing.T) {
	matchRuntime(t,
		maker{name: "Trilu", opsets: since(14), make: func(g *gen) trial {
			a := g.array(pick(g, onnx.Float, onnx.Double, onnx.Int64, onnx.Bool), g.full(2+g.IntN(2))...)
			tr := trial{op: "Trilu", opset: g.opset, in: []*Array{a}, outputs: 1}
			if g.chance(2) {
				k := g.array(onnx.Int64)
				k.Ints[0] = int64(g.IntN(9) - 4)
				tr.in = append(tr.in, k)
			}
			if g.chance(2) {
				tr.attrs = append(tr.attrs, build.Int("upper", 0))
			}
			return tr
		}},
		maker{name: "Pad", make: func(g *gen) trial {
			a := g.array(pick(g, onnx.Float, onnx.Double, onnx.Int64, onnx.Int32), g.full(1+g.IntN(3))...)
			pads := g.array(onnx.Int64, 2*len(a.Shape))
			mode := pick(g, "constant", "edge")
			for i := range pads.Ints {
				pads.Ints[i] = int64(g.IntN(3))
				if mode == "constant" && g.chance(6) {
					pads.Ints[i] = -1
				}
			}
			in := []*Array{a, pads}
			if g.chance(2) {
				in = append(in, g.array(a.Type))
			}
			return trial{op: "Pad", opset: g.opset, in: in, attrs: []build.Option{build.String("mode", mode)}, outputs: 1}
		}, stricter: func(tr trial) bool { return slices.Min(tr.in[1].Ints) < 0 }}, // where nothing is left, onnxruntime gives nothing
		maker{name: "ScatterElements", opsets: since(16), make: func(g *gen) trial {
			a := g.array(pick(g, onnx.Float, onnx.Double, onnx.Int64, onnx.Int32), g.full(1+g.IntN(3))...)
			k := g.axis(len(a.Shape))
			at := (int(k) + len(a.Shape)) % len(a.Shape)
			s := slices.Clone(a.Shape)
			s[at] = 1
			kinds := []string{"none", "add", "mul"}
			if g.opset >= 18 {
				kinds = append(kinds, "min", "max")
			}
			return trial{op: "ScatterElements", opset: g.opset, in: []*Array{a, g.below(a.Shape[at], s...), g.array(a.Type, s...)},
				attrs: []build.Option{build.Int("axis", k), build.String("reduction", pick(g, kinds...))}, outputs: 1}
		}},
		maker{name: "ScatterND", opsets: since(16), make: func(g *gen) trial {
			a := g.array(pick(g, onnx.Float, onnx.Double, onnx.Int64, onnx.Int32), g.full(1+g.IntN(3))...)
			n := 1 + g.IntN(len(a.Shape))
			idx := g.array(onnx.Int64, 1, n)
			for i := range n {
				idx.Ints[i] = int64(g.IntN(2*a.Shape[i]) - a.Shape[i])
			}
			return trial{op: "ScatterND", opset: g.opset, in: []*Array{a, idx, g.array(a.Type, append([]int{1}, a.Shape[n:]...)...)},
				attrs: []build.Option{build.String("reduction", pick(g, "none", "add", "mul"))}, outputs: 1}
		}},
		maker{name: "GatherND", opsets: since(12), make: func(g *gen) trial {
			a := g.array(pick(g, every...), g.full(2+g.IntN(2))...)
			b := g.IntN(2)
			n := 1 + g.IntN(len(a.Shape)-b)
			idx := g.array(onnx.Int64, append(slices.Clone(a.Shape[:b]), 2, n)...)
			for i := range idx.Ints {
				d := a.Shape[b+i%n]
				idx.Ints[i] = int64(g.IntN(2*d) - d)
			}
			return trial{op: "GatherND", opset: g.opset, in: []*Array{a, idx}, attrs: []build.Option{build.Int("batch_dims", int64(b))}, outputs: 1}
		}},
		maker{name: "NonZero", make: func(g *gen) trial {
			a := g.array(pick(g, onnx.Float, onnx.Int64, onnx.Int32, onnx.Bool), g.full(1+g.IntN(3))...)
			for i := range a.Ints {
				a.Ints[i] = int64(g.IntN(2))
			}
			return trial{op: "NonZero", opset: g.opset, in: []*Array{a}, outputs: 1}
		}},
		maker{name: "Compress", make: func(g *gen) trial {
			a := g.array(pick(g, every...), g.full(1+g.IntN(3))...)
			tr := trial{op: "Compress", opset: g.opset, outputs: 1}
			n := a.Size()
			if g.chance(2) {
				k := g.axis(len(a.Shape))
				n = a.Shape[(int(k)+len(a.Shape))%len(a.Shape)]
				tr.attrs = append(tr.attrs, build.Int("axis", k))
			}
			tr.in = []*Array{a, g.array(onnx.Bool, 1+g.IntN(n))}
			return tr
		}},
		maker{name: "ReverseSequence", make: func(g *gen) trial {
			a := g.array(pick(g, onnx.Float, onnx.Int64, onnx.Int32), g.full(2+g.IntN(2))...)
			b := g.IntN(2)
			n := g.array(onnx.Int64, a.Shape[b])
			for i := range n.Ints {
				n.Ints[i] = int64(1 + g.IntN(a.Shape[1-b]))
			}
			return trial{op: "ReverseSequence", opset: g.opset, in: []*Array{a, n}, outputs: 1,
				attrs: []build.Option{build.Int("batch_axis", int64(b)), build.Int("time_axis", int64(1-b))}}
		}},
		maker{name: "BitShift", make: func(g *gen) trial {
			typ := pick(g, onnx.Uint8, onnx.Uint32, onnx.Uint64)
			s := g.full(2)
			return trial{op: "BitShift", opset: g.opset, in: []*Array{g.array(typ, s...), g.array(typ, g.narrow(s)...)}, outputs: 1,
				attrs: []build.Option{build.String("direction", pick(g, "LEFT", "RIGHT"))}}
		}},
		maker{name: "EyeLike", make: func(g *gen) trial {
			return trial{op: "EyeLike", opset: g.opset, in: []*Array{g.array(pick(g, onnx.Float, onnx.Int64, onnx.Int32), g.full(2)...)}, outputs: 1,
				attrs: []build.Option{build.Int("k", int64(g.IntN(5)-2))}}
		}},
	)
}

// Operators that are written in others, on the host, in integers and wide numbers too.
func TestWrittenOperatorsMatchOnnxruntime(t *testing.T) {
	matchRuntime(t,
		maker{name: "OneHot", make: func(g *gen) trial {
			idx := g.array(onnx.Int64, g.full(1+g.IntN(2))...)
			for i := range idx.Ints {
				idx.Ints[i] %= 5
			}
			depth := g.array(onnx.Int64, 1)
			depth.Ints[0] = int64(1 + g.IntN(4))
			return trial{op: "OneHot", opset: g.opset, in: []*Array{idx, depth, g.array(pick(g, onnx.Float, onnx.Int64), 2)}, outputs: 1,
				attrs: []build.Option{build.Int("axis", g.axis(len(idx.Shape)+1))}}
		}},
		maker{name: "ArgMax", make: func(g *gen) trial { return extreme(g, "ArgMax") }},
		maker{name: "ArgMin", make: func(g *gen) trial { return extreme(g, "ArgMin") }},
		maker{name: "TopK", make: func(g *gen) trial {
			a := g.array(pick(g, onnx.Float, onnx.Double, onnx.Int64, onnx.Int32), g.full(1+g.IntN(3))...)
			k := g.axis(len(a.Shape))
			n := g.array(onnx.Int64, 1)
			n.Ints[0] = int64(1 + g.IntN(a.Shape[(int(k)+len(a.Shape))%len(a.Shape)]))
			return trial{op: "TopK", opset: g.opset, in: []*Array{a, n}, outputs: 2,
				attrs: []build.Option{build.Int("axis", k), build.Int("largest", int64(g.IntN(2)))}}
		}},
		maker{name: "Einsum", opsets: since(12), make: func(g *gen) trial {
			typ := pick(g, onnx.Float, onnx.Double, onnx.Int64, onnx.Int32)
			equation := pick(g, "ij,jk->ik", "ij,jk", "bij,bkj->bik", "...ij,jk->...ik", "ii->i", "ij->", "i,j->ij", "ij,ij->i",
				"bhid,bhjd->bhij", "iji,k")
			sizes := map[rune]int{}
			var in []*Array
			left, _, _ := strings.Cut(equation, "->")
			for _, term := range strings.Split(left, ",") {
				s := []int{}
				if strings.HasPrefix(term, "...") {
					s, term = g.full(2), term[3:]
				}
				for _, l := range term {
					if sizes[l] == 0 {
						sizes[l] = 1 + g.IntN(3)
					}
					s = append(s, sizes[l])
				}
				in = append(in, g.array(typ, s...))
			}
			return trial{op: "Einsum", opset: g.opset, in: in, attrs: []build.Option{build.String("equation", equation)}, outputs: 1}
		}},
		maker{name: "ReduceL1", make: func(g *gen) trial { return norm(g, "ReduceL1") }},
		maker{name: "ReduceSumSquare", make: func(g *gen) trial { return norm(g, "ReduceSumSquare") }},
		maker{name: "Sum", make: func(g *gen) trial { return several(g, "Sum") }},
		maker{name: "Mean", make: func(g *gen) trial { return several(g, "Mean") }},
	)
}

func extreme(g *gen, op string) trial {
	a := g.array(pick(g, onnx.Float, onnx.Double, onnx.Int32), g.full(1+g.IntN(3))...)
	tr := trial{op: op, opset: g.opset, in: []*Array{a}, outputs: 1, attrs: []build.Option{build.Int("axis", g.axis(len(a.Shape))),
		build.Int("keepdims", int64(g.IntN(2)))}}
	if g.opset >= 12 {
		tr.attrs = append(tr.attrs, build.Int("select_last_index", int64(g.IntN(2))))
	}
	return tr
}

func norm(g *gen, op string) trial {
	a := g.array(pick(g, onnx.Float, onnx.Double, onnx.Int32), g.full(1+g.IntN(3))...)
	tr := trial{op: op, opset: g.opset, in: []*Array{a}, outputs: 1, attrs: []build.Option{build.Int("keepdims", int64(g.IntN(2)))}}
	if axes := g.axes(len(a.Shape)); len(axes) > 0 {
		return withAxes(tr, 18, "axes", axes)
	}
	return tr
}

func several(g *gen, op string) trial {
	typ := pick(g, onnx.Float, onnx.Double)
	s := g.full(2)
	tr := trial{op: op, opset: g.opset, in: []*Array{g.array(typ, s...)}, outputs: 1}
	for range g.IntN(3) {
		tr.in = append(tr.in, g.array(typ, g.narrow(s)...))
	}
	return tr
}

// What cannot be written is an error at once, however large the numbers are.
func TestHostileWritingsAreRefused(t *testing.T) {
	f := func(shape ...int) *Array { return Unknown(onnx.Float, shape...) }
	str := func(name, v string) *onnx.Attribute {
		return &onnx.Attribute{Name: name, Type: onnx.AttrString, S: []byte(v)}
	}
	integer := func(name string, v int64) *onnx.Attribute {
		return &onnx.Attribute{Name: name, Type: onnx.AttrInt, I: v}
	}
	list := func(name string, v ...int64) *onnx.Attribute {
		return &onnx.Attribute{Name: name, Type: onnx.AttrInts, Ints: v}
	}
	const huge = 1 << 40
	for _, c := range []struct {
		op    string
		in    []*Array
		attrs []*onnx.Attribute
		want  string
	}{
		{"Pad", []*Array{f(2), vector(huge, 0)}, nil, "a padding of"},
		{"Pad", []*Array{f(2), vector(1)}, nil, "1 numbers of padding for 1 axes"},
		{"Pad", []*Array{f(2), vector(-3, 0)}, nil, "a padding of -3 and 0"},
		{"Pad", []*Array{f(2), vector(1, 1)}, []*onnx.Attribute{str("mode", "mirror")}, `by the mode "mirror"`},
		{"Trilu", []*Array{f(huge, 4)}, nil, "too large"},
		{"Trilu", []*Array{f(4)}, nil, "is no matrix"},
		{"TopK", []*Array{f(1 << 20), vector(3)}, nil, "too many to compare"},
		{"TopK", []*Array{f(4), vector(5)}, nil, "there are no 5 elements"},
		{"OneHot", []*Array{vector(1), vector(huge), f(2)}, nil, "its depth is"},
		{"ArgMax", []*Array{f(1 << 30)}, nil, "too large"},
		{"Einsum", []*Array{f(2, 3)}, []*onnx.Attribute{str("equation", "ij,jk")}, "has 2 terms for 1 inputs"},
		{"Einsum", []*Array{f(2, 3)}, []*onnx.Attribute{str("equation", "i->i")}, "does not fit"},
		{"Einsum", []*Array{f(2, 3)}, []*onnx.Attribute{str("equation", "ii->i")}, "is an axis of 2 and of 3"},
		{"Einsum", []*Array{f(2, 3)}, []*onnx.Attribute{str("equation", "ij->ik")}, "is new"},
		{"Conv", []*Array{f(1, 2, 5), f(3, 4, 1)}, nil, "do not fit"},
		{"Conv", []*Array{f(1, 1, 1<<20), f(1, 1, 1<<10)}, nil, "too many elements"},
		{"Conv", []*Array{f(1, 1, 5), f(1, 1, 3)}, []*onnx.Attribute{list("strides", 0)}, "strides"},
		{"Conv", []*Array{f(1, 1, 5), f(1, 1, 3)}, []*onnx.Attribute{list("dilations", huge)}, "dilations"},
		{"Conv", []*Array{f(1, 1, 5), f(1, 1, 7)}, nil, "does not fit axis 2"},
		{"MaxPool", []*Array{f(1, 1, 5)}, nil, "does not fit"},
		{"AveragePool", []*Array{f(1, 1, 5)}, []*onnx.Attribute{list("kernel_shape", 2), str("auto_pad", "ALWAYS")}, "there is no auto_pad"},
		{"DepthToSpace", []*Array{f(1, 6, 2, 2)}, []*onnx.Attribute{integer("blocksize", 2)}, "do not divide"},
		{"SpaceToDepth", []*Array{f(1, 6, 2, 2)}, []*onnx.Attribute{integer("blocksize", 0)}, "has no blocks"},
		{"GroupNormalization", []*Array{f(1, 6, 2), f(4), f(4)}, []*onnx.Attribute{integer("num_groups", 4)}, "no 4 equal groups"},
		{"BatchNormalization", []*Array{f(1, 2), f(2), f(2), f(2), f(2)}, []*onnx.Attribute{integer("training_mode", 1)}, "training mode"},
		{"ScatterElements", []*Array{f(4), vector(1), f(2)}, nil, "do not fit"},
		{"ScatterElements", []*Array{f(4), vector(4), f(1)}, nil, "outside of axis"},
		{"ScatterND", []*Array{f(4), vector(1, 1), f(1)}, nil, "do not fit"},
		{"GatherND", []*Array{f(4), vector(1, 1)}, nil, "do not fit"},
		{"NonZero", []*Array{f(4)}, nil, errUnknown.Error()},
		{"Compress", []*Array{f(2), typed(onnx.Bool, []int{3}, 1, 1, 1)}, nil, "is longer than"},
	} {
		n := &onnx.Node{OpType: c.op, Attributes: c.attrs, Outputs: []string{"y"}}
		fn, err := Lookup(n, 18)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := fn(Call{Node: n, In: c.in}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %v: %v, %v; want %q", c.op, c.in, out, err, c.want)
		}
	}
}
