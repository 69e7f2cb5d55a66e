package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
)

// The hub's own headers on large files.
const (
	linkedETag = "X-Linked-Etag"
	linkedSize = "X-Linked-Size"
)

// Fetch brings a file into the cache, unless it is there, and returns its path: a link to the blob that holds its
// content, which no one may write to. What had come when an earlier run broke off is kept and completed. Two processes
// that fetch one file do so one after the other.
func (s *Snapshot) Fetch(ctx context.Context, name string) (string, error) {
	path, err := s.fetch(ctx, name)
	if err != nil {
		return "", fmt.Errorf("fetching %q of %s: %w", name, s.ID, s.c.explain(err, s.ID, s.Revision))
	}
	return path, nil
}

func (s *Snapshot) fetch(ctx context.Context, name string) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	path := s.Path(name)
	switch _, err := os.Stat(path); {
	case err == nil:
		return path, nil
	case s.Cached != nil:
		return "", fmt.Errorf("the cache lacks it, and the hub was not asked: %w", s.Cached)
	case !s.Has(name):
		return "", fmt.Errorf("%s has no such file", s.Revision)
	}
	b, err := s.blob(ctx, name)
	if err != nil {
		return "", err
	}
	unlock, err := s.c.lock(ctx, b.lock, name)
	if err != nil {
		return "", err
	}
	defer unlock()
	if st, err := os.Stat(b.path); err != nil || b.size >= 0 && st.Size() != b.size {
		if err := b.download(ctx); err != nil {
			return "", err
		}
	}
	return path, link(b.path, path)
}

// blob asks for a file's digest and length.
func (s *Snapshot) blob(ctx context.Context, name string) (*blob, error) {
	look, follow, err := s.c.clients()
	if err != nil {
		return nil, err
	}
	b := &blob{c: s.c, follow: follow, url: s.c.fileURL(s.ID, s.Commit, name), name: name}
	a, err := s.c.head(ctx, look, b.url)
	if err != nil {
		return nil, err
	}
	etag := a.Header.Get(linkedETag) // of a large file; the ETag beside is the redirection's own
	if etag == "" {
		etag = a.Header.Get("ETag")
	}
	if b.digest, err = parseETag(etag); err != nil {
		return nil, err
	}
	if b.size, err = length(a); err != nil {
		return nil, err
	}
	b.path = filepath.Join(s.repo(), "blobs", string(b.digest))
	b.lock = filepath.Join(s.c.Cache, ".locks", folder(s.ID), string(b.digest)+".lock")
	return b, nil
}

// length is that of the file that an answer to HEAD is about, −1 where it does not tell.
func length(a *http.Response) (int64, error) {
	s := a.Header.Get(linkedSize)
	switch {
	case s != "":
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 0 {
			return 0, fmt.Errorf("the hub's X-Linked-Size is %.40q, no number of bytes", s)
		}
		return n, nil
	case a.StatusCode == http.StatusOK:
		return a.ContentLength, nil
	}
	return -1, nil
}

// link makes path a relative link to a blob, or a copy of it where the system makes no links.
func link(blob, path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	to, err := filepath.Rel(dir, blob)
	if err != nil {
		return err
	}
	err = os.Symlink(to, path)
	if err == nil || errors.Is(err, os.ErrExist) {
		if _, e := os.Stat(path); e == nil {
			return nil
		}
		if err != nil { // a link that leads nowhere
			if err := os.Remove(path); err != nil {
				return err
			}
			return os.Symlink(to, path)
		}
	}
	return copyFile(blob, path)
}

// copyFile copies a file under a temporary name, which is then its own.
func copyFile(from, to string) (err error) {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	tmp, err := os.CreateTemp(filepath.Dir(to), ".copy-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			tmp.Close()
			os.Remove(tmp.Name())
		}
	}()
	if _, err := io.Copy(tmp, src); err != nil {
		return err
	}
	if err := tmp.Chmod(0o644); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), to)
}
