package hub

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-aefebe89/graft/internal/hub/hubtest"
)

const model = "org/name"

// content is a file of n bytes.
func content(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*i>>3 + i)
	}
	return b
}

// start starts a hub with a large and a small file, and a client of it that does not wait between tries but tells how
// long it would.
func start(t *testing.T) (h *hubtest.Hub, c *Client, waits *[]time.Duration) {
	h = hubtest.New(model, map[string][]byte{"config.json": []byte(`{"a":1}`), "onnx/model.onnx": content(300_000)})
	t.Cleanup(h.Close)
	waits = new([]time.Duration)
	c = &Client{Endpoint: h.API.URL, Cache: filepath.Join(t.TempDir(), "hub"), pause: func(d time.Duration) <-chan time.Time {
		*waits = append(*waits, d)
		return time.After(0)
	}}
	return h, c, waits
}

func resolve(t *testing.T, c *Client, revision string) *Snapshot {
	t.Helper()
	s, err := c.Resolve(context.Background(), model, revision)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// holds fetches a file and checks that it has the hub's content.
func holds(t *testing.T, h *hubtest.Hub, s *Snapshot, name string) {
	t.Helper()
	path, err := s.Fetch(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, h.Files[name]) {
		t.Fatalf("%s has %d bytes, want %d (%v)", path, len(b), len(h.Files[name]), err)
	}
}

// tree lists the files of a folder below it, links with " -> " and where they lead, and small files' content.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		if to, err := os.Readlink(path); err == nil {
			name += " -> " + to
		}
		out = append(out, filepath.ToSlash(name))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTheCacheIsLaidOutAsPythonDoes(t *testing.T) {
	h, c, _ := start(t)
	h.Revisions["refs/pr/1"] = hubtest.Commit
	for _, revision := range []string{"main", "refs/pr/1", hubtest.Commit} {
		s := resolve(t, c, revision)
		if s.Commit != hubtest.Commit || !slices.Equal(s.Files, []string{"config.json", "onnx/model.onnx"}) {
			t.Fatalf("%s is %s with %q", revision, s.Commit, s.Files)
		}
		holds(t, h, s, "config.json")
		holds(t, h, s, "onnx/model.onnx")
	}
	small, large := hubtest.Blob(h.Files["config.json"]), hubtest.SHA256(h.Files["onnx/model.onnx"])
	want := []string{
		".locks/models--org--name/" + small + ".lock",
		".locks/models--org--name/" + large + ".lock",
		"models--org--name/blobs/" + small,
		"models--org--name/blobs/" + large,
		"models--org--name/refs/main",
		"models--org--name/refs/refs/pr/1",
		"models--org--name/snapshots/" + hubtest.Commit + "/config.json -> ../../blobs/" + small,
		"models--org--name/snapshots/" + hubtest.Commit + "/onnx/model.onnx -> ../../../blobs/" + large,
	}
	got := tree(t, c.Cache)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the cache holds\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if b, err := os.ReadFile(filepath.Join(c.Cache, "models--org--name/refs/refs/pr/1")); string(b) != hubtest.Commit {
		t.Errorf("the ref holds %q, %v", b, err)
	}
	n := 0
	for _, line := range h.Log() {
		if strings.HasPrefix(line, "GET content") {
			n++
		}
	}
	if n != 1 {
		t.Errorf("the large file was fetched %d times:\n%s", n, strings.Join(h.Log(), "\n"))
	}
}

// What Python's huggingface_hub 2.4 leaves of one snapshot: scripts/hub.go makes one with it and compares.
func TestWhatPythonFetchedIsNotFetchedAgain(t *testing.T) {
	h, c, _ := start(t)
	repo := filepath.Join(c.Cache, "models--org--name")
	for name, b := range h.Files {
		digest, up := hubtest.Blob(b), "../../"
		if len(b) >= hubtest.Large {
			digest = hubtest.SHA256(b)
		}
		if strings.Contains(name, "/") {
			up = "../../../"
		}
		put(t, filepath.Join(repo, "blobs", digest), b)
		path := filepath.Join(repo, "snapshots", hubtest.Commit, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(up+"blobs/"+digest, path); err != nil {
			t.Skip(err)
		}
	}
	put(t, filepath.Join(repo, "refs", "main"), []byte(hubtest.Commit))
	put(t, filepath.Join(c.Cache, "CACHEDIR.TAG"), []byte("Signature: 8a477f597d28d172789f06886806bc55"))
	put(t, filepath.Join(repo, "trees", hubtest.Commit+".json"), []byte("{}"))
	before := tree(t, c.Cache)
	s := resolve(t, c, "")
	holds(t, h, s, "config.json")
	holds(t, h, s, "onnx/model.onnx")
	if log := h.Log(); len(log) != 1 {
		t.Errorf("the hub was asked\n%s", strings.Join(log, "\n"))
	}
	if after := tree(t, c.Cache); !slices.Equal(before, after) {
		t.Errorf("the cache changed to\n%s", strings.Join(after, "\n"))
	}
	c.Offline = true
	h.Close()
	s = resolve(t, c, "main")
	if s.Cached == nil || !slices.Equal(s.Files, []string{"config.json", "onnx/model.onnx"}) {
		t.Errorf("offline: %q, %v", s.Files, s.Cached)
	}
	holds(t, h, s, "onnx/model.onnx")
}

func put(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestTheTokenGoesToTheHubAlone(t *testing.T) {
	h, c, _ := start(t)
	h.Token, c.Token = "hf_abc", "hf_abc"
	s := resolve(t, c, "")
	holds(t, h, s, "config.json")
	holds(t, h, s, "onnx/model.onnx")
	for _, line := range h.Log() {
		if with := strings.Contains(line, "hf_abc"); with != strings.Contains(line, " api ") {
			t.Errorf("the token with %q: %v", line, with)
		}
	}
}

func TestARenamedModelIsFollowedWithItsToken(t *testing.T) {
	h, c, _ := start(t)
	h.Token, c.Token = "hf_abc", "hf_abc"
	h.Before = func(w http.ResponseWriter, r *http.Request, content bool) bool {
		if !strings.Contains(r.URL.Path, "old/name") {
			return false
		}
		http.Redirect(w, r, strings.Replace(r.URL.Path, "old/name", model, 1), http.StatusTemporaryRedirect)
		return true
	}
	s, err := c.Resolve(context.Background(), "old/name", "")
	if err != nil {
		t.Fatal(err)
	}
	holds(t, h, s, "config.json")
	holds(t, h, s, "onnx/model.onnx")
	if want := filepath.Join(c.Cache, "models--old--name"); !strings.HasPrefix(s.Dir, want) {
		t.Errorf("the snapshot is in %s, want %s", s.Dir, want)
	}
}

func TestHostileNamesStayInTheFolder(t *testing.T) {
	h, c, _ := start(t)
	names := []string{"../evil", "/etc/evil", "a/../../evil", "a//b", "./a", `..\evil`, "a/", "..", ".", "a\x00b", "a\nb", strings.Repeat("a", 5000)}
	for _, n := range names {
		h.Files[n] = []byte("x")
	}
	s := resolve(t, c, "")
	for _, n := range names {
		if _, err := s.Fetch(context.Background(), n); err == nil {
			t.Errorf("%.40q was fetched", n)
		}
		if err := s.CopyTo(context.Background(), t.TempDir(), []string{n}); err == nil {
			t.Errorf("%.40q was copied", n)
		}
	}
	if got := tree(t, c.Cache); len(got) != 1 || got[0] != "models--org--name/refs/main" {
		t.Errorf("the cache holds %q", got)
	}
}

func TestPullsOfOneFileAtATimeFetchItOnce(t *testing.T) {
	h, c, _ := start(t)
	var once sync.Once
	begun := make(chan struct{})
	h.Before = func(w http.ResponseWriter, r *http.Request, content bool) bool {
		if content && r.Method == http.MethodGet {
			once.Do(func() { close(begun) })
			time.Sleep(20 * time.Millisecond) // so that the others come while it runs
		}
		return false
	}
	var wg sync.WaitGroup
	errs := make([]error, 6)
	for i := range errs {
		wg.Go(func() {
			other := &Client{Endpoint: c.Endpoint, Cache: c.Cache}
			s, err := other.Resolve(context.Background(), model, "")
			if err == nil {
				_, err = s.Fetch(context.Background(), "onnx/model.onnx")
			}
			errs[i] = err
		})
	}
	wg.Wait()
	<-begun
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	holds(t, h, resolve(t, c, ""), "onnx/model.onnx")
	n := 0
	for _, line := range h.Log() {
		if strings.HasPrefix(line, "GET content") {
			n++
		}
	}
	if n != 1 {
		t.Errorf("fetched %d times", n)
	}
}

func TestCopiesAreFilesOfTheirOwn(t *testing.T) {
	h, c, _ := start(t)
	s := resolve(t, c, "")
	holds(t, h, s, "onnx/model.onnx")
	dir := filepath.Join(t.TempDir(), "a", "b")
	path := filepath.Join(dir, "onnx", "model.onnx")
	for range 2 {
		if err := s.CopyTo(context.Background(), dir, []string{"onnx/model.onnx"}); err != nil {
			t.Fatal(err)
		}
		if got := tree(t, dir); !slices.Equal(got, []string{"onnx/model.onnx"}) {
			t.Errorf("the folder holds %q", got)
		}
		if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, h.Files["onnx/model.onnx"]) {
			t.Errorf("the copy differs, %v", err)
		}
		put(t, path, []byte("scribbled over"))
		holds(t, h, s, "onnx/model.onnx")
	}
}
