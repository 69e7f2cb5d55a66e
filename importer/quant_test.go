package importer_test

import (
	"math"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/internal/testutil"
)

// The quantised forms of one float32 file, made by onnxruntime's tools.
var quantised = []string{"bert.qint8", "bert.quint8-perchannel", "bert.qdq"}

const floatBERT = "onnx/bert/model.opset17.eager.onnx"

// plainly dequantises a tensor of some columns that onnxruntime's tools wrote beside its scale and zero point: one of
// each, or one for each column, or for each row. It returns the scale of each element too.
func plainly(t *testing.T, q *onnx.Model, name string, columns int) (x, scales []float32) {
	t.Helper()
	get := func(suffixes ...string) []float32 {
		for _, s := range suffixes {
			if x := q.Graph.Initializer(name + s); x != nil {
				v, err := x.Float32s()
				if err != nil {
					t.Fatal(err)
				}
				return v
			}
		}
		t.Fatalf("there is no %q", name+suffixes[0])
		return nil
	}
	whole, scale, zero := get("_quantized"), get("_scale", "_quantized_scale"), get("_zero_point", "_quantized_zero_point")
	for i, v := range whole {
		k := i % columns % len(scale)
		if name == "pooler.dense.weight" { // which stands turned, and so has its axis
			k = i / columns % len(scale)
		}
		x, scales = append(x, (v-zero[k])*scale[k]), append(scales, scale[k])
	}
	return x, scales
}

// dequantised is the float32 file with the quantised weights' numbers in place of its own.
func dequantised(t *testing.T, q *onnx.Model) *onnx.Model {
	t.Helper()
	m := fixture(t, strings.Split(floatBERT, "/")...)
	n := 0
	for i, w := range m.Graph.Initializers {
		columns := int(w.Dims[len(w.Dims)-1])
		var x, scales []float32
		switch {
		case q.Graph.Initializer(w.Name+"_quantized") != nil:
			x, scales = plainly(t, q, w.Name, columns)
		case q.Graph.Initializer(w.Name+"_Transposed_quantized") != nil:
			rows := int(w.Dims[0])
			x, scales = plainly(t, q, w.Name+"_Transposed", rows)
			x, scales = turned(x, columns, rows), turned(scales, columns, rows)
		default:
			continue
		}
		own, err := w.Float32s()
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range x { // what it was quantised from
			if math.Abs(float64(v-own[k])) > 0.51*float64(scales[k]) {
				t.Fatalf("%q: element %d is %g, was %g; the scale is %g", w.Name, k, v, own[k], scales[k])
			}
		}
		if m.Graph.Initializers[i], err = onnx.NewTensor(w.Name, w.Dims, x); err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n < 19 {
		t.Fatalf("only %d weights are quantised", n)
	}
	return m
}

// An encoder of quantised weights computes what the float32 graph does with those weights dequantised; what the file
// itself gives is a few percent away where its activations are rounded to 8 bits of their own range, and more where that
// range was fixed by a few sentences.
func TestQuantisedWeightsAreDequantised(t *testing.T) {
	needRuntime(t)
	for _, name := range quantised {
		t.Run(name, func(t *testing.T) {
			m := open(t, "fixtures/onnx-tools/of-fixtures/"+name+".onnx")
			checkLayers(t, m.Encoder, 3)
			x := texts(4, 500, 2, 9, 1, 14)
			agree(t, dequantised(t, m.File.Model), m.Encoder, x)
			d, err := disagreement(m.File.Model, m.Encoder, x)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("the file itself differs by %.2g of the largest number", d)
			if !(d > 1e-4 && d < 0.5) {
				t.Errorf("the file itself differs by %.2g of the largest number", d)
			}
			names := map[string]bool{}
			for _, w := range m.Weights {
				names[w.Name] = true
			}
			f, err := importer.Open(testutil.Shared(t, "fixtures/"+floatBERT))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			for _, w := range f.Weights {
				if !names[w.Name] {
					t.Errorf("no weight is called %q", w.Name)
				}
			}
		})
	}
}
