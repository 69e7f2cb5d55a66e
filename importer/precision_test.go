package importer_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/export/ort"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// in is the small random encoder with weights, constants and activations of another floating-point type.
func in(t *testing.T, typ onnx.DataType) *onnx.Model {
	t.Helper()
	m := encoder(t, 17)
	convert := func(at **onnx.Tensor) {
		if (*at).Type != onnx.Float {
			return
		}
		x, err := (*at).Float32s()
		if err != nil {
			t.Fatal(err)
		}
		var data any
		switch typ {
		case onnx.Float16:
			var h []onnx.F16
			for _, v := range x {
				h = append(h, onnx.ToF16(max(v, -65504)))
			}
			data = h
		case onnx.Bfloat16:
			var h []onnx.BF16
			for _, v := range x {
				h = append(h, onnx.ToBF16(max(v, -3.38e38)))
			}
			data = h
		default:
			var d []float64
			for _, v := range x {
				d = append(d, float64(v))
			}
			data = d
		}
		if *at, err = onnx.NewTensor((*at).Name, (*at).Dims, data); err != nil {
			t.Fatal(err)
		}
	}
	for i := range m.Graph.Initializers {
		convert(&m.Graph.Initializers[i])
	}
	for _, n := range m.Graph.Nodes {
		if a := n.Attribute("value"); n.OpType == "Constant" && a.T != nil {
			convert(&a.T)
		}
		if a := n.Attribute("to"); n.OpType == "Cast" && a.I == int64(onnx.Float) {
			a.I = int64(typ)
		}
	}
	m.Graph.ValueInfo = nil
	for _, o := range m.Graph.Outputs {
		o.Type.Tensor.Elem = typ
	}
	return m
}

// outputsAsFloats casts a model's outputs to float32.
func outputsAsFloats(m *onnx.Model) {
	for _, o := range m.Graph.Outputs {
		if o.Type.Tensor.Elem == onnx.Float {
			continue
		}
		o.Type.Tensor.Elem = onnx.Float
		inner := o.Name + " of the file"
		for _, n := range m.Graph.Nodes {
			for _, names := range [][]string{n.Inputs, n.Outputs} {
				for i, name := range names {
					if name == o.Name {
						names[i] = inner
					}
				}
			}
		}
		m.Graph.Nodes = append(m.Graph.Nodes, &onnx.Node{OpType: "Cast", Name: inner, Inputs: []string{inner}, Outputs: []string{o.Name},
			Attributes: []*onnx.Attribute{intAttr("to", int64(onnx.Float))}})
	}
}

// Whatever a file computes in, our networks compute in float32 with its weights: as the float32 graph with those does,
// but for the constants between, which half precision has to 2⁻¹¹ and bfloat16 to 2⁻⁸.
func TestOtherPrecisions(t *testing.T) {
	for _, c := range []struct {
		typ   onnx.DataType
		bound float64
	}{{onnx.Float16, 1e-3}, {onnx.Bfloat16, 1e-2}, {onnx.Double, 1e-4}} {
		t.Run(c.typ.String(), func(t *testing.T) {
			m := in(t, c.typ)
			e := recognise(t, m)
			if len(e.Layers) != 2 || len(e.Outputs) != 2 {
				t.Fatalf("%d layers and %d outputs", len(e.Layers), len(e.Outputs))
			}
			checkLayers(t, e, 2)
			if e.Types[e.Ops[e.Hidden[1]].Where().Output] != c.typ {
				t.Errorf("the types are %v", e.Types)
			}
			for _, w := range e.Weights {
				a, err := w.Float32s()
				if err != nil {
					t.Fatal(err)
				}
				if b, _ := w.Float32s(); &a[0] != &b[0] {
					t.Fatalf("%q is converted twice", w.Name)
				}
			}
			outputsAsFloats(m)
			cast := recognise(t, m)
			if len(cast.Ops) != len(e.Ops) || len(cast.Outputs) != 2 {
				t.Errorf("with float32 outputs it has %d operations, without %d", len(cast.Ops), len(e.Ops))
			}
			needRuntime(t)
			plain := encoder(t, 17)
			for i, w := range plain.Graph.Initializers {
				x, err := m.Graph.Initializers[i].Float32s()
				if err != nil {
					t.Fatal(err)
				}
				if plain.Graph.Initializers[i], err = onnx.NewTensor(w.Name, w.Dims, x); err != nil {
					t.Fatal(err)
				}
			}
			d, err := disagreement(plain, cast, texts(3, small.VocabSize, 2, 7, 1, 16, 5))
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("it differs by %.2g of the largest number", d)
			if !(d <= c.bound) {
				t.Errorf("it differs by %.2g of the largest number", d)
			}
		})
	}
}

// The converted fixtures hold the float32 file's weights, rounded.
func TestFloat16Fixtures(t *testing.T) {
	for _, name := range []string{"bert.fp16", "bert.fp16-io32"} {
		t.Run(name, func(t *testing.T) {
			q := fixture(t, "onnx-tools", "of-fixtures", name+".onnx")
			e := recognise(t, q)
			checkLayers(t, e, 3)
			m := fixture(t, strings.Split(floatBERT, "/")...)
			for i, w := range m.Graph.Initializers {
				x, err := q.Graph.Initializer(w.Name).Float32s()
				if err != nil {
					t.Fatal(err)
				}
				own, err := w.Float32s()
				if err != nil {
					t.Fatal(err)
				}
				if d := largest(x, own); d > 1e-2*math.Abs(largest(own, make([]float32, len(own)))) {
					t.Fatalf("%q differs by %g", w.Name, d)
				}
				if m.Graph.Initializers[i], err = onnx.NewTensor(w.Name, w.Dims, x); err != nil {
					t.Fatal(err)
				}
			}
			needRuntime(t)
			x := texts(4, 500, 2, 9, 1, 14)
			d, err := disagreement(m, e, x) // but for the scale, 1/√8, which the file rounds too
			if err != nil || !(d <= 1e-3) {
				t.Errorf("it differs from the float32 graph of its weights by %.2g (%v)", d, err)
			}
			outputsAsFloats(q)
			file, err := disagreement(q, recognise(t, q), x)
			if err != nil || !(file <= 2e-2) {
				t.Errorf("it differs from the file by %.2g (%v)", file, err)
			}
			t.Logf("it differs from the float32 graph of its weights by %.2g, from the file itself by %.2g", d, file)
		})
	}
}

// T5's buckets, log(distance/8)/log(16)·8 cut to an integer, have edges at powers of two, where half precision decides:
// onnxruntime computes them in float32 of the file's rounded constants, so that 16 is in bucket 1, rounded at each
// operator it would be in 2.
func TestBucketsInHalfPrecisionAreOnnxruntimes(t *testing.T) {
	const n = 70
	for _, typ := range []onnx.DataType{onnx.Float16, onnx.Float} {
		m := alone(t, 17, func(e *editor, _ string) []string {
			constant := func(x float32) string { return e.to(typ, e.float(x)) }
			if typ == onnx.Float16 {
				constant = func(x float32) string { return e.tensor(nil, []onnx.F16{onnx.ToF16(x)}) }
			}
			length := e.add("Gather", []string{e.add("Shape", []string{"input_ids"}), e.int(1)})
			at := e.add("Div", []string{e.to(typ, e.add("Range", []string{e.int(1), length, e.int(1)})), constant(8)})
			log := e.add("Div", []string{e.add("Log", []string{at}), constant(float32(math.Log(16)))})
			return []string{e.to(onnx.Float, e.to(onnx.Int64, e.add("Mul", []string{log, constant(8)})))}
		})
		nodes, err := importer.NewNodewise(m)
		if err != nil {
			t.Fatal(err)
		}
		ids := fold.Unknown(onnx.Int64, 1, n)
		p, err := nodes.Program(map[string]*fold.Array{"input_ids": ids, "attention_mask": ids})
		if err != nil {
			t.Fatal(err)
		}
		got := p.Outputs[0].Array
		if !got.Known() || got.Size() != n-1 || got.At(16-1) != 1 && typ == onnx.Float16 || got.At(15-1) != 1 || got.At(40-1) != 4 {
			t.Fatalf("%v: the buckets are %v %v", typ, got, got.Floats)
		}
		t.Run(typ.String(), func(t *testing.T) {
			needRuntime(t)
			s, err := ort.Open(m, ort.Options{Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			out, err := s.Run(context.Background(), ort.Pad([][]int32{make([]int32, n)}, nil, 0), nil)
			if err != nil {
				t.Fatal(err)
			}
			for i, x := range out[m.Graph.Outputs[0].Name].Data {
				if float64(x) != got.At(i) {
					t.Errorf("distance %d is in bucket %g, in onnxruntime in %g", i+1, got.At(i), x)
				}
			}
		})
	}
}
