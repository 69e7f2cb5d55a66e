package onnx

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzDecode holds that any bytes give an error with a place, or a model that encodes to bytes which give it again.
func FuzzDecode(f *testing.F) {
	for _, path := range models(f, "testdata/edge") {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	sparse := msg(nil).bytes(1, header(Float, 1)).varint(3, 4)
	f.Add(inModel(msg(nil).bytes(1, msg(nil).bytes(5, msg(nil).bytes(22, sparse)))))
	f.Add(inModel(append(msg(nil).text(1000, "x"), 3<<3|3, 1<<3, 1, 3<<3|4)))
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		m, err := Decode(b)
		var fault *DecodeError
		if err != nil {
			if !errors.As(err, &fault) || fault.Offset < 0 || fault.Offset > int64(len(b)) {
				t.Fatalf("error without a place in the file: %v", err)
			}
			return
		}
		for _, x := range m.Tensors() {
			_, _ = x.Bytes()
		}
		for _, n := range m.Graph.Nodes {
			_ = n.String()
		}
		for _, v := range m.Graph.Inputs {
			_ = v.Type.String()
		}
		encoded, err := m.Encode()
		if err != nil {
			t.Fatalf("encoding a decoded model: %v", err)
		}
		again, err := Decode(encoded)
		if err != nil {
			t.Fatalf("decoding the encoded model: %v", err)
		}
		if twice, err := again.Encode(); err != nil || !bytes.Equal(encoded, twice) {
			t.Fatalf("encoding again gives other bytes (%v)", err)
		}
		if !bytes.Equal(b, before) {
			t.Fatal("the input was changed")
		}
	})
}

// FuzzTensor holds that the accessors of any tensor give an error, or as many elements as its shape says.
func FuzzTensor(f *testing.F) {
	for _, x := range []msg{
		header(Float, 2).bytes(9, float32bytes(1, 2)), header(Float, 2).bytes(4, float32bytes(1, 2)),
		header(Double, 2).bytes(10, float64bytes(1, 2)), header(Int64, 3).bytes(7, varints(1, -1, 300)),
		header(Uint64, 1).bytes(11, varints(-1)), header(Int32, 2).varint(5, 1).varint(5, 2),
		header(Float16, 2).bytes(5, varints(1, 65535)), header(Int4, 3).bytes(9, []byte{1, 2}),
		header(Float6E2M3, 5).bytes(5, varints(1, 2, 3, 4, 63)), header(Float8E8M0, 1).bytes(9, []byte{255}),
		header(String, 1).text(6, "x"), header(Bool, 2).bytes(9, []byte{1, 2}), header(Uint2, 7).bytes(9, []byte{1, 2}),
		header(Complex64, 1).bytes(4, float32bytes(1, 2)), outside("x", "1", "2"), header(Float, 1<<40, 1<<40, 0),
	} {
		f.Add([]byte(x))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(inGraph(b))
		if err != nil {
			return
		}
		x := m.Graph.Initializers[0]
		n, err := x.Len()
		if err != nil {
			n = -1
		}
		if raw, err := x.Bytes(); err == nil && len(raw) != (n*x.Type.Bits()+7)/8 {
			t.Errorf("%d bytes for %d elements of %v", len(raw), n, x.Type)
		}
		if v, err := x.Float32s(); err == nil && len(v) != n {
			t.Errorf("%d float32s, want %d", len(v), n)
		}
		if v, err := x.Float64s(); err == nil && len(v) != n {
			t.Errorf("%d float64s, want %d", len(v), n)
		}
		if v, err := x.Int64s(); err == nil && len(v) != n {
			t.Errorf("%d int64s, want %d", len(v), n)
		}
		if v, err := x.Strings(); err == nil && len(v) != n {
			t.Errorf("%d strings, want %d", len(v), n)
		}
		if at, ok := x.Location(); ok {
			t.Errorf("location %v in memory", at)
		}
	})
}

// FuzzExternal holds that external data is read from the model's folder, and from nowhere else.
func FuzzExternal(f *testing.F) {
	parent := f.TempDir()
	dir := filepath.Join(parent, "model")
	write(f, float32bytes(7, 7, 7), parent, "secret")
	write(f, float32bytes(1, 2, 3), dir, "w")
	write(f, float32bytes(1, 2, 3), dir, "sub", "w")
	for link, target := range map[string]string{"up": "..", "out": "../secret", "in": "sub/w"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			f.Skip("no symbolic links here:", err)
		}
	}
	for _, s := range [][3]string{
		{
			"w", "4", "8"}, {"sub/w", "", ""}, {"../secret", "", ""}, {"up/secret", "0", "8"}, {"out", "",
			""}, {"in", "", ""},
		{
			"sub/../w", "", ""}, {"sub/../../secret", "", ""}, {"/etc/hostname", "0", "8"}, {"./w", "-1",
			"+8"}, {"w", "0x4", "1e1"},
		{
			"w", "18446744073709551615", ""}, {"w", "9223372036854775807", ""}, {"", "", ""}, {"w\x00", "",
			""}, {"sub", "", ""},
	} {
		f.Add(s[0], s[1], s[2])
	}
	path := filepath.Join(dir, "model.onnx")
	inside, err := filepath.EvalSymlinks(dir)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, location, offset, length string) {
		m, err := decode(inGraph(outside(location, offset, length)), &source{
			main: &mapping{path: path}, others: map[string]*mapping{},
		})
		if err != nil {
			t.Fatal(err)
		}
		x := m.Graph.Initializers[0]
		defer x.src.close()
		v, err := x.Float32s()
		at, ok := x.Location()
		if ok != (err == nil) {
			t.Fatalf("%+v: elements %v, %v, but location %v", x.External, v, err, ok)
		}
		if err != nil {
			return
		}
		real, err := filepath.EvalSymlinks(at.File)
		if err != nil || !strings.HasPrefix(real, inside+string(filepath.Separator)) {
			t.Errorf("%+v was read from %s (%v)", x.External, real, err)
		}
		if v[0] == 7 {
			t.Errorf("%+v read the secret", x.External)
		}
	})
}
