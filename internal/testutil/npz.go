package testutil

import (
	"archive/zip"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sbinet/npyio"
)

// Case is one recorded batch: padded inputs, the outputs and the hidden states that PyTorch gave.
type Case struct {
	Batch, Seq int
	Inputs     map[string][]int64   // [batch,seq]
	Outputs    map[string][]float32 // [batch,seq,width] or [batch,width]
	Hidden     [][]float32          // [batch,seq,H] each
}

// Cases reads an expected.npz of the shared fixtures.
func Cases(tb testing.TB, path string) []Case {
	tb.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer z.Close()
	byNumber := map[int]*Case{}
	hidden := map[int]map[int][]float32{}
	for _, f := range z.File {
		name := strings.TrimSuffix(f.Name, ".npy")
		var n int
		if _, err := fmt.Sscanf(name, "c%d_", &n); err != nil {
			continue
		}
		c := byNumber[n]
		if c == nil {
			c = &Case{Inputs: map[string][]int64{}, Outputs: map[string][]float32{}}
			byNumber[n], hidden[n] = c, map[int][]float32{}
		}
		r, err := f.Open()
		if err != nil {
			tb.Fatal(err)
		}
		npy, err := npyio.NewReader(r)
		if err != nil {
			tb.Fatalf("%s: %s: %v", filepath.Base(path), name, err)
		}
		_, rest, _ := strings.Cut(name, "_")
		if in, ok := strings.CutPrefix(rest, "in_"); ok {
			var x []int64
			if err := npy.Read(&x); err != nil {
				tb.Fatal(err)
			}
			c.Inputs[in] = x
			c.Batch, c.Seq = npy.Header.Descr.Shape[0], npy.Header.Descr.Shape[1]
		} else {
			var x []float32
			if err := npy.Read(&x); err != nil {
				tb.Fatal(err)
			}
			var k int
			if _, err := fmt.Sscanf(rest, "hidden_%d", &k); err == nil {
				hidden[n][k] = x
			} else {
				c.Outputs[strings.TrimPrefix(rest, "out_")] = x
			}
		}
		r.Close()
	}
	var out []Case
	for n := 0; byNumber[n] != nil; n++ {
		c := byNumber[n]
		for k := 0; hidden[n][k] != nil; k++ {
			c.Hidden = append(c.Hidden, hidden[n][k])
		}
		out = append(out, *c)
	}
	if len(out) == 0 {
		tb.Fatalf("%s holds no case", path)
	}
	return out
}

// Arrays reads every float32 array of an .npz file.
func Arrays(tb testing.TB, path string) map[string][]float32 {
	tb.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer z.Close()
	out := map[string][]float32{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			tb.Fatal(err)
		}
		var x []float32
		if err := npyio.Read(r, &x); err != nil {
			tb.Fatalf("%s: %s: %v", filepath.Base(path), f.Name, err)
		}
		r.Close()
		out[strings.TrimSuffix(f.Name, ".npy")] = x
	}
	return out
}
