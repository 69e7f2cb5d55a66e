package onnx

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// write writes a file below a folder and returns its path.
func write(tb testing.TB, b []byte, elem ...string) string {
	tb.Helper()
	path := filepath.Join(elem...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		tb.Fatal(err)
	}
	return path
}

// open opens a model for the time of the test.
func open(tb testing.TB, path string) *File {
	tb.Helper()
	f, err := Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := f.Close(); err != nil {
			tb.Error(err)
		}
	})
	return f
}

// outside is a float tensor of two elements in another file.
func outside(location, offset, length string) msg {
	m := header(Float, 2).bytes(13, msg(nil).text(1, "location").text(2, location))
	if offset != "" {
		m = m.bytes(13, msg(nil).text(1, "offset").text(2, offset))
	}
	if length != "" {
		m = m.bytes(13, msg(nil).text(1, "length").text(2, length))
	}
	return m.varint(14, 1)
}

func TestOpenReportsWhatIsNoModel(t *testing.T) {
	dir := t.TempDir()
	for name, path := range map[string]string{
		"no such file":   filepath.Join(dir, "absent.onnx"),
		"a folder":       dir,
		"an empty file":  write(t, nil, dir, "empty.onnx"),
		"a cut file":     write(t, inGraph(header(Float, 2))[:9], dir, "cut.onnx"),
		"something else": write(t, []byte("hello, this is text"), dir, "text.onnx"),
	} {
		f, err := Open(path)
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, %v; want an error that names the file", name, f, err)
		}
	}
	_, err := Open(filepath.Join(dir, "absent.onnx"))
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v is not os.ErrNotExist", err)
	}
}

func TestExternalDataIsFoundInTheModelsFolder(t *testing.T) {
	dir := t.TempDir()
	data := append(make([]byte, 5), float32bytes(1, 2, 3)...)
	write(t, data, dir, "weights.bin")
	write(t, data, dir, "sub", "weights.bin")
	if err := os.Symlink("sub/weights.bin", filepath.Join(dir, "link.bin")); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	for _, tensor := range []msg{
		outside("weights.bin", "5", "8"), outside("weights.bin", "5", ""), outside("sub/weights.bin", "5", "0"),
		outside("./weights.bin", "5", "8"), outside("link.bin", "5", "8"),
	} {
		f := open(t, write(t, inGraph(tensor), dir, "model.onnx"))
		x := f.Graph.Initializers[0]
		if got, err := x.Float32s(); err != nil || !slices.Equal(got, []float32{1, 2}) {
			t.Errorf("%v: %v, %v", x.External, got, err)
		}
		at, ok := x.Location()
		if !ok || at.Offset != 5 || at.Length != 8 {
			t.Fatalf("%v: location %v, %v", x.External, at, ok)
		}
		if b, err := os.ReadFile(at.File); err != nil || !bytes.Equal(b[at.Offset:at.Offset+at.Length], float32bytes(1, 2)) {
			t.Errorf("%v: location %v does not hold the elements (%v)", x.External, at, err)
		}
	}
}

func TestExternalDataOutsideTheFolderIsRefused(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "model")
	secret := write(t, float32bytes(1, 2), parent, "secret.bin")
	write(t, float32bytes(1, 2), dir, "short.bin")
	write(t, nil, dir, "folder", "x")
	for name, target := range map[string]string{"link.bin": "../secret.bin", "absolute.bin": secret, "up": ".."} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Skip("no symbolic links here:", err)
		}
	}
	for _, tc := range []struct {
		tensor msg
		want   string
	}{
		{outside("../secret.bin", "", ""), "leaves the model's folder"},
		{outside("folder/../../secret.bin", "", ""), "leaves the model's folder"},
		{outside("folder/../short.bin", "", ""), "leaves the model's folder"},
		{outside(secret, "", ""), "leaves the model's folder"},
		{outside("link.bin", "", ""), "escapes"},
		{outside("absolute.bin", "", ""), "escapes"},
		{outside("up/secret.bin", "", ""), "escapes"},
		{outside("", "", ""), "no location is given"},
		{outside("absent.bin", "", ""), "no such file"},
		{outside("folder", "", ""), "not a regular file"},
		{outside("a\x00b", "", ""), `external data "a\x00b"`},
		{outside("short.bin", "1", ""), "8 bytes at offset 1 run past its end at 8"},
		{outside("short.bin", "9", ""), "8 bytes at offset 9 run past its end at 8"},
		{outside("short.bin", "9223372036854775807", "8"), "run past its end at 8"},
		{outside("short.bin", "-1", ""), `offset is "-1", not a number of bytes`},
		{outside("short.bin", "99999999999999999999", ""), "not a number of bytes"},
		{outside("short.bin", "", "12"), "length 12, want 8"},
		{outside("folder/x", "", ""), "run past its end at 0"},
	} {
		f := open(t, write(t, inGraph(tc.tensor), dir, "model.onnx"))
		x := f.Graph.Initializers[0]
		if _, err := x.Bytes(); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v: got %v, want an error with %q", x.External, err, tc.want)
		}
		if at, ok := x.Location(); ok {
			t.Errorf("%v: location %v", x.External, at)
		}
	}
}

// Hugging Face's cache keeps contents in one folder, and a model's folder as links into it.
func TestALinkedModelFindsItsDataBesideItsTarget(t *testing.T) {
	cache := t.TempDir()
	write(t, inGraph(outside("model.onnx_data", "", "")), cache, "blobs", "1111")
	write(t, float32bytes(1, 2), cache, "blobs", "2222")
	write(t, float32bytes(1, 2), cache, "secret")
	snapshot := filepath.Join(cache, "snapshots", "abc")
	if err := os.MkdirAll(snapshot, 0o755); err != nil {
		t.Fatal(err)
	}
	model, data := filepath.Join(snapshot, "model.onnx"), filepath.Join(snapshot, "model.onnx_data")
	if err := errors.Join(os.Symlink("../../blobs/1111", model), os.Symlink("../../blobs/2222", data)); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	x := open(t, model).Graph.Initializers[0]
	if got, err := x.Float32s(); err != nil || !slices.Equal(got, []float32{1, 2}) {
		t.Errorf("%v, %v", got, err)
	}
	if err := errors.Join(os.Remove(data), os.Symlink("../../secret", data)); err != nil {
		t.Fatal(err)
	}
	x = open(t, model).Graph.Initializers[0]
	if got, err := x.Float32s(); err == nil {
		t.Errorf("a link to elsewhere gave %v", got)
	}
}

func TestLocationsAreWhereTheElementsStand(t *testing.T) {
	raw := header(Float, 2).text(8, "raw").bytes(9, float32bytes(1, 2))
	typed := header(Double, 2).bytes(10, float64bytes(3, 4)).text(8, "typed")
	pieces := header(Float, 2).bytes(4, float32bytes(5)).bytes(4, float32bytes(6)).text(8, "pieces")
	ints := header(Int64, 2).bytes(7, varints(7, 8)).text(8, "ints")
	empty := header(Float, 0).bytes(9, nil).text(8, "empty")
	b := inModel(msg(nil).bytes(5, raw).bytes(5, typed).bytes(5, pieces).bytes(5, ints).bytes(5, empty))
	path := write(t, b, t.TempDir(), "model.onnx")
	f := open(t, path)
	for name, want := range map[string]bool{"raw": true, "typed": true, "pieces": false, "ints": false, "empty": true} {
		x := f.Graph.Initializer(name)
		data, err := x.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		at, ok := x.Location()
		if ok != want {
			t.Errorf("%s: location %v, %v", name, at, ok)
		}
		if ok && (at.File != path || !bytes.Equal(b[at.Offset:at.Offset+at.Length], data)) {
			t.Errorf("%s: location %v does not hold the elements", name, at)
		}
	}
	m, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if at, ok := m.Graph.Initializer("raw").Location(); ok {
		t.Errorf("a model in memory has the location %v", at)
	}
}

func TestChangedExternalDataIsWrittenAnew(t *testing.T) {
	dir := t.TempDir()
	entry := msg(nil).text(1, "basepath").text(2, "/elsewhere")
	path := write(t, inGraph(outside("a.bin", "007", "8").bytes(9, float32bytes(9, 9)).bytes(13, entry)), dir, "model.onnx")
	write(t, float32bytes(0, 1, 2), dir, "b.bin")
	f := open(t, path)
	x := f.Graph.Initializers[0]
	x.External.Location, x.External.Offset = "b.bin", 4
	b, err := f.Encode()
	if err != nil {
		t.Fatal(err)
	}
	moved := open(t, write(t, b, dir, "moved.onnx")).Graph.Initializers[0]
	if got, err := moved.Float32s(); err != nil || !slices.Equal(got, []float32{1, 2}) {
		t.Errorf("moved: %v, %v", got, err)
	}
	want := [][2]string{{"location", "b.bin"}, {"offset", "4"}, {"length", "8"}, {"basepath", "/elsewhere"}}
	for i, e := range moved.entries {
		if i >= len(want) || e.Key != want[i][0] || e.Value != want[i][1] {
			t.Errorf("entry %d is %s = %s", i, e.Key, e.Value)
		}
	}

	x.External = nil // the elements of raw_data count again
	if b, err = f.Encode(); err != nil {
		t.Fatal(err)
	}
	inline := open(t, write(t, b, dir, "inline.onnx")).Graph.Initializers[0]
	if got, err := inline.Float32s(); err != nil || inline.External != nil || !slices.Equal(got, []float32{9, 9}) {
		t.Errorf("inline: %v, %v, %v", inline.External, got, err)
	}

	y, err := NewTensor("y", []int64{2}, []float32{5, 6})
	if err != nil {
		t.Fatal(err)
	}
	y.External = &External{Location: "b.bin", Offset: 4, Checksum: "abc"}
	f.Graph.Initializers[0] = y
	if b, err = f.Encode(); err != nil {
		t.Fatal(err)
	}
	replaced := open(t, write(t, b, dir, "replaced.onnx")).Graph.Initializers[0]
	if got, err := replaced.Float32s(); err != nil || replaced.raw != nil || !slices.Equal(got, []float32{1, 2}) {
		t.Errorf("replaced: raw %v, %v, %v", replaced.raw, got, err)
	}
	if replaced.External.Checksum != "abc" {
		t.Errorf("replaced: %+v", replaced.External)
	}
}

func TestAClosedFileHandsOutNoMoreViews(t *testing.T) {
	dir := t.TempDir()
	write(t, float32bytes(1, 2), dir, "w.bin")
	inline := header(Float, 1).bytes(9, float32bytes(1))
	text := header(String, 1).text(6, "x")
	graph := msg(nil).bytes(5, inline).bytes(5, outside("w.bin", "", "")).bytes(5, text)
	f, err := Open(write(t, inModel(graph), dir, "model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	if f.Dir() != dir {
		t.Errorf("Dir: %s", f.Dir())
	}
	var group sync.WaitGroup
	for range 4 { // the mapping of external data is made once, by whoever comes first
		group.Go(func() {
			if _, err := f.Graph.Initializers[1].Bytes(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if err := errors.Join(f.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	for i, x := range f.Graph.Initializers[:2] {
		if _, err := x.Bytes(); err == nil || !strings.Contains(err.Error(), "closed") {
			t.Errorf("initialiser %d after Close: %v", i, err)
		}
	}
	if _, err := f.Graph.Initializers[2].Strings(); err == nil {
		t.Error("strings after Close")
	}
}

// sparse writes a model with one float tensor "w" whose elements are a hole in the file.
func sparse(t *testing.T, rows, cols int64) string {
	t.Helper()
	size := uint64(4 * rows * cols)
	toTheEnd := func(m msg, n protowire.Number, inner int) msg {
		return protowire.AppendVarint(protowire.AppendTag(m, n, protowire.BytesType), uint64(inner)+size)
	}
	tensor := toTheEnd(header(Float, rows, cols).text(8, "w"), 9, 0)
	graph := append(toTheEnd(nil, 5, len(tensor)), tensor...)
	b := append(toTheEnd(msg(nil).varint(1, 8).bytes(8, msg(nil).varint(2, 17)), 7, len(graph)), graph...)
	path := write(t, b, t.TempDir(), "model.onnx")
	if err := os.Truncate(path, int64(len(b))+int64(size)); err != nil {
		t.Skip("no sparse files here:", err)
	}
	return path
}

func TestOpenCopiesNoWeights(t *testing.T) {
	const rows, cols = 1 << 18, 1 << 10 // 1 GiB
	path := sparse(t, rows, cols)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	x, err := open(t, path).Graph.Initializer("w").Float32s()
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if len(x) != rows*cols || x[len(x)-1] != 0 {
		t.Errorf("%d elements, want %d", len(x), rows*cols)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 64<<10 {
		t.Errorf("opening 1 GiB allocated %d bytes", got)
	}
}

func TestModelsBeyond2GiBAreReadButNotWritten(t *testing.T) {
	if math.MaxInt == math.MaxInt32 {
		t.Skip("needs 64 bits")
	}
	const rows, cols = 3 << 18, 1 << 10 // 3 GiB
	f := open(t, sparse(t, rows, cols))
	x := f.Graph.Initializer("w")
	if v, err := x.Float32s(); err != nil || len(v) != rows*cols {
		t.Errorf("%d elements, %v", len(v), err)
	}
	if n, err := f.WriteTo(io.Discard); err == nil || !strings.Contains(err.Error(), "keep large tensors as external data") {
		t.Errorf("wrote %d bytes, %v; want an error", n, err)
	}
	at, ok := x.Location()
	if !ok {
		t.Fatal("no location")
	}
	x.External = &External{Location: filepath.Base(at.File), Offset: at.Offset, Length: at.Length}
	b, err := f.Encode()
	if err != nil {
		t.Fatal(err)
	}
	y := open(t, write(t, b, f.Dir(), "small.onnx")).Graph.Initializer("w")
	if v, err := y.Float32s(); err != nil || len(v) != rows*cols {
		t.Errorf("external: %d elements, %v", len(v), err)
	}
}

func TestExternalDataLiesBeyond4GiB(t *testing.T) {
	if math.MaxInt == math.MaxInt32 {
		t.Skip("needs 64 bits")
	}
	dir := t.TempDir()
	data, err := os.Create(filepath.Join(dir, "w.bin"))
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	if _, err := data.WriteAt(float32bytes(1, 2), 5<<30); err != nil {
		t.Skip("no sparse files here:", err)
	}
	path := write(t, inGraph(outside("w.bin", fmt.Sprint(int64(5)<<30), "8")), dir, "model.onnx")
	x := open(t, path).Graph.Initializers[0]
	if v, err := x.Float32s(); err != nil || !slices.Equal(v, []float32{1, 2}) {
		t.Errorf("%v, %v", v, err)
	}
}
