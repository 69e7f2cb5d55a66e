package onnx

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// decodeTensor decodes a model with one initialiser.
func decodeTensor(tb testing.TB, tensor msg) *Tensor {
	tb.Helper()
	m, err := Decode(inGraph(tensor))
	if err != nil {
		tb.Fatal(err)
	}
	return m.Graph.Initializers[0]
}

// header is a tensor's type and shape.
func header(typ DataType, dims ...int64) msg {
	m := msg(nil)
	for _, d := range dims {
		m = m.varint(1, uint64(d))
	}
	return m.varint(2, uint64(typ))
}

func varints(v ...int64) []byte {
	var b []byte
	for _, x := range v {
		b = protowire.AppendVarint(b, uint64(x))
	}
	return b
}

func float32bytes(v ...float32) []byte {
	b, _ := binary.Append(nil, binary.LittleEndian, v)
	return b
}

func float64bytes(v ...float64) []byte {
	b, _ := binary.Append(nil, binary.LittleEndian, v)
	return b
}

func TestTensorElementsOfEveryType(t *testing.T) {
	for name, tc := range map[string]struct {
		tensor msg
		bytes  []byte
		floats []float64
		ints   bool // Int64s gives the same numbers
	}{
		"float raw": {
			header(Float, 2).bytes(9, float32bytes(1.5, -2)), float32bytes(1.5, -2), []float64{1.5, -2}, false,
		},
		"float typed": {
			header(Float, 2).bytes(4, float32bytes(1.5, -2)), float32bytes(1.5, -2), []float64{1.5, -2}, false,
		},
		"float in pieces": {
			header(Float, 2).bytes(4, float32bytes(1)).fixed32(4, 0x40000000), float32bytes(1, 2), []float64{1, 2},
			false,
		},
		"double raw": {header(Double, 1).bytes(9, float64bytes(0.1)), float64bytes(0.1), []float64{0.1}, false},
		"double typed": {
			header(Double, 2).bytes(10, float64bytes(0.1, 7)), float64bytes(0.1, 7), []float64{0.1, 7}, false,
		},
		"scalar": {
			header(Int64).bytes(7, varints(-3)), []byte{0xfd, 255, 255, 255, 255, 255, 255, 255}, []float64{-3},
			true,
		},
		"int64 raw": {
			header(Int64, 1).bytes(9, []byte{1, 0, 0, 0, 0, 0, 0, 0x80}), nil, []float64{math.MinInt64 + 1}, true,
		},
		"int32 typed": {
			header(Int32, 2).bytes(5, varints(-1, 1<<31-1)), []byte{255, 255, 255, 255, 255, 255, 255, 127},
			[]float64{-1, 1<<31 - 1}, true,
		},
		"int32 short": {
			header(Int32, 1).bytes(5, varints(0xffffffff)), []byte{255, 255, 255, 255}, []float64{-1}, true,
		},
		"int16 typed": {
			header(Int16, 2).bytes(5, varints(-32768, 258)), []byte{0, 0x80, 2, 1}, []float64{-32768, 258}, true,
		},
		"int16 raw": {header(Int16, 1).bytes(9, []byte{0xfe, 0xff}), nil, []float64{-2}, true},
		"int8 typed": {
			header(Int8, 2).bytes(5, varints(-128, 127)), []byte{0x80, 0x7f}, []float64{-128, 127}, true,
		},
		"int8 as unsigned": {header(Int8, 1).bytes(5, varints(255)), []byte{0xff}, []float64{-1}, true},
		"uint8 raw":        {header(Uint8, 2).bytes(9, []byte{0, 255}), nil, []float64{0, 255}, true},
		"uint16 typed":     {header(Uint16, 1).bytes(5, varints(65535)), []byte{255, 255}, []float64{65535}, true},
		"uint32 typed": {
			header(Uint32, 1).bytes(11, varints(1<<32-1)), []byte{255, 255, 255, 255}, []float64{1<<32 - 1}, true,
		},
		"uint64 typed":   {header(Uint64, 2).bytes(11, varints(1, 1<<62)), nil, []float64{1, 1 << 62}, true},
		"bool typed":     {header(Bool, 3).bytes(5, varints(0, 1, 2)), []byte{0, 1, 1}, []float64{0, 1, 1}, true},
		"bool raw":       {header(Bool, 2).bytes(9, []byte{0, 1}), nil, []float64{0, 1}, true},
		"float16 raw":    {header(Float16, 2).bytes(9, []byte{0, 0x3c, 1, 0}), nil, []float64{1, 0x1p-24}, false},
		"float16 typed":  {header(Float16, 1).bytes(5, varints(0xfbff)), []byte{0xff, 0xfb}, []float64{-65504}, false},
		"bfloat16 typed": {header(Bfloat16, 1).bytes(5, varints(0x3fc0)), []byte{0xc0, 0x3f}, []float64{1.5}, false},
		"float8e4m3fn": {
			header(Float8E4M3FN, 4).bytes(9, []byte{0x7e, 0x01, 0xb8, 0x38}), nil, []float64{448, 0x1p-9, -1, 1},
			false,
		},
		"float8e4m3fnuz": {
			header(Float8E4M3FNUZ, 3).bytes(9, []byte{0x7f, 0x01, 0x40}), nil, []float64{240, 0x1p-10, 1}, false,
		},
		"float8e5m2": {
			header(Float8E5M2, 4).bytes(9, []byte{0x7b, 0x01, 0x3c, 0xfc}), nil,
			[]float64{57344, 0x1p-16, 1, math.Inf(-1)}, false,
		},
		"float8e5m2fnuz": {
			header(Float8E5M2FNUZ, 3).bytes(5, varints(0x7f, 0x01, 0x40)), nil, []float64{57344, 0x1p-17, 1}, false,
		},
		"float8e8m0": {
			header(Float8E8M0, 3).bytes(9, []byte{0, 127, 254}), nil, []float64{0x1p-127, 1, 0x1p127}, false,
		},
		"uint4":      {header(Uint4, 3).bytes(9, []byte{0xf1, 0x02}), nil, []float64{1, 15, 2}, true},
		"int4":       {header(Int4, 3).bytes(9, []byte{0xf1, 0x08}), nil, []float64{1, -1, -8}, true},
		"int4 typed": {header(Int4, 3).bytes(5, varints(0xf1, 8)), []byte{0xf1, 0x08}, []float64{1, -1, -8}, true},
		"uint2":      {header(Uint2, 5).bytes(9, []byte{0b11_10_01_00, 2}), nil, []float64{0, 1, 2, 3, 2}, true},
		"int2":       {header(Int2, 4).bytes(5, varints(0b11_10_01_00)), nil, []float64{0, 1, -2, -1}, true},
		"float4e2m1": {header(Float4E2M1, 4).bytes(9, []byte{0x17, 0x9a}), nil, []float64{6, 0.5, -1, -0.5}, false},
		"float6e2m3": {
			header(Float6E2M3, 5).bytes(9, []byte{0x1f | 0x01<<6, 0x0<<4 | 0x01>>2, 0x3f << 2, 8}), nil,
			[]float64{7.5, 0.125, 0, -7.5, 1}, false,
		},
		"float6e2m3 typed": {
			header(Float6E2M3, 5).bytes(5, varints(0x1f, 1, 0, 0x3f, 8)), []byte{0x5f, 0, 0xfc, 8},
			[]float64{7.5, 0.125, 0, -7.5, 1}, false,
		},
		"float6e3m2": {
			header(Float6E3M2, 2).bytes(9, []byte{0x1f | 0x01<<6, 0}), nil, []float64{28, 0.0625}, false,
		},
		"empty":          {header(Float, 3, 0), []byte{}, []float64{}, false},
		"empty and huge": {header(Float, 1<<62, 0, 1<<62).bytes(9, nil), []byte{}, []float64{}, false},
		"empty integers": {header(Int64, 0), []byte{}, []float64{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			x := decodeTensor(t, tc.tensor)
			raw, err := x.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			if tc.bytes != nil && !bytes.Equal(raw, tc.bytes) {
				t.Errorf("Bytes: %x, want %x", raw, tc.bytes)
			}
			f64, err := x.Float64s()
			if err != nil || !slices.Equal(f64, tc.floats) {
				t.Errorf("Float64s: %v, %v; want %v", f64, err, tc.floats)
			}
			f32, err := x.Float32s()
			if err != nil || len(f32) != len(tc.floats) {
				t.Fatalf("Float32s: %v, %v; want %v", f32, err, tc.floats)
			}
			for i := range f32 {
				if f32[i] != float32(tc.floats[i]) {
					t.Errorf("Float32s[%d] = %v, want %v", i, f32[i], tc.floats[i])
				}
			}
			ints, err := x.Int64s()
			if !tc.ints {
				if err == nil {
					t.Errorf("Int64s of %v gave %v, want an error", x.Type, ints)
				}
				return
			}
			if err != nil || len(ints) != len(tc.floats) {
				t.Fatalf("Int64s: %v, %v; want %v", ints, err, tc.floats)
			}
			for i := range ints {
				if float64(ints[i]) != tc.floats[i] {
					t.Errorf("Int64s[%d] = %v, want %v", i, ints[i], tc.floats[i])
				}
			}
		})
	}
}

func TestTensorRefusesWhatDoesNotFit(t *testing.T) {
	for name, tc := range map[string]struct {
		tensor msg
		want   string
	}{
		"no data":             {header(Float, 1000, 1000, 1000), "it has no data"},
		"more than memory":    {header(Float, 1<<40, 1<<16), "it has no data"},
		"more than int":       {header(Float, 1<<40, 1<<40), "more elements than an address space"},
		"more bytes than int": {header(Float, 1<<61), "more bytes than an address space"},
		"negative dimension":  {header(Float, 2, -1), "dimension 1 is -1"},
		"raw too short":       {header(Float, 2).bytes(9, make([]byte, 7)), "raw_data has 7 bytes, want 8"},
		"raw too long":        {header(Int4, 2).bytes(9, make([]byte, 2)), "raw_data has 2 bytes, want 1"},
		"typed too short":     {header(Float, 2).bytes(4, make([]byte, 4)), "float_data has 4 bytes, want 8"},
		"huge but few integers": {
			header(Int64, 1<<55).bytes(7, varints(1, 2)), "int64_data has 2 entries, want 36028797018963968",
		},
		"typed field of another type": {
			header(Int64, 1).bytes(5, varints(1)), "int64_data has 0 entries, want 1",
		},
		"uint8 out of range": {header(Uint8, 1).bytes(5, varints(256)), "int32_data[0] = 256 does not fit uint8"},
		"int8 out of range":  {header(Int8, 2).bytes(5, varints(0, -129)), "int32_data[1] = -129 does not fit int8"},
		"uint32 out of range": {
			header(Uint32, 1).bytes(11, varints(1<<32)), "uint64_data[0] = 4294967296 does not fit uint32",
		},
		"6 bits out of range": {
			header(Float6E2M3, 1).bytes(5, varints(64)), "int32_data[0] = 64 does not fit float6e2m3",
		},
		"unknown type": {header(77, 1).bytes(9, []byte{1}), "elements of type data type 77 have no raw bytes"},
		"strings":      {header(String, 1).text(6, "x"), "elements of type string have no raw bytes"},
		"segment": {
			header(Float, 1).bytes(3, nil).bytes(9, make([]byte, 4)), "segments of tensors are not supported",
		},
		"external, no file": {
			header(Float, 1).bytes(13, msg(nil).text(1, "location").text(2, "x")).varint(14, 1),
			"the model was not opened from a file",
		},
		"external, bad offset": {
			header(Float, 1).bytes(13, msg(nil).text(1, "offset").text(2, "x")).varint(14, 1),
			`offset is "x", not a number of bytes`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := decodeTensor(t, tc.tensor.text(8, "w"))
			for accessor, get := range map[string]func() error{
				"Bytes":    func() error { _, err := x.Bytes(); return err },
				"Float32s": func() error { _, err := x.Float32s(); return err },
				"Float64s": func() error { _, err := x.Float64s(); return err },
			} {
				err := get()
				if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.HasPrefix(err.Error(), `tensor "w" `) {
					t.Errorf("%s: %v, want an error of tensor \"w\" with %q", accessor, err, tc.want)
				}
			}
			if _, ok := x.Location(); ok {
				t.Error("Location of elements that cannot be read")
			}
			if n := testing.AllocsPerRun(1, func() { _, _ = x.Bytes() }); n > 50 {
				t.Errorf("%v allocations for an error", n)
			}
		})
	}
	long := decodeTensor(t, header(Float, make([]int64, 10_000)...).text(8, strings.Repeat("x", 1<<20)).bytes(9, []byte{1}))
	if _, err := long.Bytes(); err == nil || len(err.Error()) > 1000 {
		t.Errorf("an error of %d bytes", len(fmt.Sprint(err)))
	}
	x := decodeTensor(t, header(Uint64, 2).bytes(11, varints(1, -1)))
	if _, err := x.Int64s(); err == nil || !strings.Contains(err.Error(), "1, 18446744073709551615, does not fit int64") {
		t.Errorf("Int64s of an uint64 beyond int64: %v", err)
	}
	x = decodeTensor(t, header(Complex64, 1).bytes(4, float32bytes(1, 2)))
	if b, err := x.Bytes(); err != nil || len(b) != 8 {
		t.Errorf("Bytes of complex64: %v, %v", b, err)
	}
	if _, err := x.Float32s(); err == nil || !strings.Contains(err.Error(), "not real numbers") {
		t.Errorf("Float32s of complex64: %v", err)
	}
}

func TestStringTensors(t *testing.T) {
	x := decodeTensor(t, header(String, 2).text(6, "a").text(6, ""))
	if s, err := x.Strings(); err != nil || !slices.Equal(s, []string{"a", ""}) {
		t.Errorf("Strings: %q, %v", s, err)
	}
	x.Dims[0] = 3
	if _, err := x.Strings(); err == nil || !strings.Contains(err.Error(), "string_data has 2 entries, want 3") {
		t.Errorf("Strings of another shape: %v", err)
	}
	if _, err := decodeTensor(t, header(Float, 0)).Strings(); err == nil {
		t.Error("Strings of a float tensor gave no error")
	}
}
