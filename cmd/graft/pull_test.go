package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/export/ort"
	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/internal/hub/hubtest"
)

// hosted puts files on a hub on the loopback, and lets the commands find that and an empty cache.
func hosted(t *testing.T, files map[string][]byte) *hubtest.Hub {
	t.Helper()
	h := hubtest.New("org/name", files)
	t.Cleanup(h.Close)
	for k, v := range map[string]string{"HF_ENDPOINT": h.API.URL, "HF_HOME": t.TempDir(), "HF_HUB_CACHE": "", "HUGGINGFACE_HUB_CACHE": "", "HF_TOKEN": "",
		"HUGGING_FACE_HUB_TOKEN": "", "HF_TOKEN_PATH": "", "HF_HUB_OFFLINE": "", "TRANSFORMERS_OFFLINE": "", "HF_HUB_DOWNLOAD_TIMEOUT": ""} {
		t.Setenv(k, v)
	}
	return h
}

// spread is the content of a model's files, its ONNX file in onnx/ and the weights of that in two files beside it.
func spread(t *testing.T) map[string][]byte {
	t.Helper()
	dir, _ := folder(t)
	files := map[string][]byte{"README.md": []byte("# a model"), "pytorch_model.bin": make([]byte, 5000)}
	for _, name := range []string{"config.json", "vocab.txt"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = b
	}
	m, err := onnx.Open(filepath.Join(dir, "model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for i, x := range m.Graph.Initializers {
		b, err := x.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if len(b) < 64 {
			continue
		}
		name := []string{"model.onnx_data", "more/weights.bin"}[i%2]
		full := "onnx/" + name
		at := onnx.External{Location: name, Offset: int64(len(files[full])), Length: int64(len(b))}
		if m.Graph.Initializers[i], err = onnx.NewExternalTensor(x.Name, x.Type, x.Dims, at); err != nil {
			t.Fatal(err)
		}
		files[full] = append(files[full], b...)
	}
	files["onnx/model.onnx"] = encoded(t, m.Model)
	return files
}

func encoded(t *testing.T, m *onnx.Model) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := m.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A model as it comes from the hub serves every other command, from the cache and from a folder of its own.
func TestAPulledModelIsAModel(t *testing.T) {
	hosted(t, spread(t))
	cached := strings.TrimSpace(must(t, "pull", "org/name", "-q"))
	if want := filepath.Join(os.Getenv("HF_HOME"), "hub", "models--org--name", "snapshots", hubtest.Commit); cached != want {
		t.Fatalf("pull prints %q, want %q", cached, want)
	}
	own := filepath.Join(t.TempDir(), "models", "own")
	if got := strings.TrimSpace(must(t, "pull", "org/name", "-q", "--to", own)); got != own {
		t.Fatalf("pull prints %q, want %q", got, own)
	}
	var files []string
	for _, name := range []string{"config.json", "vocab.txt", "onnx/model.onnx", "onnx/model.onnx_data", "onnx/more/weights.bin", "README.md", "pytorch_model.bin"} {
		if st, err := os.Lstat(filepath.Join(own, name)); err == nil && st.Mode().IsRegular() {
			files = append(files, name)
		}
	}
	if len(files) != 5 || slices.Contains(files, "README.md") {
		t.Errorf("the folder holds %q", files)
	}
	for _, model := range []string{cached, own} {
		if out := must(t, "inspect", model); !strings.Contains(out, "bert, 2 layers, hidden 32") || !strings.Contains(out, "model.onnx_data, more/weights.bin") {
			t.Errorf("inspect prints %s", out)
		}
		if out := must(t, "tokenize", model, "w3 w4"); !strings.Contains(out, "w3") {
			t.Errorf("tokenize prints %s", out)
		}
	}
	if err := ort.Load(); err != nil {
		t.Skip(err)
	}
	_, file := folder(t)
	for _, model := range []string{cached, own} {
		dir := t.TempDir()
		delta, served := filepath.Join(dir, "lora"), filepath.Join(dir, "served")
		must(t, "train", "--model", model, "--train", file("aa", "train"), "--dev", file("aa", "dev"), "--out", delta, "--method", "lora",
			"--rank", "2", "--epochs", "1", "-q")
		must(t, "export", "--model", model, "--delta", delta, "--out", served)
		if out := must(t, "eval", "--exported", served, "--delta", "lora", "--test", file("aa", "test"), "-q"); !strings.Contains(out, "equal predictions on 40 of 40") {
			t.Errorf("eval prints %s", out)
		}
	}
}

func TestPullTakesTheFileThatIsNamed(t *testing.T) {
	files := spread(t)
	files["onnx/model_other.onnx"] = files["onnx/model.onnx"]
	h := hosted(t, files)
	h.Revisions["v1/x"] = strings.Repeat("a", 40)
	got := strings.TrimSpace(must(t, "pull", "org/name", "-q", "--file", "onnx/model_other.onnx", "--revision", "v1/x"))
	if want := filepath.Join("snapshots", strings.Repeat("a", 40), "onnx", "model_other.onnx"); !strings.HasSuffix(got, want) {
		t.Fatalf("pull prints %q, want …%q", got, want)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(got), "model.onnx")); err == nil {
		t.Error("model.onnx was fetched too")
	}
	// config.json and tokenizer are in the folder above.
	if out := must(t, "inspect", got); !strings.Contains(out, "bert, 2 layers") {
		t.Errorf("inspect prints %s", out)
	}
	t.Setenv("HF_HUB_OFFLINE", "1")
	if again := strings.TrimSpace(must(t, "pull", "org/name", "-q", "--file", "onnx/model_other.onnx", "--revision", "v1/x")); again != got {
		t.Errorf("offline: %q, want %q", again, got)
	}
	if _, err := graft("pull", "org/name", "-q", "--revision", "v1/x"); err == nil || !strings.Contains(err.Error(), "in the cache holds no model.onnx") {
		t.Errorf("offline, what was not fetched: %v", err)
	}
}

func TestPullSaysWhatIsWrong(t *testing.T) {
	outside := func(location string) map[string][]byte {
		x, err := onnx.NewExternalTensor("w", onnx.Float, []int64{4}, onnx.External{Location: location, Length: 16})
		if err != nil {
			t.Fatal(err)
		}
		m := &onnx.Model{IRVersion: 8, OpsetImport: []onnx.OperatorSet{{Version: 14}}, Graph: &onnx.Graph{Name: "g", Initializers: []*onnx.Tensor{x}}}
		return map[string][]byte{"model.onnx": encoded(t, m), "secret": []byte("x")}
	}
	for want, x := range map[string]struct {
		files map[string][]byte
		args  []string
	}{
		"holds no ONNX file":                        {map[string][]byte{"model.safetensors": nil}, nil},
		"but onnx/a.onnx, onnx/b.onnx: name one":    {map[string][]byte{"onnx/a.onnx": nil, "onnx/b.onnx": nil}, nil},
		`holds no "x.onnx", but model.onnx`:         {map[string][]byte{"model.onnx": nil}, []string{"--file", "x.onnx"}},
		"leads out of the model's folder":           {outside("../secret"), nil},
		`"/etc/passwd", which leads out`:            {outside("/etc/passwd"), nil},
		`weights in "weights.bin": fetching`:        {outside("weights.bin"), nil},
		"decoding":                                  {map[string][]byte{"model.onnx": []byte("no protobuf message, only text that is long enough")}, nil},
		"has no branch, tag or commit \"nonesuch\"": {map[string][]byte{"model.onnx": nil}, []string{"--revision", "nonesuch"}},
	} {
		hosted(t, x.files)
		if _, err := graft(append([]string{"pull", "org/name", "-q"}, x.args...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestAnInterruptedPullSaysSo(t *testing.T) {
	h := hosted(t, spread(t))
	ctx, cancel := context.WithCancel(context.Background())
	h.Before = func(w http.ResponseWriter, r *http.Request, content bool) bool {
		if content {
			cancel()
			<-r.Context().Done()
		}
		return content
	}
	c := command()
	c.SetArgs([]string{"pull", "org/name", "-q"})
	if err := c.ExecuteContext(ctx); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "goes on from there") {
		t.Errorf("error %v", err)
	}
	h.Before = nil
	must(t, "pull", "org/name", "-q")
}
