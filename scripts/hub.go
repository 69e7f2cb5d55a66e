//go:build ignore

// Holds internal/hub's cache to that of Python's huggingface_hub, on a hub played on the loopback: both fetch a model into
// caches of their own, which must be the same; then each must find in the other's all that it needs, and complete what the
// other left of a large file. Not part of CI.
//
//	python3 -m venv .hub && .hub/bin/pip install huggingface_hub==0.36.2 && go run scripts/hub.go .hub/bin/python
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-aefebe89/graft/internal/hub"
	"github.com/seed-aefebe89/graft/internal/hub/hubtest"
)

const (
	model = "org/name"
	large = "onnx/model.onnx_data"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "hub:", err)
		os.Exit(1)
	}
}

// trial is a hub and a folder of caches.
type trial struct {
	h           *hubtest.Hub
	python, dir string
}

func run(python string) error {
	dir, err := os.MkdirTemp("", "hub-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	h := hubtest.New(model, map[string][]byte{"config.json": []byte("{}\n"), "tokenizer.json": bytes.Repeat([]byte("token "), 5000),
		"onnx/model.onnx": bytes.Repeat([]byte("graph "), 9000), large: bytes.Repeat([]byte("weights "), 3<<20)})
	defer h.Close()
	h.Token, h.Revisions["refs/pr/1"] = "hf_abc", hubtest.Commit
	t := &trial{h, python, dir}
	return errors.Join(t.same("main"), t.same("refs/pr/1"), t.reuse("theirs", t.own), t.reuse("ours", t.theirs), t.resume("left-by-us", t.theirs),
		t.resume("left-by-python", t.own))
}

// own fetches with internal/hub.
func (t *trial) own(cache, revision string) error {
	c := &hub.Client{Endpoint: t.h.API.URL, Token: t.h.Token, Cache: filepath.Join(t.dir, cache, "hub")}
	s, err := c.Resolve(context.Background(), model, revision)
	if err != nil {
		return err
	}
	for _, f := range s.Files {
		if _, err := s.Fetch(context.Background(), f); err != nil {
			return err
		}
	}
	return nil
}

// theirs fetches with huggingface_hub.
func (t *trial) theirs(cache, revision string) error {
	c := exec.Command(t.python, "-c", "import sys, huggingface_hub as h; h.snapshot_download(sys.argv[1], revision=sys.argv[2]); print(h.__version__)",
		model, revision)
	c.Env = append(os.Environ(), "HF_ENDPOINT="+t.h.API.URL, "HF_TOKEN="+t.h.Token, "HF_HOME="+filepath.Join(t.dir, cache), "HF_HUB_DISABLE_PROGRESS_BARS=1")
	var told bytes.Buffer
	c.Stderr = &told
	out, err := c.Output()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(told.String()), "\n")
		return fmt.Errorf("huggingface_hub: %w: %s", err, lines[len(lines)-1])
	}
	fmt.Printf("huggingface_hub %s fetched %s into %s\n", bytes.TrimSpace(out), revision, cache)
	return nil
}

// same fetches a revision both ways and compares what there is. Python also keeps a tag for backups, and the newer
// versions a list of the model's files.
func (t *trial) same(revision string) error {
	if err := errors.Join(t.own("ours", revision), t.theirs("theirs", revision)); err != nil {
		return err
	}
	a, err := t.list("ours")
	if err != nil {
		return err
	}
	b, err := t.list("theirs")
	if err != nil {
		return err
	}
	b = slices.DeleteFunc(b, func(s string) bool {
		return strings.HasPrefix(s, "CACHEDIR.TAG") || strings.Contains(s, "/trees/") || strings.HasPrefix(s, ".shared")
	})
	if !slices.Equal(a, b) {
		return fmt.Errorf("%s: our cache\n%s\ntheirs\n%s", revision, strings.Join(a, "\n"), strings.Join(b, "\n"))
	}
	fmt.Printf("%s: the same %d files and links\n", revision, len(a))
	return nil
}

// list is a cache's files, with links' targets and digests of what they hold.
func (t *trial) list(cache string) ([]string, error) {
	dir := filepath.Join(t.dir, cache, "hub")
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if to, err := os.Readlink(path); err == nil {
			out = append(out, name+" -> "+to)
			return nil
		}
		b, err := os.ReadFile(path)
		out = append(out, name+" "+hubtest.SHA256(b))
		return err
	})
	return out, err
}

// reuse fetches from a full cache: no content may be asked for.
func (t *trial) reuse(cache string, fetch func(cache, revision string) error) error {
	before := len(t.h.Log())
	if err := fetch(cache, "main"); err != nil {
		return err
	}
	for _, line := range t.h.Log()[before:] {
		if strings.HasPrefix(line, "GET") && !strings.HasPrefix(line, "GET api /api/") {
			return fmt.Errorf("%s was full, and yet: %s", cache, line)
		}
	}
	fmt.Printf("%s: all of it was found\n", cache)
	return nil
}

// resume lets the connection break while one way fetches, and has the file completed.
func (t *trial) resume(cache string, second func(cache, revision string) error) error {
	first := t.own
	if cache == "left-by-python" {
		first = t.theirs
	}
	b := t.h.Files[large]
	t.h.Before = func(w http.ResponseWriter, r *http.Request, content bool) bool {
		if !content || r.URL.Path != "/"+hubtest.SHA256(b) {
			return false
		}
		if r.Header.Get("Range") != "" {
			w.WriteHeader(http.StatusForbidden) // for good
			return true
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(b)))
		w.Write(b[:len(b)/2])
		panic(http.ErrAbortHandler)
	}
	if first(cache, "main") == nil {
		return fmt.Errorf("%s: the broken connection was not noticed", cache)
	}
	t.h.Before = nil
	before := len(t.h.Log())
	if err := second(cache, "main"); err != nil {
		return err
	}
	for _, line := range t.h.Log()[before:] {
		if strings.Contains(line, hubtest.SHA256(b)) && strings.Contains(line, "Range: ") {
			fmt.Printf("%s: completed from %s\n", cache, line[strings.Index(line, "bytes="):])
			return nil
		}
	}
	fmt.Printf("%s: fetched anew, nothing usable was left\n", cache)
	return nil
}
