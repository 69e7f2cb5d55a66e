//go:build gpu && cgo && linux

package main

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/importer/onnx/random"
	"github.com/seed-aefebe89/graft/internal/cuda"
	"github.com/seed-aefebe89/graft/internal/safetensors"
)

// On a GPU the command line inspects, primes, trains and evaluates, recognised encoders and those that run node by node, and
// comes to what the CPU comes to.
func TestCommandsOnAGPU(t *testing.T) {
	if ok, status := cuda.Status(); !ok {
		t.Skip("no GPU: " + status)
	}
	for _, kind := range []string{"recognised", "node by node"} {
		t.Run(kind, func(t *testing.T) {
			model, file := folder(t)
			operator := "AttentionGrad"
			if kind != "recognised" {
				m, err := random.Twisted(3, random.Config{VocabSize: 65, NumHiddenLayers: 2, Spread: 0.4, Opset: 17},
					random.Twist{Distances: true, Temperature: true, Scaled: true, Gate: true})
				if err != nil {
					t.Fatal(err)
				}
				write(t, filepath.Join(model, "model.onnx"), string(encoded(t, m)))
				operator = "Softmax"
			}
			out := must(t, "inspect", "--device", "gpu", model)
			for _, want := range []string{"gpu ", " MB free\n", operator, "  nothing\n"} {
				if !strings.Contains(out, want) {
					t.Errorf("inspect prints %s, without %q", out, want)
				}
			}
			run := func(device string, more ...string) (delta string) {
				delta = filepath.Join(t.TempDir(), "delta")
				must(t, append([]string{"train", "--model", model, "--train", file("aa", "train"), "--dev", file("aa", "dev"), "--limit", "24",
					"--dev-limit", "4", "--method", "lora", "--rank", "2", "--lr", "1e-2", "--epochs", "1", "--batch", "8", "--threads", "1",
					"-q", "--device", device, "--out", delta}, more...)...)
				return delta
			}
			eval := func(device, delta string) string {
				return must(t, "eval", "--model", model, "--engine", "graph", "--delta", delta, "--test", file("aa", "dev"), "--limit", "8",
					"--threads", "1", "-q", "--device", device)
			}
			// Three steps, each of which moves a weight by up to the rate; the Adam of a gradient near zero amplifies its rounding.
			host, gpu := run("cpu"), run("gpu")
			if d := apartFrom(t, gpu, host); !(d <= 1e-3) {
				t.Errorf("the trained weights differ by %g of their norm", d)
			}
			if x, y := eval("cpu", gpu), eval("gpu", gpu); x != y {
				t.Errorf("eval prints %s on the CPU, %s on the GPU", x, y)
			}
			run("auto", "--precision", "tf32")
		})
	}
}

// apartFrom is by how much the tensors of two deltas differ, in proportion to the norm of the second's.
func apartFrom(t *testing.T, got, want string) float64 {
	t.Helper()
	var d, norm float64
	a, b := tensors(t, got), tensors(t, want)
	if len(a) != len(b) || len(b) == 0 {
		t.Fatalf("%d tensors, want %d", len(a), len(b))
	}
	for name, w := range b {
		if len(a[name]) != len(w) {
			t.Fatalf("%s has %d elements, want %d", name, len(a[name]), len(w))
		}
		for i, v := range w {
			e := float64(a[name][i]) - float64(v)
			d, norm = d+e*e, norm+float64(v)*float64(v)
		}
	}
	return math.Sqrt(d / norm)
}

// tensors are those of a delta, by file and name.
func tensors(t *testing.T, delta string) map[string][]float32 {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(delta, "*.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]float32{}
	for _, file := range files {
		f, err := safetensors.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range f.Tensors {
			if all[filepath.Base(file)+" "+x.Name], err = x.Float32s(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return all
}
