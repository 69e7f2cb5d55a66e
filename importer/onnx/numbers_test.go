package onnx

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestNumbersAreAPartOfTheElements(t *testing.T) {
	for _, c := range []struct {
		data any
		typ  DataType
	}{
		{[]int8{-128, 3, 0, 127, -1, 5}, Int8}, {[]uint8{255, 3, 0, 127, 1, 5}, Uint8}, {[]int16{-3, 2, 1 << 14, 0, 7, 9}, Int16},
		{[]int32{-1 << 24, 2, 3, 4, 5, 6}, Int32},
	} {
		x, err := NewTensor("x", []int64{6}, c.data)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := x.Float32s()
		if err != nil {
			t.Fatal(err)
		}
		b, err := x.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Numbers(b, c.typ, 2, 3); err != nil || !slices.Equal(got, whole[2:5]) {
			t.Errorf("%v: %v, want %v (%v)", c.typ, got, whole[2:5], err)
		}
		for _, r := range [][2]int{{4, 3}, {-1, 2}, {0, -1}, {math.MaxInt, 1}, {1 << 61, 1}} {
			if _, err := Numbers(b, c.typ, r[0], r[1]); err == nil || !strings.Contains(err.Error(), "run past") {
				t.Errorf("%v: elements %v: %v", c.typ, r, err)
			}
		}
	}
	if got, err := Numbers([]byte{0x8f, 0x71}, Int4, 1, 3); err != nil || !slices.Equal(got, []float32{-8, 1, 7}) {
		t.Errorf("int4: %v, %v", got, err)
	}
	if _, err := Numbers(make([]byte, 8), Float, 0, 2); err == nil {
		t.Error("floats are taken for integers")
	}
}

func TestWriteFloat32sWritesLittleEndianBytes(t *testing.T) {
	var b bytes.Buffer
	if err := WriteFloat32s(&b, []float32{1, -2}); err != nil || !bytes.Equal(b.Bytes(), []byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0}) {
		t.Errorf("% x, %v", b.Bytes(), err)
	}
	if err := WriteFloat32s(&b, nil); err != nil || b.Len() != 8 {
		t.Errorf("%d bytes, %v", b.Len(), err)
	}
}
