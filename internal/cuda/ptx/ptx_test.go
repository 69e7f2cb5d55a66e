package ptx_test

import (
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/seed-aefebe89/graft/graph/kernel/gpu/cu"
	"github.com/seed-aefebe89/graft/internal/cuda/faults"
	"github.com/seed-aefebe89/graft/internal/cuda/include"
	"github.com/seed-aefebe89/graft/internal/cuda/ptx"
)

func TestCheckedInPTXIsFresh(t *testing.T) {
	if err := ptx.Fresh(cu.Files, include.Files); err != nil {
		t.Errorf("graph/kernel/gpu/cu: %v", err)
	}
	if err := ptx.Fresh(faults.Files, include.Files); err != nil {
		t.Errorf("internal/cuda/faults: %v", err)
	}
}

func TestStalePTXIsNamed(t *testing.T) {
	const source = "#include \"a.cuh\"\n"
	hash, err := ptx.Hash("k.cu", fstest.MapFS{"k.cu": {Data: []byte(source)}}, fstest.MapFS{"a.cuh": {Data: []byte("// a")}})
	if err != nil {
		t.Fatal(err)
	}
	text := ptx.Stamp(hash) + "\n.version 7.8\n.target sm_80\n.visible .entry k()\n{\n}\n"
	folder := func(source, text string) fstest.MapFS {
		return fstest.MapFS{"k.cu": {Data: []byte(source)}, "k.ptx": {Data: []byte(text)}}
	}
	shared := func(text string) fstest.MapFS { return fstest.MapFS{"a.cuh": {Data: []byte(text)}} }
	for _, c := range []struct {
		name           string
		folder, shared fstest.MapFS
		want           string
	}{
		{"fresh", folder(source, text), shared("// a"), ""},
		{"source changed", folder(source+"\n", text), shared("// a"), "k.ptx is older than its source"},
		{"included file changed", folder(source, text), shared("// b"), "k.ptx is older than its source"},
		{"no PTX", fstest.MapFS{"k.cu": {Data: []byte(source)}}, shared("// a"), "k.cu has no PTX"},
		{"included file missing", folder(source, text), fstest.MapFS{}, `reading kernel source "a.cuh"`},
		{"no kernel", folder(source, ptx.Stamp(hash)+"\n.version 7.8\n.target sm_80\n"), shared("// a"), "k.ptx holds no kernel"},
	} {
		err := ptx.Fresh(c.folder, c.shared)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

// The quick look at a file finds the kernels that reading all of it does.
func TestNames(t *testing.T) {
	files, err := fs.Glob(cu.Files, "*.ptx")
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	for _, file := range files {
		text, err := fs.ReadFile(cu.Files, file)
		if err != nil {
			t.Fatal(err)
		}
		entries, err := ptx.Entries(string(text))
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, e := range entries {
			want = append(want, e.Name)
		}
		if got := ptx.Names(string(text)); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
	for text, want := range map[string][]string{
		"": nil, ".entry ": nil, ".entry a": nil, ".entry a b(": nil, ".entry a(.entry b (": {"a", "b"},
	} {
		if got := ptx.Names(text); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestEntries(t *testing.T) {
	const head = ".version 7.8\n.target sm_80\n"
	for _, c := range []struct {
		name, text string
		want       []ptx.Entry
		err        string
	}{
		{"none", head, nil, ""},
		{"parameters", head + ".visible .entry f(\n\t.param .u64 f_param_0,\n\t.param .f32 f_param_1\n)\n{\n\tret;\n}\n.entry g()\n{}",
			[]ptx.Entry{{Name: "f", Params: []int{8, 4}}, {Name: "g"}}, ""},
		{"bounds", head + ".visible .entry f(\n\t.param .align 8 .b8 f_param_0[24]\n)\n.maxntid 32, 4, 1\n.minnctapersm 2\n{\n}",
			[]ptx.Entry{{Name: "f", Params: []int{24}, MaxThreads: 128}}, ""},
		{"no PTX", "\x7fELF", nil, "no .version and .target"},
		{"broken parameter", head + ".entry f(.param u64 x)\n{}", nil, "kernel f: parameter"},
		{"too many threads", head + ".entry f()\n.maxntid 4096, 1, 1\n{}", nil, ".maxntid 4096"},
	} {
		got, err := ptx.Entries(c.text)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: got %v, want an error with %q", c.name, err, c.err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %v, %v, want %v", c.name, got, err, c.want)
		}
	}
}

func FuzzEntries(f *testing.F) {
	text, err := faults.Files.ReadFile("faults.ptx")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add(".version 1 .target sm_80 .entry a(.param .align 8 .b8 x[4096]) .maxntid 1,1,1 {")
	f.Fuzz(func(t *testing.T, text string) {
		entries, err := ptx.Entries(text)
		if err != nil {
			return
		}
		for _, e := range entries {
			if e.Name == "" || e.MaxThreads < 0 {
				t.Errorf("entry %+v", e)
			}
			for _, n := range e.Params {
				if n < 1 || n > 16*4096 {
					t.Errorf("kernel %s: a parameter of %d bytes", e.Name, n)
				}
			}
		}
	})
}
