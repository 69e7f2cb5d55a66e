package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
)

// digest is what a hub's ETag says of a file's content, in small hexadecimal digits: the SHA-256 of a large file (Git
// LFS), or git's own hash of a small one, which is the SHA-1 of "blob SIZE\0" and the content.
type digest string

var errChecksum = errors.New("checksum")

// parseETag reads an ETag, weak or not.
func parseETag(s string) (digest, error) {
	d := strings.Trim(strings.TrimPrefix(s, "W/"), `"`)
	switch {
	case s == "":
		return "", errors.New("the hub tells no ETag: is HF_ENDPOINT a Hugging Face style hub?")
	case !isHex(d) || len(d) != 2*sha256.Size && len(d) != 2*sha1.Size:
		return "", fmt.Errorf("the hub's ETag %.80q is neither a SHA-256 nor git's hash: the file could not be checked", s)
	}
	return digest(d), nil
}

// check reads size bytes of content and compares. An error that is errChecksum tells that they differ.
func (d digest) check(ctx context.Context, content io.Reader, size int64) error {
	var h hash.Hash
	if len(d) == 2*sha256.Size {
		h = sha256.New()
	} else {
		h = sha1.New()
		fmt.Fprintf(h, "blob %d\x00", size)
	}
	buffer := make([]byte, 1<<20)
	if _, err := io.CopyBuffer(h, &interruptible{ctx, content}, buffer); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != string(d) {
		return fmt.Errorf("%w: what came has %s, the hub tells %s", errChecksum, got, d)
	}
	return nil
}

// interruptible is a reader that ends with its context.
type interruptible struct {
	ctx context.Context
	r   io.Reader
}

func (r *interruptible) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
