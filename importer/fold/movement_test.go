package fold

import (
	"math"
	"slices"
	"testing"

	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/build"
)

// indices are an int64 or, now and then, int32 vector.
func (g *gen) indices(x ...int64) *Array {
	a := vector(x...)
	if g.chance(4) {
		a.Type = onnx.Int32
	}
	return a
}

// withAxes passes axes as an attribute before opset since, and as an input from it on.
func withAxes(tr trial, since int64, name string, x []int64) trial {
	if tr.opset < since {
		tr.attrs = append(tr.attrs, build.Ints(name, x...))
	} else {
		tr.in = append(tr.in, vector(x...))
	}
	return tr
}

func TestReshapesMatchOnnxruntime(t *testing.T) {
	matchRuntime(t,
		maker{name: "Reshape", make: func(g *gen) trial {
			a := g.array(pick(g, every...), g.shape()...)
			want := []int64{}
			rest := a.Size()
			for rest > 1 && len(want) < 4 {
				for d := rest; d > 0; d-- {
					if rest%d == 0 && g.chance(2) {
						want, rest = append(want, int64(d)), rest/d
						break
					}
				}
			}
			if rest > 1 || len(want) == 0 && g.chance(2) {
				want = append(want, int64(rest))
			}
			for i := range want {
				switch {
				case g.chance(5):
					want[i] = -1
				case g.chance(8):
					want[i] = 0
				case g.chance(20):
					want[i] = pick(g, int64(7), -2)
				}
			}
			tr := trial{op: "Reshape", opset: g.opset, in: []*Array{a, vector(want...)}, outputs: 1}
			if g.opset >= 14 && g.chance(3) {
				tr.attrs = append(tr.attrs, build.Int("allowzero", int64(g.IntN(2))))
			}
			return tr
		}, stricter: func(tr trial) bool { return zeroAndRest(tr) }},
		maker{name: "Flatten", make: func(g *gen) trial {
			a := g.array(pick(g, floats...), g.shape()...)
			tr := trial{op: "Flatten", opset: g.opset, in: []*Array{a}, outputs: 1}
			if !g.chance(4) {
				tr.attrs = append(tr.attrs, build.Int("axis", int64(g.IntN(2*len(a.Shape)+3)-len(a.Shape)-1)))
			}
			return tr
		}},
		maker{name: "Transpose", make: func(g *gen) trial {
			a := g.array(pick(g, every...), g.shape()...)
			tr := trial{op: "Transpose", opset: g.opset, in: []*Array{a}, outputs: 1}
			if !g.chance(4) {
				var perm []int64
				for _, k := range g.Perm(len(a.Shape)) {
					perm = append(perm, int64(k))
				}
				if g.chance(8) && len(perm) > 0 {
					perm[0] = pick(g, -1, perm[len(perm)-1], 4)
				}
				tr.attrs = append(tr.attrs, build.Ints("perm", perm...))
			}
			return tr
		}, laxer: func(tr trial) bool { return len(tr.in[0].Shape) == 0 }},
		maker{name: "Squeeze", make: func(g *gen) trial {
			s := g.shape()
			var ones []int64
			for i := range s {
				if g.chance(2) {
					s[i] = 1
					x := int64(i)
					if g.chance(2) {
						x -= int64(len(s))
					}
					ones = append(ones, x)
				}
			}
			tr := trial{op: "Squeeze", opset: g.opset, in: []*Array{g.array(pick(g, every...), s...)}, outputs: 1}
			if g.chance(3) {
				return tr
			}
			if g.chance(10) {
				ones = append(ones, int64(g.IntN(8)-4))
			}
			return withAxes(tr, 13, "axes", ones)
		}},
		maker{name: "Unsqueeze", make: func(g *gen) trial {
			s := g.shape()
			n := g.IntN(4)
			var axes []int64
			for _, k := range g.Perm(len(s) + n)[:n] {
				x := int64(k)
				if g.chance(2) {
					x -= int64(len(s) + n)
				}
				axes = append(axes, x)
			}
			if g.chance(10) {
				axes = append(axes, int64(g.IntN(8)-4))
			}
			return withAxes(trial{op: "Unsqueeze", opset: g.opset, in: []*Array{g.array(pick(g, every...), s...)},
				outputs: 1}, 13, "axes", axes)
		}},
	)
}

// zeroAndRest tells of reshapes of empty arrays with −1, which ONNX leaves open.
func zeroAndRest(tr trial) bool { return tr.in[0].Size() == 0 && slices.Contains(tr.in[1].Ints, -1) }

func TestJoinsAndExpansionsMatchOnnxruntime(t *testing.T) {
	matchRuntime(t,
		maker{name: "Expand", make: func(g *gen) trial {
			s := g.shape()
			a, want := g.array(pick(g, every...), g.narrow(s)...), []int64{}
			for _, d := range s {
				if g.chance(4) {
					d = 1
				}
				want = append(want, int64(d))
			}
			if g.chance(10) {
				want = append(want, int64(g.IntN(5)-1))
			}
			return trial{op: "Expand", opset: g.opset, in: []*Array{a, vector(want...)}, outputs: 1}
		}},
		maker{name: "Tile", make: func(g *gen) trial {
			a, reps := g.array(pick(g, every...), g.shape()...), []int64{}
			for range a.Shape {
				reps = append(reps, int64(g.IntN(4)))
			}
			if g.chance(12) {
				reps = append(reps, 1)
			}
			return trial{op: "Tile", opset: g.opset, in: []*Array{a, vector(reps...)}, outputs: 1}
		}},
		maker{name: "Concat", make: func(g *gen) trial {
			typ, s := pick(g, every...), g.ranked()
			k := g.axis(len(s))
			tr := trial{op: "Concat", opset: g.opset, attrs: []build.Option{build.Int("axis", k)}, outputs: 1}
			for range 1 + g.IntN(4) {
				x := slices.Clone(s)
				x[(int(k)+len(s))%len(s)] = g.dim()
				if g.chance(25) {
					x[0]++
				}
				tr.in = append(tr.in, g.array(typ, x...))
			}
			return tr
		}},
	)
}

func TestSlicesMatchOnnxruntime(t *testing.T) {
	bound := func(g *gen) int64 {
		return pick(g, int64(g.IntN(13))-6, int64(g.IntN(13))-6, int64(g.IntN(13))-6, math.MaxInt64, math.MinInt64,
			math.MaxInt64-1, math.MaxInt32)
	}
	matchRuntime(t,
		maker{name: "Slice", opsets: []int64{9, 10, 11, 13, 17, 20}, make: func(g *gen) trial {
			a := g.array(pick(g, every...), g.ranked()...)
			axes := g.axes(len(a.Shape))
			if g.opset < 11 {
				for i, x := range axes {
					axes[i] = (x + int64(len(a.Shape))) % int64(len(a.Shape))
				}
			}
			var starts, ends, steps []int64
			for range axes {
				starts, ends = append(starts, bound(g)), append(ends, bound(g))
				steps = append(steps, pick(g, int64(1), 1, 2, 3, -1, -2, math.MaxInt64, math.MinInt64, -7))
			}
			if g.chance(12) {
				axes = append(axes, 9)
			}
			if g.opset < 10 {
				tr := trial{op: "Slice", opset: g.opset, in: []*Array{a}, outputs: 1}
				tr.attrs = []build.Option{build.Ints("starts", starts...), build.Ints("ends", ends...), build.Ints("axes", axes...)}
				return tr
			}
			in := []*Array{a, g.indices(starts...), g.indices(ends...), g.indices(axes...), g.indices(steps...)}
			for i := range in[2:] {
				in[i+2].Type = in[1].Type
			}
			if in[1].Type == onnx.Int32 {
				for _, x := range in[1:] {
					for i, v := range x.Ints {
						x.Ints[i] = min(max(v, math.MinInt32), math.MaxInt32)
					}
				}
			}
			switch g.IntN(6) {
			case 0:
				in = in[:4]
			case 1:
				in = in[:3]
			case 2:
				in[3] = nil
			}
			return trial{op: "Slice", opset: g.opset, in: in, outputs: 1}
		}},
		maker{name: "Split", opsets: []int64{11, 12, 13, 17, 18, 20}, make: func(g *gen) trial {
			a := g.array(pick(g, every...), g.ranked()...)
			k := g.axis(len(a.Shape))
			d := a.Shape[(int(k)+len(a.Shape))%len(a.Shape)]
			tr := trial{op: "Split", opset: g.opset, in: []*Array{a}, attrs: []build.Option{build.Int("axis", k)},
				outputs: 1 + g.IntN(4)}
			if g.chance(2) {
				if g.opset >= 18 {
					tr.attrs = append(tr.attrs, build.Int("num_outputs", int64(tr.outputs)))
				}
				return tr
			}
			var sizes []int64
			left := d
			for i := range tr.outputs {
				n := g.IntN(left + 1)
				if i == tr.outputs-1 && !g.chance(12) {
					n = left
				}
				sizes, left = append(sizes, int64(n)), left-n
			}
			return withAxes(tr, 13, "split", sizes)
		}},
	)
}

func TestGathersMatchOnnxruntime(t *testing.T) {
	index := func(g *gen, d int, shape ...int) *Array {
		x := g.array(pick(g, onnx.Int64, onnx.Int32), shape...)
		for i := range x.Ints {
			x.Ints[i] = int64(g.IntN(2*max(d, 1)) - max(d, 1))
			if g.chance(60) {
				x.Ints[i] = int64(d)
			}
		}
		return x
	}
	matchRuntime(t,
		maker{name: "Gather", make: func(g *gen) trial {
			a := g.array(pick(g, every...), g.ranked()...)
			k := g.axis(len(a.Shape))
			tr := trial{op: "Gather", opset: g.opset, in: []*Array{a, nil}, outputs: 1}
			if g.chance(3) {
				k = 0
			} else {
				tr.attrs = append(tr.attrs, build.Int("axis", k))
			}
			tr.in[1] = index(g, a.Shape[(int(k)+len(a.Shape))%len(a.Shape)], g.shape()...)
			return tr
		}},
		maker{name: "GatherElements", make: func(g *gen) trial {
			a := g.array(pick(g, every...), g.ranked()...)
			k := g.axis(len(a.Shape))
			i := (int(k) + len(a.Shape)) % len(a.Shape)
			s := slices.Clone(a.Shape)
			for d := range s {
				s[d] = g.IntN(s[d] + 1)
			}
			s[i] = g.dim()
			return trial{op: "GatherElements", opset: g.opset, in: []*Array{a, index(g, a.Shape[i], s...)},
				attrs: []build.Option{build.Int("axis", k)}, outputs: 1}
		}},
	)
}
