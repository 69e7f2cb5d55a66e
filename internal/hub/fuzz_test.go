package hub

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Whatever a hub answers, what is taken of it cannot lead out of the cache.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"sha":"0123456789abcdef0123456789abcdef01234567","siblings":[{"rfilename":"a/b"},{"rfilename":"../x"}]}`), `W/"0123456789abcdef0123456789abcdef01234567"`)
	f.Add([]byte(`{"sha":"..","siblings":null}`), `"../../x"`)
	f.Add([]byte(`[]`), ``)
	f.Fuzz(func(t *testing.T, b []byte, etag string) {
		if d, err := parseETag(etag); err == nil && strings.ContainsAny(string(d), `/\.`) {
			t.Errorf("ETag %q is %q", etag, d)
		}
		retryAfter(etag)
		commit, files, err := parseInfo(b)
		if err != nil {
			return
		}
		if !isCommit(commit) || !slices.IsSorted(files) {
			t.Errorf("commit %q, files %q", commit, files)
		}
		for _, name := range files {
			if checkName(name) != nil {
				continue
			}
			rel, err := filepath.Rel("/root", filepath.Join("/root", filepath.FromSlash(name)))
			if err != nil || rel == "." || rel == ".." || strings.HasPrefix(rel, ".."+string(os.PathSeparator)) {
				t.Errorf("%q leads to %q", name, rel)
			}
		}
	})
}
