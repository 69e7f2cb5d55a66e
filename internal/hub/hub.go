// Package hub fetches files of models from a Hugging Face style hub into the cache that Python's huggingface_hub keeps:
// what one has fetched the other finds.
//
//	cache/models--ORG--NAME/refs/main                    the commit of a branch or tag
//	cache/models--ORG--NAME/blobs/DIGEST                 content, named by its ETag
//	cache/models--ORG--NAME/blobs/DIGEST.incomplete      what has come of it so far
//	cache/models--ORG--NAME/snapshots/COMMIT/model.onnx  a relative link to a blob
//	cache/.locks/models--ORG--NAME/DIGEST.lock           held by who writes a blob
//
// Source: huggingface.co/docs/huggingface_hub/guides/manage-cache.
package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-aefebe89/graft/internal/progress"
)

// Client fetches from one hub into one cache.
type Client struct {
	Endpoint string             // the hub's address, without a slash at its end
	Token    string             // sent to the endpoint and nowhere else; "" for none
	Cache    string             // folder of the models' folders
	Offline  bool               // take what the cache holds
	Timeout  time.Duration      // how long to wait for an answer, or for more of it; 0 is 30 s
	Progress *progress.Reporter // may be nil
	pause    func(time.Duration) <-chan time.Time
}

const (
	defaultEndpoint = "https://huggingface.co"
	defaultTimeout  = 30 * time.Second
)

// FromEnv returns the client that Hugging Face's variables ask for, as Python's libraries read them: HF_ENDPOINT,
// HF_TOKEN (else the file HF_TOKEN_PATH, else HF_HOME/token; neither with HF_HUB_DISABLE_IMPLICIT_TOKEN), HF_HUB_CACHE
// (else HF_HOME/hub), HF_HOME (else XDG_CACHE_HOME/huggingface, else ~/.cache/huggingface), HF_HUB_OFFLINE (or
// TRANSFORMERS_OFFLINE) and HF_HUB_DOWNLOAD_TIMEOUT in seconds.
func FromEnv(getenv func(string) string) (*Client, error) {
	e := environment{getenv}
	base, err := e.home()
	if err != nil {
		return nil, err
	}
	c := &Client{
		Endpoint: strings.TrimRight(e.first("HF_ENDPOINT", defaultEndpoint), "/"),
		Cache:    e.path(e.first("HF_HUB_CACHE", e.first("HUGGINGFACE_HUB_CACHE", filepath.Join(base, "hub")))),
		Offline:  truth(e.first("HF_HUB_OFFLINE", getenv("TRANSFORMERS_OFFLINE"))),
	}
	if u, err := url.Parse(c.Endpoint); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("HF_ENDPOINT is %q, no address such as %s", c.Endpoint, defaultEndpoint)
	}
	if s := getenv("HF_HUB_DOWNLOAD_TIMEOUT"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > 1<<20 {
			return nil, fmt.Errorf("HF_HUB_DOWNLOAD_TIMEOUT is %q, no number of seconds", s)
		}
		c.Timeout = time.Duration(n) * time.Second
	}
	if !truth(getenv("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
		c.Token, err = e.token(base)
	}
	return c, err
}

// environment reads variables.
type environment struct{ get func(string) string }

func (e environment) first(name, other string) string {
	if s := e.get(name); s != "" {
		return s
	}
	return other
}

// home is HF_HOME.
func (e environment) home() (string, error) {
	if s := e.get("HF_HOME"); s != "" {
		return e.path(s), nil
	}
	if s := e.get("XDG_CACHE_HOME"); s != "" {
		return filepath.Join(e.path(s), "huggingface"), nil
	}
	s := e.get("HOME")
	if s == "" {
		var err error
		if s, err = os.UserHomeDir(); err != nil {
			return "", fmt.Errorf("finding the hub's cache: %w; set HF_HOME", err)
		}
	}
	return filepath.Join(s, ".cache", "huggingface"), nil
}

// path expands ~ and variables. Those that are not set stay as they are written.
func (e environment) path(s string) string {
	if rest, ok := strings.CutPrefix(s, "~"); ok && (rest == "" || rest[0] == '/' || rest[0] == filepath.Separator) {
		s = e.get("HOME") + rest
	}
	return filepath.Clean(os.Expand(s, func(name string) string { return e.first(name, "${"+name+"}") }))
}

// token is that of a variable, or of the file that a login leaves.
func (e environment) token(home string) (string, error) {
	from, s := "HF_TOKEN", e.first("HF_TOKEN", e.get("HUGGING_FACE_HUB_TOKEN"))
	if s == "" {
		from = e.path(e.first("HF_TOKEN_PATH", filepath.Join(home, "token")))
		b, err := os.ReadFile(from)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("reading the hub's token: %w", err)
		}
		s = string(b)
	}
	s = strings.TrimSpace(s)
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("%s holds characters that no token has", from)
	}
	return s, nil
}

func truth(s string) bool {
	return slices.Contains([]string{"1", "ON", "YES", "TRUE"}, strings.ToUpper(s))
}

func (c *Client) timeout() time.Duration {
	if c.Timeout > 0 {
		return c.Timeout
	}
	return defaultTimeout
}

// after is time.After; tests wait less.
func (c *Client) after(d time.Duration) <-chan time.Time {
	if c.pause != nil {
		return c.pause(d)
	}
	return time.After(d)
}
