package safetensors

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/internal/testutil"
)

func encoded(tb testing.TB, ts []Tensor, meta map[string]string) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := Write(&b, ts, meta); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	in := []Tensor{
		F32("b.weight", []float32{1, -2.5, float32(math.Inf(1)), 3, 4, 5}, 2, 3),
		F32("a", []float32{7}, 1),
		F32("scalar", []float32{9}),
		F32("empty", nil, 0, 8),
		{"half", "F16", []int{4}, []byte{0, 0x3c, 1, 0, 0, 0xc0, 0xff, 0x7b}},
	}
	b := encoded(t, in, map[string]string{"format": "pt", "é": "ü\n"})
	if (8+int(binary.LittleEndian.Uint64(b)))%8 != 0 {
		t.Error("the data is not aligned to 8 bytes")
	}
	f, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if f.Metadata["é"] != "ü\n" || len(f.Tensors) != len(in) {
		t.Fatalf("got %+v", f)
	}
	for _, want := range in {
		got, err := f.Get(want.Name)
		if err != nil {
			t.Fatal(err)
		}
		if got.DType != want.DType || len(got.Shape) != len(want.Shape) || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("%s: got %+v, want %+v", want.Name, got, want)
		}
	}
	h, _ := f.Get("half")
	x, err := h.Float32s()
	if err != nil || x[0] != 1 || x[1] != 1.0/(1<<24) || x[2] != -2 || x[3] != 65504 {
		t.Errorf("float16: %v, %v", x, err)
	}
	if again := encoded(t, f.Tensors, f.Metadata); !bytes.Equal(b, again) {
		t.Error("writing what was read gives other bytes")
	}
}

func TestBrokenFilesAreErrors(t *testing.T) {
	raw := func(header string, data int) []byte {
		b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
		return append(append(b, header...), make([]byte, data)...)
	}
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"empty":          {nil, "no safetensors file"},
		"short":          {[]byte{1, 2, 3}, "no safetensors file"},
		"huge header":    {binary.LittleEndian.AppendUint64(nil, 1<<60), "truncated"},
		"no JSON":        {raw("hello", 0), "decoding the header"},
		"unknown dtype":  {raw(`{"a":{"dtype":"X","shape":[1],"data_offsets":[0,1]}}`, 1), "unknown dtype"},
		"wrong size":     {raw(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 4), "do not fit"},
		"past the end":   {raw(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 4), "do not fit"},
		"hole":           {raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 2), "overlap or leave a hole"},
		"overlap":        {raw(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, 3), "overlap"},
		"trailing bytes": {raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 3), "follow the last tensor"},
		"overflow":       {raw(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0), "too large"},
		"negative":       {raw(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,0]}}`, 0), "negative"},
		"metadata type":  {raw(`{"__metadata__":{"a":1}}`, 0), "__metadata__"},
	} {
		if _, err := Parse(c.b); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

func TestTruncationAtEveryByteIsAnError(t *testing.T) {
	b := encoded(t, []Tensor{F32("a", []float32{1, 2}, 2), F32("b", []float32{3}, 1)}, nil)
	for n := range b {
		if _, err := Parse(b[:n]); err == nil {
			t.Errorf("a file cut to %d of %d bytes was read", n, len(b))
		}
	}
}

func TestWriteRefusesWhatItCouldNotRead(t *testing.T) {
	for _, ts := range [][]Tensor{
		{{"a", "F32", []int{2}, make([]byte, 4)}},
		{F32("a", nil, 0), F32("a", nil, 0)},
		{{"a", "F7", []int{1}, make([]byte, 1)}},
		{F32("__metadata__", nil, 0)},
	} {
		if err := Write(&bytes.Buffer{}, ts, nil); err == nil {
			t.Errorf("%+v was written", ts)
		}
	}
}

func TestReadsFilesOfHuggingFace(t *testing.T) {
	f, err := Read(testutil.Shared(t, "fixtures", "peft", "peft-lora", "adapter_model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	a, err := f.Get("base_model.model.bert.encoder.layer.0.attention.self.query.lora_A.weight")
	if err != nil {
		t.Fatal(err)
	}
	x, err := a.Float32s()
	if err != nil || len(x) != 4*32 || a.Shape[0] != 4 || a.Shape[1] != 32 {
		t.Errorf("lora_A has shape %v and %d elements, %v", a.Shape, len(x), err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(encoded(f, []Tensor{F32("a", []float32{1, 2}, 2), {"h", "F16", []int{1}, []byte{0, 0x3c}}}, map[string]string{"k": "v"}))
	f.Add([]byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := Parse(b)
		if err != nil {
			return
		}
		for _, x := range file.Tensors {
			if v, err := x.Float32s(); err == nil && len(v)*widths[x.DType] != len(x.Data) {
				t.Fatalf("%d elements from %d bytes of %s", len(v), len(x.Data), x.DType)
			}
		}
		again, err := Parse(encoded(t, file.Tensors, file.Metadata))
		if err != nil || len(again.Tensors) != len(file.Tensors) {
			t.Fatalf("what was written does not read: %v", err)
		}
	})
}
