package fold

import (
	"testing"

	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/build"
)

// factors are two arrays that MatMul may multiply.
func (g *gen) factors(t onnx.DataType) (a, b *Array) {
	batch, m, k, n := g.shape(), g.dim(), 1+g.IntN(4), g.dim() // for k = 0 onnxruntime leaves some outputs unwritten
	batch = batch[:min(len(batch), 2)]
	sa, sb := append(g.narrow(batch), m, k), append(g.narrow(batch), k, n)
	if g.chance(2) {
		sa = append(append([]int{}, batch...), m, k)
	}
	switch g.IntN(8) {
	case 0:
		sa = []int{k}
	case 1:
		sb = []int{k}
	case 2:
		sb = append(sb[:len(sb)-2], k+g.IntN(2), n)
	}
	return g.array(t, sa...), g.array(t, sb...)
}

// empty tells of factors without elements, of which onnxruntime refuses some that ONNX allows.
func empty(tr trial) bool { return tr.in[0].Size() == 0 || tr.in[1].Size() == 0 }

func TestProductsMatchOnnxruntime(t *testing.T) {
	matchRuntime(t,
		maker{name: "MatMul", make: func(g *gen) trial {
			a, b := g.factors(pick(g, onnx.Float, onnx.Float, onnx.Int64, onnx.Int32, onnx.Double))
			return trial{op: "MatMul", opset: g.opset, in: []*Array{a, b}, outputs: 1}
		}, laxer: empty},
		maker{name: "Gemm", make: func(g *gen) trial {
			m, k, n := g.dim(), g.dim(), g.dim()
			sa, sb, sc := []int{m, k}, []int{k, n}, g.narrow([]int{m, n})
			tr := trial{op: "Gemm", opset: g.opset, outputs: 1}
			if g.chance(2) {
				sa = []int{k, m}
				tr.attrs = append(tr.attrs, build.Int("transA", 1))
			}
			if g.chance(2) {
				sb = []int{n, k}
				tr.attrs = append(tr.attrs, build.Int("transB", 1))
			}
			if k > 0 && g.chance(2) { // onnxruntime forgets beta where there is nothing to multiply
				tr.attrs = append(tr.attrs, build.Float("alpha", 0.5), build.Float("beta", 2))
			}
			if g.chance(10) {
				sc = g.shape()
			}
			if g.chance(10) {
				sb = g.shape()
			}
			typ := pick(g, onnx.Float, onnx.Double)
			tr.in = []*Array{g.array(typ, sa...), g.array(typ, sb...)}
			if !g.chance(3) {
				tr.in = append(tr.in, g.array(typ, sc...))
			}
			return tr
		}},
		maker{name: "FusedMatMul", make: func(g *gen) trial {
			a, b := g.factors(onnx.Float)
			tr := trial{op: "FusedMatMul", domain: "com.microsoft", opset: g.opset, in: []*Array{a, b}, outputs: 1}
			tr.attrs = append(tr.attrs, build.Float("alpha", 0.125))
			for i, name := range []string{"transA", "transB"} {
				s := tr.in[i].Shape
				if n := len(s); n > 1 && len(tr.in[1-i].Shape) > 1 && g.chance(2) {
					s[n-1], s[n-2] = s[n-2], s[n-1]
					tr.attrs = append(tr.attrs, build.Int(name, 1))
				}
			}
			return tr
		}, laxer: empty},
		maker{name: "FusedGemm", make: func(g *gen) trial {
			m, k, n := g.dim(), g.dim(), g.dim()
			tr := trial{op: "FusedGemm", domain: "com.microsoft", opset: g.opset, outputs: 1}
			tr.in = []*Array{g.array(onnx.Float, m, k), g.array(onnx.Float, k, n), g.array(onnx.Float, n)}
			tr.attrs = []build.Option{build.String("activation", "Relu")}
			return tr
		}},
	)
}

func TestNormalisationsMatchOnnxruntime(t *testing.T) {
	soft := func(name string) maker {
		return maker{name: name, make: func(g *gen) trial {
			a := g.array(pick(g, onnx.Float, onnx.Double), g.ranked()...)
			tr := trial{op: name, opset: g.opset, in: []*Array{a}, outputs: 1}
			if !g.chance(3) {
				tr.attrs = append(tr.attrs, build.Int("axis", int64(g.IntN(2*len(a.Shape)+2)-len(a.Shape))))
			}
			return tr
		}}
	}
	matchRuntime(t, soft("Softmax"), soft("LogSoftmax"),
		maker{name: "LayerNormalization", opsets: []int64{11, 14, 17, 18, 20, 21}, make: func(g *gen) trial {
			a := g.array(pick(g, onnx.Float, onnx.Double), g.ranked()...)
			k := g.axis(len(a.Shape))
			from := (int(k) + len(a.Shape)) % len(a.Shape)
			tr := trial{op: "LayerNormalization", opset: g.opset, attrs: []build.Option{build.Int("axis", k)}, outputs: 1}
			tr.in = []*Array{a, g.array(a.Type, a.Shape[from:]...), g.array(a.Type, a.Shape[from:]...)}
			if g.chance(3) {
				tr.in = tr.in[:2]
			}
			if g.chance(2) && a.Type == onnx.Float {
				tr.outputs = 1 + g.IntN(3)
			}
			return tr
		}})
}

func TestActivationsMatchOnnxruntime(t *testing.T) {
	matchRuntime(t,
		maker{name: "Gelu", opsets: []int64{20, 21}, make: func(g *gen) trial {
			tr := trial{op: "Gelu", opset: g.opset, in: []*Array{g.special(g.array(onnx.Float, g.shape()...))}, outputs: 1}
			if !g.chance(3) {
				tr.attrs = append(tr.attrs, build.String("approximate", pick(g, "none", "tanh", "quick")))
			}
			return tr
		}},
		maker{name: "com.microsoft.Gelu", make: func(g *gen) trial {
			return trial{op: "Gelu", domain: "com.microsoft", opset: g.opset, in: []*Array{g.array(onnx.Float, g.shape()...)},
				outputs: 1}
		}},
		maker{name: "QuickGelu", make: func(g *gen) trial {
			tr := trial{op: "QuickGelu", domain: "com.microsoft", opset: g.opset,
				in: []*Array{g.array(onnx.Float, g.shape()...)}, outputs: 1}
			if g.chance(2) {
				tr.attrs = append(tr.attrs, build.Float("alpha", 1))
			}
			return tr
		}},
		maker{name: "BiasGelu", make: func(g *gen) trial {
			a := g.array(onnx.Float, g.ranked()...)
			in := []*Array{a, g.array(onnx.Float, a.Shape[len(a.Shape)-1]+b2int(g.chance(9)))}
			return trial{op: "BiasGelu", domain: "com.microsoft", opset: g.opset, in: in, outputs: 1}
		}, laxer: func(tr trial) bool { return tr.in[0].Size() == 0 }},
		maker{name: "FastGelu", make: func(g *gen) trial {
			a := g.array(onnx.Float, g.ranked()...)
			in := []*Array{a, g.array(onnx.Float, a.Shape[len(a.Shape)-1])}
			return trial{op: "FastGelu", domain: "com.microsoft", opset: g.opset, in: in[:1+g.IntN(2)], outputs: 1}
		}, laxer: func(tr trial) bool { return tr.in[0].Size() == 0 }},
	)
}

func b2int(b bool) int { return int(b2i(b)) }
