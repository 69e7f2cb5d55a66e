// Package hubtest plays a Hugging Face style hub on the loopback: a host for the API and small files, which are git
// blobs, and another one for the content of large files (Git LFS), that the first redirects to.
package hubtest

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Large is the size from which a file is kept in Git LFS, in bytes.
const Large = 1 << 10

// Hub is a hub with one model. Change its fields before the first request.
type Hub struct {
	ID        string            // "ORG/NAME"
	Revisions map[string]string // names of branches and tags → commits
	Files     map[string][]byte // the same at every commit
	Token     string            // that requests must bring; "" for none
	Gated     bool              // refuse every file

	// Before may answer a request itself, and then returns true. content tells whether it is the host of large files.
	Before func(w http.ResponseWriter, r *http.Request, content bool) bool

	API, Content *httptest.Server

	mu  sync.Mutex
	log []string
}

// Commit is a commit's hash for tests.
const Commit = "0123456789abcdef0123456789abcdef01234567"

// New starts a hub whose branch main stands at Commit. Close it after use.
func New(id string, files map[string][]byte) *Hub {
	h := &Hub{ID: id, Files: files, Revisions: map[string]string{"main": Commit}}
	h.API = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.serve(w, r, false) }))
	h.Content = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.serve(w, r, true) }))
	return h
}

// Close stops the hub.
func (h *Hub) Close() {
	h.API.Close()
	h.Content.Close()
}

// Log lists the requests so far: "GET api /path", those to the host of large files "GET content /path", with
// " Range: …" and " Authorization: …" where they had such headers.
func (h *Hub) Log() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.log)
}

func (h *Hub) serve(w http.ResponseWriter, r *http.Request, content bool) {
	line := r.Method + " " + map[bool]string{false: "api ", true: "content "}[content] + r.URL.EscapedPath()
	for _, k := range []string{"Range", "Authorization"} {
		if v := r.Header.Get(k); v != "" {
			line += " " + k + ": " + v
		}
	}
	h.mu.Lock()
	h.log = append(h.log, line)
	h.mu.Unlock()
	switch {
	case h.Before != nil && h.Before(w, r, content):
	case content:
		h.large(w, r)
	case h.Token != "" && r.Header.Get("Authorization") != "Bearer "+h.Token:
		refuse(w, http.StatusUnauthorized, "RepoNotFound", "Invalid username or password.")
	default:
		h.api(w, r)
	}
}

func (h *Hub) api(w http.ResponseWriter, r *http.Request) {
	p := r.URL.EscapedPath()
	if rest, ok := strings.CutPrefix(p, "/api/models/"+h.ID+"/revision/"); ok {
		h.info(w, rest)
	} else if rest, ok := strings.CutPrefix(p, "/api/models/"+h.ID+"/tree/"); ok {
		h.tree(w, rest)
	} else if p == "/api/models/"+h.ID {
		h.info(w, "main")
	} else if rest, ok := strings.CutPrefix(p, "/"+h.ID+"/resolve/"); ok {
		revision, name, _ := strings.Cut(rest, "/")
		h.resolve(w, r, revision, name)
	} else {
		refuse(w, http.StatusNotFound, "RepoNotFound", "Repository not found")
	}
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("X-Error-Code", code)
	w.Header().Set("X-Error-Message", message)
	w.WriteHeader(status)
}

// commit is what a revision, as it stands in a path, stands for; "" if it is none, which is answered.
func (h *Hub) commit(w http.ResponseWriter, escaped string) string {
	revision, err := url.PathUnescape(escaped)
	if err == nil {
		for name, commit := range h.Revisions {
			if revision == name || revision == commit {
				return commit
			}
		}
	}
	refuse(w, http.StatusNotFound, "RevisionNotFound", "Invalid rev id: "+revision)
	return ""
}

func (h *Hub) names() []string {
	var out []string
	for n := range h.Files {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

func (h *Hub) info(w http.ResponseWriter, revision string) {
	commit := h.commit(w, revision)
	if commit == "" {
		return
	}
	files := []map[string]any{}
	for _, n := range h.names() {
		files = append(files, map[string]any{"rfilename": n})
	}
	answer(w, map[string]any{"id": h.ID, "modelId": h.ID, "sha": commit, "siblings": files, "private": false, "tags": []string{}})
}

func (h *Hub) tree(w http.ResponseWriter, revision string) {
	if h.commit(w, revision) == "" {
		return
	}
	files := []map[string]any{}
	for _, n := range h.names() {
		b := h.Files[n]
		f := map[string]any{"type": "file", "path": n, "size": len(b), "oid": Blob(b)}
		if len(b) >= Large {
			f["lfs"] = map[string]any{"oid": SHA256(b), "size": len(b), "pointerSize": 130}
		}
		files = append(files, f)
	}
	answer(w, files)
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

func (h *Hub) resolve(w http.ResponseWriter, r *http.Request, revision, escaped string) {
	commit := h.commit(w, revision)
	if commit == "" {
		return
	}
	w.Header().Set("X-Repo-Commit", commit)
	name, err := url.PathUnescape(escaped)
	b, ok := h.Files[name]
	switch {
	case h.Gated:
		refuse(w, http.StatusForbidden, "GatedRepo", "Access to model "+h.ID+" is restricted")
	case err != nil || !ok:
		refuse(w, http.StatusNotFound, "EntryNotFound", "Entry not found")
	case len(b) >= Large:
		w.Header().Set("X-Linked-Etag", `"`+SHA256(b)+`"`)
		w.Header().Set("X-Linked-Size", strconv.Itoa(len(b)))
		w.Header().Set("ETag", `"of-the-redirection"`)
		http.Redirect(w, r, h.Content.URL+"/"+SHA256(b)+"?signature=secret", http.StatusFound)
	default:
		w.Header().Set("ETag", `"`+Blob(b)+`"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
	}
}

func (h *Hub) large(w http.ResponseWriter, r *http.Request) {
	for _, b := range h.Files {
		if r.URL.Path == "/"+SHA256(b) && r.URL.Query().Get("signature") == "secret" {
			w.Header().Set("ETag", `"of-the-storage"`)
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
			return
		}
	}
	w.WriteHeader(http.StatusForbidden)
}

// SHA256 is the digest that names a large file, in hexadecimal digits.
func SHA256(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// Blob is the hash that git gives a small file.
func Blob(b []byte) string {
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", len(b))
	h.Write(b)
	return hex.EncodeToString(h.Sum(nil))
}
