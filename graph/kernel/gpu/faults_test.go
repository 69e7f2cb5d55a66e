//go:build gpu && emu && cgo && linux

package gpu

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A fault is a change of a kernel's source, or of what launches it, that a test must find. A barrier that keeps what was read from being written
// over is none of them: the emulation's order hides its absence, and CUDA's racecheck shows it on a GPU.
type fault struct {
	file, old, new string // file: below cu
	test           string // of this package
}

func faults() []fault {
	suite := func(name string) string { return "TestSuite/.*/^" + name + "$" }
	return []fault{
		{"group.cuh", "part[threadIdx.x >> 5] = v;\n    __syncthreads();\n", "part[threadIdx.x >> 5] = v;\n", suite("Clip")},
		{"group.cuh", "part[lane] : Op::template none<T>()", "part[lane] : part[0]", suite("Clip")},
		{"elementwise.cuh", "i += n / 4 * 4;", "i += n;", suite("Add")},
		{"elementwise.cuh", "for (; i < n; i += step)", "for (; i <= n; i += step)", suite("Add")},
		{"activation.cu", "fminf(v * v, 1e4f)", "fminf(v * v, 1e1f)", suite("ActivateGrad")},
		{"layernorm.cu", "      if (j + c < n) row[j + c] = v.v[c];", "      row[j + c] = v.v[c];", suite("LayerNorm")},
		{"layernorm.cu", "(v - mean) * (v - mean)", "v * v - mean * mean", suite("LayerNorm")},
		{"columns.cu", "for (int k = 1; k < 8; k++)", "for (int k = 1; k < 7; k++)", suite("ColSum")},
		{"columns.cu", "  __syncthreads();\n  if (warp", "  if (warp", suite("ColSum")},
		{"rows.cu", "int from = blockIdx.y * TILE,", "int from = blockIdx.y * (TILE - 1),", suite("Embed")},
		{"copy.cu", "tile[threadIdx.x][r];", "tile[r][threadIdx.x];", suite("Copy")},
		{"copy.cu", "(k0 + r) * i2", "k0 * i2 + r", suite("Copy")},
		{"scatter.cu", "int before = carry;", "int before = 0;", suite("EmbedGrad")},
		{"scatter.cu", "    __syncwarp();  // all lanes have read where their digit goes on\n", "", suite("EmbedGrad")},
		{"scatter.cu", "int to = start + __popc(lanes & ((1u << Warp::rank()) - 1));",
			"int to = start + __popc(lanes) - 1 - __popc(lanes & ((1u << Warp::rank()) - 1));", suite("AddRows")},
		{"reduce.cu", "a != a || a > b ? a : b", "a > b ? a : b", suite("Reduce")},
		{"crossentropy.cu", "expf(row[j] - s.largest) / s.sum", "expf(row[j]) / s.sum", suite("CrossEntropyGrad")},
		{"apart.cu", "if (bounds[middle] > t)", "if (bounds[middle] >= t)", suite("Scores")},
		{"nodewise.cu", "fmax(v, 0.) + log1p", "log1p", suite("Map")},
		{"matmul.cu", "pack_bf16(y[2], y[3])", "pack_bf16(y[3], y[2])", suite("BFloat16")},
		{"matmul.cu", "row[at % cols]", "row[at % (cols - 1)]", suite("MatMulOptions")},
		{"rotary.cu", "out[second] = b * c + a * s", "out[second] = b * c + out[first] * s", suite("Rotary")},
		{"attention.cuh", "min(p.n, min(p.n, p.i + B) + a.window)", "min(p.n, p.i + B)", suite("Attention")},
		{"attention.cuh", "p.none = v == 0 || v == a.sequences + 1;", "p.none = v == 0;", suite("Attention")},
		{"attention.cuh", "-distance <= t.reach", "-distance < t.reach", suite("Attention")},
		{"attention.cuh", "max(i, j) >= t.n", "i >= t.n", suite("AttentionBFloat16")},
		{"attention.cuh", "to[at] += sum;", "to[at] = sum;", suite("RelativeAttentionGrad")},
		{"attention.cuh", "c < cols && (same & ((1u << lane) - 1)) == 0", "c < cols", suite("RelativeAttentionGrad")},
		{"attentionforward_f32.cuh", "o[i][c] *= fade;", "o[i][c] *= 1.f;", suite("Attention")},
		{"attentiongrad_f32.cuh", "half_sum(mean[i]) * inverse[i]", "mean[i] * inverse[i]", suite("AttentionGrad")},
		{"attentiongrad_f32.cuh", "r < min(queries, keys - diagonal)", "r < min(queries, keys - diagonal) - 1",
			suite("AttentionGrad")},
		{"attentionparts.cu", "out[at] = in ? x[at] : 0.f;", "out[at] = x[at];", suite("RelativeAttentionGrad")},
		{"attention_bf16.cuh", "(rows + 31) / 32 * 32 * (D / 4)", "rows * (D / 4)", suite("AttentionBFloat16")},
		{"attention_bf16.cuh", "(lane >> 3 & 1) * 8", "(lane >> 2 & 1) * 8", suite("AttentionBFloat16")},
		{"attentiongrad_bf16.cuh", "query[2 * WARPS_B]", "query[WARPS_B]", suite("AttentionGradBFloat16")},
		{"attentiongrad_bf16.cuh", "lay_down(scratch, W::LG, da, a.scale)", "lay_down(scratch, W::LG, s, a.scale)",
			suite("RelativeAttentionGradBFloat16")},
		{"../launch.go", "	k.forget()\n	k.start(name", "	k.start(name", "TestRoundedMatricesAreNeverStale"},
		{"../memory.go", "	k.forget()\n", "", "TestRoundedMatricesAreNeverStale"},
		{"../recorder.go", "	r.k.forget()\n", "", "TestRoundedMatricesAreNeverStale"},
		{"../recorder.go", "	k.forget()\n	k.recording, k", "	k.recording, k", "TestRoundedMatricesAreNeverStale"},
		{"../matmul.go", "r.from < p+cuda.Ptr(4*elements)", "r.from < p", "TestRoundedMatricesAreNeverStale"},
		{"../matmul.go", "k.forgetAt(out.Ptr, (p.M-1)*out.LD+p.N)", "", "TestRoundedMatricesAreNeverStale"},
		{"../matmul.go", "m*n >= 512*(m+n)", "m*n >= 256*(m+n)", "TestProductsRoundTheirOperands"},
	}
}

// Each fault still is one: its text stands in the source once.
func TestFaultsCanBePlanted(t *testing.T) {
	for _, f := range faults() {
		text, err := os.ReadFile(filepath.Join("cu", f.file))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), f.old); n != 1 {
			t.Errorf("%s holds %q %d times", f.file, f.old, n)
		}
	}
}

// The suites find every fault. Each one takes a build of the kernels: GRAFT_FAULTS=1 asks for it.
func TestPlantedFaultsAreFound(t *testing.T) {
	if os.Getenv("GRAFT_FAULTS") != "1" {
		t.Skip("takes minutes: GRAFT_FAULTS=1 runs it")
	}
	for _, f := range faults() {
		t.Run(f.file+" "+strings.TrimSpace(f.new), func(t *testing.T) {
			overlay := plant(t, f)
			out, err := exec.Command("go", "test", "-short", "-failfast", "-tags", "gpu,emu", "-overlay", overlay, "-run", f.test, ".").CombinedOutput()
			if e := new(exec.ExitError); err == nil || !errors.As(err, &e) {
				t.Errorf("%s: no test found it: %v\n%s", f.test, err, out)
			} else if strings.Contains(string(out), "[build failed]") {
				t.Errorf("%s: %s", f.test, out)
			}
		})
	}
}

// plant writes the kernels with a fault, and a file that has go build take them in the place of the others.
func plant(t *testing.T, f fault) (overlay string) {
	t.Helper()
	there, err := filepath.Abs("cu")
	if err != nil {
		t.Fatal(err)
	}
	sources, err := filepath.Glob(filepath.Join(there, "*.cu*"))
	if err != nil {
		t.Fatal(err)
	}
	folder, replace := t.TempDir(), map[string]string{}
	if filepath.Ext(f.file) == ".go" {
		sources = []string{filepath.Join(there, f.file)}
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range sources {
		b, err := os.ReadFile(s)
		if err != nil {
			t.Fatal(err)
		}
		name, text := filepath.Base(s), string(b)
		if name == filepath.Base(f.file) {
			text = strings.Replace(text, f.old, f.new, 1)
		}
		write(name, text)
		if filepath.Ext(name) == ".go" {
			replace[s] = filepath.Join(folder, name)
		}
		if unit, ok := strings.CutSuffix(name, ".cu"); ok {
			write(unit+".cpp", "#include \""+filepath.Join(folder, name)+"\"\n")
			replace[filepath.Join(there, unit+".cpp")] = filepath.Join(folder, unit+".cpp")
		}
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	write("overlay.json", string(b))
	return filepath.Join(folder, "overlay.json")
}
