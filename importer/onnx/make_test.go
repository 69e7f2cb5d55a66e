package onnx

import (
	"bytes"
	"io"
	"slices"
	"testing"
)

func TestNewTensorHoldsItsElements(t *testing.T) {
	for _, tc := range []struct {
		data any
		typ  DataType
		want []float64
	}{
		{[]float32{1.5, -2}, Float, []float64{1.5, -2}},
		{[]float64{0.1, 2}, Double, []float64{0.1, 2}},
		{[]F16{ToF16(1.5), ToF16(-65504)}, Float16, []float64{1.5, -65504}},
		{[]BF16{ToBF16(1.5), ToBF16(-3)}, Bfloat16, []float64{1.5, -3}},
		{[]int8{-128, 1}, Int8, []float64{-128, 1}},
		{[]int16{-300, 1}, Int16, []float64{-300, 1}},
		{[]int32{-1 << 31, 1}, Int32, []float64{-1 << 31, 1}},
		{[]int64{-1 << 53, 1}, Int64, []float64{-1 << 53, 1}},
		{[]uint8{255, 1}, Uint8, []float64{255, 1}},
		{[]uint16{65535, 1}, Uint16, []float64{65535, 1}},
		{[]uint32{1<<32 - 1, 1}, Uint32, []float64{1<<32 - 1, 1}},
		{[]uint64{1 << 63, 1}, Uint64, []float64{1 << 63, 1}},
		{[]bool{true, false}, Bool, []float64{1, 0}},
	} {
		x, err := NewTensor("x", []int64{2, 1}, tc.data)
		if err != nil {
			t.Fatal(err)
		}
		b, err := (&Model{Graph: &Graph{Initializers: []*Tensor{x}}}).Encode()
		if err != nil {
			t.Fatal(err)
		}
		m, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range []*Tensor{x, m.Graph.Initializer("x")} {
			if got, err := x.Float64s(); err != nil || x.Type != tc.typ || !slices.Equal(got, tc.want) {
				t.Errorf("%T: %v %v, %v; want %v %v", tc.data, x.Type, got, err, tc.typ, tc.want)
			}
			if x.String() != `"x" `+tc.typ.String()+"[2,1]" {
				t.Errorf("String: %s", x)
			}
		}
	}
	s, err := NewTensor("x", nil, []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Strings(); err != nil || !slices.Equal(got, []string{"a"}) {
		t.Errorf("strings: %q, %v", got, err)
	}
	c, err := NewTensor("x", nil, []complex128{1 + 2i})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.Bytes(); err != nil || !bytes.Equal(got, float64bytes(1, 2)) {
		t.Errorf("complex: %x, %v", got, err)
	}
}

func TestNewTensorRefusesWhatDoesNotFit(t *testing.T) {
	for name, err := range map[string]error{
		"too few":           fails(NewTensor("x", []int64{3}, []float32{1, 2})),
		"too many":          fails(NewTensor("x", nil, []int64{1, 2})),
		"strings":           fails(NewTensor("x", []int64{2}, []string{"a"})),
		"negative":          fails(NewTensor("x", []int64{-1}, []float32{})),
		"another type":      fails(NewTensor("x", []int64{1}, []any{1})),
		"no slice":          fails(NewTensor("x", nil, 1)),
		"raw strings":       fails(NewRawTensor("x", String, nil, nil)),
		"lazy unknown type": fails(NewLazyTensor("x", 77, nil, nil)),
		"external length":   fails(NewExternalTensor("x", Float, []int64{2}, External{Location: "w", Length: 4})),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func fails(_ *Tensor, err error) error { return err }

func TestLazyTensorsAreWrittenByTheirWriter(t *testing.T) {
	calls := 0
	x, err := NewLazyTensor("x", Float, []int64{2}, func(w io.Writer) error {
		calls++
		_, err := w.Write(float32bytes(1, 2))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := (&Model{Graph: &Graph{Initializers: []*Tensor{x}}}).Encode()
	if err != nil || calls != 1 {
		t.Fatalf("%d calls, %v; want one", calls, err)
	}
	m, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []*Tensor{x, m.Graph.Initializer("x")} {
		if got, err := x.Float32s(); err != nil || !slices.Equal(got, []float32{1, 2}) {
			t.Errorf("%v, %v", got, err)
		}
	}
}
