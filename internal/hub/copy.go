package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
)

// CopyTo puts copies of files that were fetched into a folder, under their names in the repository. A file of the same
// size and time is taken to be the copy of an earlier run. They are copies and not links, so that a program that writes
// to them leaves the cache as it is; file systems that can share their blocks.
func (s *Snapshot) CopyTo(ctx context.Context, dir string, names []string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, name := range names {
		if err := errors.Join(ctx.Err(), checkName(name)); err != nil {
			return err
		}
		if err := s.copyTo(ctx, root, name); err != nil {
			return fmt.Errorf("copying %s to %s: %w", name, dir, err)
		}
	}
	return nil
}

func (s *Snapshot) copyTo(ctx context.Context, root *os.Root, name string) error {
	src, err := os.Open(s.Path(name))
	if err != nil {
		return err
	}
	defer src.Close()
	from, err := src.Stat()
	if err != nil {
		return err
	}
	to := filepath.FromSlash(name)
	if st, err := root.Stat(to); err == nil && st.Mode().IsRegular() && st.Size() == from.Size() && st.ModTime().Equal(from.ModTime()) {
		return nil
	}
	if err := root.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	part := filepath.FromSlash(path.Join(path.Dir(name), "."+path.Base(name)+".part"))
	dst, err := root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	// Not the reader but the context closes the file: io.Copy between two files lets the system share or move blocks.
	stop := context.AfterFunc(ctx, func() { src.Close() })
	_, err = io.Copy(dst, src)
	stop()
	if err = errors.Join(ctx.Err(), err, dst.Close()); err == nil {
		err = root.Chtimes(part, from.ModTime(), from.ModTime())
	}
	if err == nil {
		err = root.Rename(part, to)
	}
	if err != nil {
		root.Remove(part)
	}
	return err
}
