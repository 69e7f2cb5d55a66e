package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-aefebe89/graft/internal/atomicfile"
)

// Snapshot is a model at one commit.
type Snapshot struct {
	ID       string
	Revision string   // as asked for
	Commit   string   // 40 hexadecimal digits
	Dir      string   // the folder in the cache that its files are fetched into
	Files    []string // their names, sorted, with forward slashes: the hub's, or those in the cache where it was not asked
	Cached   error    // why the hub was not asked; nil where it was

	c *Client
}

// Resolve finds the commit that a revision (a branch, a tag or a commit; "" is "main") stands for, and what files there
// are. Where the hub cannot be reached and the cache knows the revision, the snapshot is the cache's.
func (c *Client) Resolve(ctx context.Context, id, revision string) (*Snapshot, error) {
	if revision == "" {
		revision = "main"
	}
	if err := errors.Join(checkID(id), checkRevision(revision)); err != nil {
		return nil, err
	}
	s := &Snapshot{ID: id, Revision: revision, c: c}
	if c.Offline {
		if err := s.local(); err != nil {
			return nil, fmt.Errorf("%w, and HF_HUB_OFFLINE forbids asking the hub", err)
		}
		s.Cached = errors.New("HF_HUB_OFFLINE is set")
		return s, nil
	}
	err := s.ask(ctx)
	if err != nil && unreachable(ctx, err) && s.local() == nil {
		s.Cached, err = err, nil
	}
	if err != nil {
		return nil, c.explain(err, id, revision)
	}
	return s, nil
}

// unreachable tells whether an error is no word of the hub on the model.
func unreachable(ctx context.Context, err error) bool {
	var e *StatusError
	var n net.Error
	return ctx.Err() == nil && (temporary(err) || errors.As(err, &n) || errors.As(err, &e) && e.temporary())
}

// ask asks the hub for commit and files.
func (s *Snapshot) ask(ctx context.Context) error {
	_, follow, err := s.c.clients()
	if err != nil {
		return err
	}
	b, err := s.c.get(ctx, follow, s.c.infoURL(s.ID, s.Revision))
	if err != nil {
		return err
	}
	if s.Commit, s.Files, err = parseInfo(b); err != nil {
		return fmt.Errorf("the hub's answer on %s: %w", s.ID, err)
	}
	s.Dir = filepath.Join(s.repo(), "snapshots", s.Commit)
	if s.Revision == s.Commit {
		return nil
	}
	ref := filepath.Join(s.repo(), "refs", filepath.FromSlash(s.Revision))
	if old, err := os.ReadFile(ref); err == nil && string(old) == s.Commit {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(ref), 0o755); err != nil {
		return err
	}
	return atomicfile.WriteBytes(ref, []byte(s.Commit))
}

// parseInfo reads a hub's answer on a revision: its commit and the sorted names of its files.
func parseInfo(b []byte) (commit string, files []string, err error) {
	var info struct {
		SHA      string
		Siblings []struct {
			Name string `json:"rfilename"`
		}
	}
	if err := json.Unmarshal(b, &info); err != nil {
		return "", nil, fmt.Errorf("%w: is HF_ENDPOINT a Hugging Face style hub?", err)
	}
	if !isCommit(info.SHA) {
		return "", nil, fmt.Errorf("the commit is %.60q, not 40 hexadecimal digits", info.SHA)
	}
	for _, f := range info.Siblings {
		files = append(files, f.Name)
	}
	slices.Sort(files)
	return info.SHA, slices.Compact(files), nil
}

// repo is the model's folder in the cache.
func (s *Snapshot) repo() string { return filepath.Join(s.c.Cache, folder(s.ID)) }

// local takes what the cache knows of the revision.
func (s *Snapshot) local() error {
	commit := s.Revision
	if !isCommit(commit) {
		b, err := os.ReadFile(filepath.Join(s.repo(), "refs", filepath.FromSlash(s.Revision)))
		commit = strings.TrimSpace(string(b))
		if err != nil || !isCommit(commit) {
			return fmt.Errorf("the cache %s holds no %s at %q", s.c.Cache, s.ID, s.Revision)
		}
	}
	dir := filepath.Join(s.repo(), "snapshots", commit)
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if st, e := os.Stat(path); err == nil && e == nil && st.Mode().IsRegular() {
			files = append(files, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("the cache %s holds no files of %s at %q", s.c.Cache, s.ID, s.Revision)
	}
	slices.Sort(files)
	s.Commit, s.Dir, s.Files = commit, dir, files
	return nil
}

// Has tells whether the model has a file.
func (s *Snapshot) Has(name string) bool {
	_, ok := slices.BinarySearch(s.Files, name)
	return ok
}

// Path is where a file is, or will be, in the cache.
func (s *Snapshot) Path(name string) string { return filepath.Join(s.Dir, filepath.FromSlash(name)) }
