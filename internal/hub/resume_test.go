package hub

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed-aefebe89/graft/internal/hub/hubtest"
)

const big = "onnx/model.onnx"

// ranges lists what was asked for of the large file: "" for the whole.
func ranges(h *hubtest.Hub) []string {
	out := []string{}
	for _, line := range h.Log() {
		if strings.HasPrefix(line, "GET content") {
			_, r, _ := strings.Cut(line, " Range: ")
			out = append(out, r)
		}
	}
	return out
}

// cut sends so many bytes of the answers to come, and then breaks the connection; an answer without a number is whole.
func cut(h *hubtest.Hub, at ...int) {
	h.Before = func(w http.ResponseWriter, r *http.Request, content bool) bool {
		if !content || len(at) == 0 {
			return false
		}
		b := h.Files[big]
		from, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(r.Header.Get("Range"), "bytes="), "-"))
		w.Header().Set("Content-Length", strconv.Itoa(len(b)-from))
		if from > 0 {
			w.Header().Set("Content-Range", "bytes "+strconv.Itoa(from)+"-"+strconv.Itoa(len(b)-1)+"/"+strconv.Itoa(len(b)))
			w.WriteHeader(http.StatusPartialContent)
		}
		w.Write(b[from:][:at[0]])
		at = at[1:]
		panic(http.ErrAbortHandler)
	}
}

func TestABrokenConnectionIsResumed(t *testing.T) {
	h, c, waits := start(t)
	cut(h, 100_000, 50_000, 0, 0)
	holds(t, h, resolve(t, c, ""), big)
	// The server may lose what it had written last when it breaks off: ask what was in the file by then, not for 100,000.
	got := ranges(h)
	if len(got) != 5 || got[0] != "" || slices.Contains(got[1:], "") || got[2] != got[3] || got[3] != got[4] {
		t.Errorf("asked for %q", got)
	}
	// A try that brought something starts the waits anew.
	if w := *waits; len(w) != 4 || w[1] != w[0] || w[2] != 2*w[0] || w[3] != 4*w[0] {
		t.Errorf("waited for %v", w)
	}
}

func TestAConnectionThatBringsNothingIsGivenUp(t *testing.T) {
	h, c, _ := start(t)
	cut(h, 100_000, 0, 0, 0, 0, 0, 0, 0, 0)
	s := resolve(t, c, "")
	if _, err := s.Fetch(context.Background(), big); err == nil || !strings.Contains(err.Error(), "EOF") {
		t.Errorf("error %v", err)
	}
	if n := len(ranges(h)); n != maxTries { // the first of which brought something
		t.Errorf("asked %d times", n)
	}
}

func TestAnInterruptedDownloadGoesOn(t *testing.T) {
	h, c, _ := start(t)
	s := resolve(t, c, "")
	ctx, cancel := context.WithCancel(context.Background())
	h.Before = func(w http.ResponseWriter, r *http.Request, content bool) bool {
		if !content || r.Header.Get("Range") != "" {
			return false
		}
		w.Header().Set("Content-Length", "300000")
		w.Write(h.Files[big][:200_000])
		w.(http.Flusher).Flush()
		for { // until what was sent has been written
			if st, err := os.Stat(s.part(h)); err == nil && st.Size() == 200_000 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		cancel()
		<-r.Context().Done()
		return true
	}
	if _, err := s.Fetch(ctx, big); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	if st, err := os.Stat(s.part(h)); err != nil || st.Size() != 200_000 {
		t.Fatalf("what is left: %v, %v", st, err)
	}
	holds(t, h, resolve(t, c, ""), big)
	if got := ranges(h); !slices.Equal(got, []string{"", "bytes=200000-"}) {
		t.Errorf("asked for %q", got)
	}
}

// part is the large file's blob while it is incomplete.
func (s *Snapshot) part(h *hubtest.Hub) string {
	return filepath.Join(s.repo(), "blobs", hubtest.SHA256(h.Files[big])+".incomplete")
}

func TestWhatAnEarlierRunLeft(t *testing.T) {
	whole := content(300_000)
	wrong := slices.Clone(whole)
	wrong[17]++
	for name, x := range map[string]struct {
		left []byte
		want []string // ranges
	}{
		"nothing":                 {nil, []string{""}},
		"a part":                  {whole[:1000], []string{"bytes=1000-"}},
		"the whole":               {whole, []string{}},
		"a part of something":     {wrong[:1000], []string{"bytes=1000-", ""}},
		"the whole of something":  {wrong, []string{""}},
		"more than there is":      {append(slices.Clone(whole), 1), []string{""}},
		"one byte less than it":   {whole[:len(whole)-1], []string{"bytes=299999-"}},
		"all but the last, wrong": {wrong[:len(whole)-1], []string{"bytes=299999-", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			h, c, _ := start(t)
			s := resolve(t, c, "")
			if x.left != nil {
				put(t, s.part(h), x.left)
			}
			holds(t, h, s, big)
			if got := ranges(h); !slices.Equal(got, x.want) {
				t.Errorf("asked for %q, want %q", got, x.want)
			}
			if _, err := os.Stat(s.part(h)); err == nil {
				t.Error("the incomplete file is still there")
			}
		})
	}
}

// A blob that lost its end is no blob.
func TestABlobOfTheWrongLengthIsFetchedAgain(t *testing.T) {
	h, c, _ := start(t)
	s := resolve(t, c, "")
	put(t, filepath.Join(s.repo(), "blobs", hubtest.SHA256(h.Files[big])), h.Files[big][:10])
	holds(t, h, s, big)
}

func TestAnswersThatAreNotTheFile(t *testing.T) {
	whole := content(300_000)
	wrong := slices.Clone(whole)
	wrong[17]++
	send := func(b []byte, set ...string) func(w http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			for i := 0; i < len(set); i += 2 {
				w.Header().Set(set[i], set[i+1])
			}
			w.Write(b)
		}
	}
	for name, x := range map[string]struct {
		left   int // bytes of an earlier run
		answer func(w http.ResponseWriter)
		want   string
	}{
		"other content":      {0, send(wrong), "checksum"},
		"shorter":            {0, send(whole[:1000]), "length: "},
		"longer":             {0, send(append(slices.Clone(whole), 1), "Content-Length", "300001"), "length: "},
		"longer, in chunks":  {0, send(append(slices.Clone(whole), 1)), "length: "},
		"another range":      {5, func(w http.ResponseWriter) { partial(w, "bytes 7-299999/300000", whole[7:]) }, `Content-Range is "bytes 7-299999/300000"`},
		"no range":           {5, func(w http.ResponseWriter) { partial(w, "", whole[5:]) }, "Content-Range"},
		"unsatisfiable":      {5, func(w http.ResponseWriter) { w.WriteHeader(http.StatusRequestedRangeNotSatisfiable) }, "length: the file ends"},
		"a redirect in ring": {0, func(w http.ResponseWriter) { w.Header().Set("Location", "/ring"); w.WriteHeader(302) }, "redirections"},
		"an expired link":    {0, func(w http.ResponseWriter) { w.WriteHeader(403) }, "may not be read"},
	} {
		t.Run(name, func(t *testing.T) {
			h, c, _ := start(t)
			h.Before = func(w http.ResponseWriter, r *http.Request, content bool) bool {
				if content {
					x.answer(w)
				}
				return content
			}
			s := resolve(t, c, "")
			if x.left > 0 {
				put(t, s.part(h), whole[:x.left])
			}
			_, err := s.Fetch(context.Background(), big)
			if err == nil || !strings.Contains(err.Error(), x.want) {
				t.Errorf("error %v, want one with %q", err, x.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error holds a signed address: %v", err)
			}
			for _, f := range tree(t, c.Cache) {
				if strings.Contains(f, "snapshots") || strings.HasSuffix(f, "blobs/"+hubtest.SHA256(whole)) {
					t.Errorf("the cache holds %s", f)
				}
			}
		})
	}
}

func partial(w http.ResponseWriter, span string, b []byte) {
	if span != "" {
		w.Header().Set("Content-Range", span)
	}
	w.WriteHeader(http.StatusPartialContent)
	w.Write(b)
}

// A server that knows no ranges sends the whole again.
func TestAServerWithoutRanges(t *testing.T) {
	h, c, _ := start(t)
	h.Before = func(w http.ResponseWriter, r *http.Request, content bool) bool {
		if content {
			w.Write(h.Files[big])
		}
		return content
	}
	s := resolve(t, c, "")
	put(t, s.part(h), h.Files[big][:70_000])
	holds(t, h, s, big)
}

func TestAStalledConnectionIsGivenUp(t *testing.T) {
	h, c, _ := start(t)
	c.Timeout = 50 * time.Millisecond
	n := 0
	h.Before = func(w http.ResponseWriter, r *http.Request, content bool) bool {
		if n++; !content || r.Header.Get("Range") != "" {
			return false
		}
		w.Header().Set("Content-Length", "300000")
		w.Write(h.Files[big][:200_000])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	}
	holds(t, h, resolve(t, c, ""), big)
	if got := ranges(h); len(got) != 2 || got[0] != "" || got[1] == "" {
		t.Errorf("asked for %q", got)
	}
}

func TestETagsThatCannotBeCheckedAreRefused(t *testing.T) {
	for tag, want := range map[string]string{
		`"../../../x"`: "neither a SHA-256", `"abc-5"`: "neither a SHA-256", ``: "no ETag", `"` + strings.Repeat("Z", 64) + `"`: "neither",
		`"` + strings.Repeat("a", 64) + `"`: "checksum", `W/"` + strings.Repeat("a", 40) + `"`: "checksum",
	} {
		h, c, _ := start(t)
		h.Before = func(w http.ResponseWriter, r *http.Request, content bool) bool {
			if !strings.Contains(r.URL.Path, "/resolve/") {
				return false
			}
			if tag != "" {
				w.Header().Set("ETag", tag)
			}
			w.Write([]byte("text"))
			return true
		}
		if _, err := resolve(t, c, "").Fetch(context.Background(), big); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ETag %s: error %v, want one with %q", tag, err, want)
		}
	}
}
