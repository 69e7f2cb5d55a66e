package hub

import (
	"context"
	"os"
	"path/filepath"
	"time"
)

const (
	lockPoll = 50 * time.Millisecond
	lockTell = 2 * time.Second // waiting for longer is told
)

// lock takes the lock of a blob, as Python's filelock does, and waits while another process holds it. The file stays:
// removing it would let two in.
func (c *Client) lock(ctx context.Context, path, name string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	start, told := time.Now(), false
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o664)
		if err != nil {
			return nil, err
		}
		held, err := tryLock(f)
		if err != nil {
			f.Close()
			return nil, &os.PathError{Op: "lock", Path: path, Err: err}
		}
		if held && sameFile(f, path) {
			return func() { unlockFile(f); f.Close() }, nil
		}
		f.Close()
		if !told && time.Since(start) > lockTell {
			told = true
			c.Progress.Printf("%s: waiting for another process that fetches it", name)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(lockPoll):
		}
	}
}

// sameFile tells whether a lock's file still stands at its path: some remove theirs.
func sameFile(f *os.File, path string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(path)
	return err == nil && os.SameFile(a, b)
}
