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
	"strings"

	"github.com/seed-aefebe89/graft/internal/progress"
)

// blob is a file's content on its way into the cache.
type blob struct {
	c      *Client
	follow *http.Client
	url    string
	name   string // for messages
	digest digest
	size   int64 // −1 while unknown
	path   string
	lock   string
}

// errLength is a length that is not what the hub tells; another try would give the same.
var errLength = errors.New("length")

// download completes what there is of the blob, checks it and gives it its name. What does not fit its digest is
// removed; if it was begun by an earlier run, it is fetched anew.
func (b *blob) download(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Dir(b.path), 0o755); err != nil {
		return err
	}
	part := b.path + ".incomplete"
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		begun, err := f.Seek(0, io.SeekEnd)
		if err != nil {
			return err
		}
		if err = b.fill(ctx, f); err == nil {
			err = b.verify(ctx, f)
		}
		switch {
		case err == nil:
			if err := errors.Join(f.Sync(), f.Close()); err != nil {
				return err
			}
			return os.Rename(part, b.path)
		case !errors.Is(err, errChecksum) && !errors.Is(err, errLength):
			return err
		case begun == 0:
			f.Close()
			return errors.Join(err, os.Remove(part))
		}
		b.c.Progress.Printf("%s: what an earlier run had fetched does not fit (%v); fetching it anew", b.name, err)
		if err := f.Truncate(0); err != nil {
			return err
		}
	}
}

func (b *blob) verify(ctx context.Context, f *os.File) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return b.digest.check(ctx, f, b.size)
}

// fill appends to f what it lacks, trying again as long as something comes.
func (b *blob) fill(ctx context.Context, f *os.File) error {
	have, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if b.size >= 0 && have > b.size {
		return fmt.Errorf("%w: %d bytes, the hub tells %d", errLength, have, b.size)
	}
	var bar *progress.Bar
	most := have
	for try := 1; have != b.size; try++ {
		at := have
		if have, err = b.receive(ctx, f, at, &bar); err == nil {
			break
		}
		if have > most {
			most, try = have, 1
		}
		if err = b.c.wait(ctx, try, err); err != nil {
			break
		}
	}
	if bar != nil {
		bar.Done()
	}
	return err
}

// receive asks once for what f lacks behind its first at bytes and appends it. It returns f's length.
func (b *blob) receive(ctx context.Context, f *os.File, at int64, bar **progress.Bar) (int64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	a, err := request(ctx, b.follow, http.MethodGet, b.url, at)
	if err != nil {
		var s *StatusError
		if errors.As(err, &s) && s.Status == http.StatusRequestedRangeNotSatisfiable {
			return at, fmt.Errorf("%w: the file ends at or before byte %d, the hub tells %d", errLength, at, b.size)
		}
		return at, err
	}
	defer a.Body.Close()
	switch {
	case a.StatusCode == http.StatusPartialContent:
		err = b.checkRange(a.Header.Get("Content-Range"), at)
	case a.StatusCode != http.StatusOK:
		err = fmt.Errorf("%s redirects to nowhere", a.Request.URL.Host)
	case b.size < 0 && a.ContentLength < 0:
		err = errors.New("the hub tells no length")
	default:
		if b.size < 0 {
			b.size = a.ContentLength
		}
		if a.ContentLength >= 0 && a.ContentLength != b.size {
			err = fmt.Errorf("%w: %s sends %d bytes, the hub tells %d", errLength, a.Request.URL.Host, a.ContentLength, b.size)
		} else if at > 0 { // the whole, though only the rest was asked for
			if *bar != nil {
				(*bar).Add(-int(at), "")
			}
			at, err = 0, f.Truncate(0)
		}
	}
	if err != nil {
		return at, err
	}
	if _, err := f.Seek(at, io.SeekStart); err != nil {
		return at, err
	}
	if *bar == nil {
		*bar = b.c.Progress.StartBytes(b.name, b.size, at)
	}
	body := b.c.watch(a.Body, cancel)
	n, err := io.Copy(io.MultiWriter(f, barWriter{*bar}), io.LimitReader(body, b.size-at))
	at += n
	switch {
	case err != nil:
		return at, cause(ctx, err)
	case at < b.size:
		return at, io.ErrUnexpectedEOF
	}
	if n, _ := io.ReadFull(body, make([]byte, 1)); n > 0 {
		return at, fmt.Errorf("%w: more than the %d bytes that the hub tells", errLength, b.size)
	}
	return at, nil
}

// checkRange holds a part of a file to what was asked for: "bytes 5-9/10" for 10 bytes from 5.
func (b *blob) checkRange(s string, at int64) error {
	span, total, ok := strings.Cut(strings.TrimPrefix(s, "bytes "), "/")
	first, _, ok2 := strings.Cut(span, "-")
	n, err := strconv.ParseInt(first, 10, 64)
	if !ok || !ok2 || err != nil || n != at {
		return fmt.Errorf("asked for what follows byte %d, the answer's Content-Range is %.60q", at, s)
	}
	if size, err := strconv.ParseInt(total, 10, 64); err == nil {
		if b.size < 0 {
			b.size = size
		}
		if size != b.size {
			return fmt.Errorf("%w: the file has %d bytes, the hub tells %d", errLength, size, b.size)
		}
	}
	if b.size < 0 {
		return errors.New("the hub tells no length")
	}
	return nil
}

// barWriter counts what is written.
type barWriter struct{ bar *progress.Bar }

func (w barWriter) Write(p []byte) (int, error) {
	w.bar.Add(len(p), "")
	return len(p), nil
}
