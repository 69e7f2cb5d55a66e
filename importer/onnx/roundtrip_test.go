package onnx

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/internal/testutil"
)

// models lists the ONNX files below folders.
func models(tb testing.TB, folders ...string) []string {
	tb.Helper()
	var found []string
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
			if strings.HasSuffix(path, ".onnx") {
				found = append(found, path)
			}
			return err
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
	if len(found) == 0 {
		tb.Fatal("no models")
	}
	return found
}

// same compares two values as reflect.DeepEqual does, but for where in which file they were.
func same(a, b any) bool { return equal(reflect.ValueOf(a), reflect.ValueOf(b)) }

func equal(a, b reflect.Value) bool {
	if a.Type() != b.Type() {
		return false
	}
	switch a.Kind() {
	case reflect.Pointer:
		if a.Type() == reflect.TypeFor[*source]() {
			return true
		}
		return a.IsNil() == b.IsNil() && (a.IsNil() || equal(a.Elem(), b.Elem()))
	case reflect.Slice:
		if a.IsNil() != b.IsNil() || a.Len() != b.Len() {
			return false
		}
		if a.Type().Elem().Kind() == reflect.Uint8 {
			return bytes.Equal(a.Bytes(), b.Bytes())
		}
		for i := range a.Len() {
			if !equal(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Struct:
		for i := range a.NumField() {
			switch f := a.Type().Field(i); {
			case f.Name == "rawAt", a.Type() == reflect.TypeFor[packed]() && f.Name != "b":
			case !equal(a.Field(i), b.Field(i)):
				return false
			}
		}
		return true
	case reflect.Float32: // by bits: NaN equals itself
		return a.Float() == b.Float() || a.Float() != a.Float() && b.Float() != b.Float()
	case reflect.Func:
		return a.IsNil() == b.IsNil()
	}
	return a.Equal(b)
}

func testRoundTrip(t *testing.T, path string) {
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := f.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if !same(f.Model, again) {
		t.Error("decoding the encoded model gives another model")
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, file) {
		t.Errorf("encoded to %d other bytes than the file's %d", len(b), len(file))
	}
	var streamed bytes.Buffer
	if n, err := f.WriteTo(&streamed); err != nil || n != int64(len(b)) || !bytes.Equal(streamed.Bytes(), b) {
		t.Errorf("WriteTo wrote %d bytes, %v; want what Encode gives", n, err)
	}
}

func TestEdgeCasesSurviveARoundTrip(t *testing.T) {
	for _, path := range models(t, "testdata/edge") {
		t.Run(filepath.Base(path), func(t *testing.T) { testRoundTrip(t, path) })
	}
}

func TestFixturesSurviveARoundTrip(t *testing.T) {
	for _, folder := range []string{"fixtures/onnx", "fixtures/onnx-tools", "fixtures/onnx-edge-cases", "models"} {
		root := testutil.Shared(t, filepath.FromSlash(folder))
		for _, path := range models(t, root) {
			name, _ := filepath.Rel(root, path)
			t.Run(folder+"/"+filepath.ToSlash(name), func(t *testing.T) { testRoundTrip(t, path) })
		}
	}
}
