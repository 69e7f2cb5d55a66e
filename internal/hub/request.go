package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	maxTries     = 5           // without an answer, or without a byte more
	maxWait      = time.Minute // that a hub may ask for
	maxRedirects = 10
	maxInfo      = 64 << 20 // bytes of a repository's list of files
)

// clients makes the two ways to ask. look stops at the answer that has a large file's digest, which is the hub's
// redirection to who keeps its content; follow goes on to the content. Both leave the token out of requests to any other
// host, port or scheme than the endpoint's.
func (c *Client) clients() (look, follow *http.Client, err error) {
	home, err := url.Parse(c.Endpoint)
	if err != nil {
		return nil, nil, fmt.Errorf("the hub's address: %w", err)
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = c.timeout()
	t.DisableCompression = true // lengths and ranges are those of the content
	send := &tokenTransport{home, c.Token, t}
	hop := func(r *http.Request, via []*http.Request) error {
		switch {
		case len(via) > maxRedirects:
			return fmt.Errorf("more than %d redirections", maxRedirects)
		case home.Scheme == "https" && r.URL.Scheme != "https":
			return errors.New("the hub redirects from https to " + r.URL.Scheme)
		}
		return nil
	}
	look = &http.Client{Transport: send, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if r.Response.Header.Get(linkedETag) != "" {
			return http.ErrUseLastResponse
		}
		return hop(r, via)
	}}
	return look, &http.Client{Transport: send, CheckRedirect: hop}, nil
}

// tokenTransport adds the token to requests to one origin. net/http's own rule, which keeps a header on the way to
// subdomains and other ports, would hand it to others.
type tokenTransport struct {
	home  *url.URL
	token string
	next  http.RoundTripper
}

func (t *tokenTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", "graft")
	r.Header.Del("Authorization")
	r.Header.Del("Referer") // net/http's own; signed addresses are nobody else's business
	if t.token != "" && sameOrigin(r.URL, t.home) {
		r.Header.Set("Authorization", "Bearer "+t.token)
	}
	return t.next.RoundTrip(r)
}

func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && a.Hostname() == b.Hostname() && port(a) == port(b)
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}

// request asks once. An answer other than 200, 206 or (of look) a redirection is a *StatusError.
func request(ctx context.Context, client *http.Client, method, address string, from int64) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return nil, err
	}
	if from > 0 {
		r.Header.Set("Range", "bytes="+strconv.FormatInt(from, 10)+"-")
	}
	a, err := client.Do(r)
	if err != nil {
		return nil, bare(err)
	}
	switch s := a.StatusCode; {
	case s == http.StatusOK, s == http.StatusPartialContent && from > 0, s >= 300 && s < 400 && a.Header.Get("Location") != "":
		return a, nil
	}
	a.Body.Close()
	return nil, statusError(a)
}

// bare leaves the address out of an error of net/http: that of a redirection may be signed.
func bare(err error) error {
	var u *url.Error
	if !errors.As(err, &u) {
		return err
	}
	if at, e := url.Parse(u.URL); e == nil {
		return fmt.Errorf("asking %s: %w", at.Host, u.Err)
	}
	return u.Err
}

// get reads an answer of the hub itself, trying again where that may help.
func (c *Client) get(ctx context.Context, client *http.Client, address string) ([]byte, error) {
	for try := 1; ; try++ {
		b, err := c.getOnce(ctx, client, address)
		if err == nil {
			return b, nil
		}
		if err := c.wait(ctx, try, err); err != nil {
			return nil, err
		}
	}
}

func (c *Client) getOnce(ctx context.Context, client *http.Client, address string) ([]byte, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	a, err := request(ctx, client, http.MethodGet, address, 0)
	if err != nil {
		return nil, err
	}
	defer a.Body.Close()
	b, err := io.ReadAll(io.LimitReader(c.watch(a.Body, cancel), maxInfo+1))
	if err == nil && len(b) > maxInfo {
		err = fmt.Errorf("the answer is longer than %d MB", maxInfo>>20)
	}
	return b, cause(ctx, err)
}

// head asks for a file's headers.
func (c *Client) head(ctx context.Context, client *http.Client, address string) (*http.Response, error) {
	for try := 1; ; try++ {
		a, err := request(ctx, client, http.MethodHead, address, 0)
		if err == nil {
			return a, a.Body.Close()
		}
		if err := c.wait(ctx, try, err); err != nil {
			return nil, err
		}
	}
}

// wait waits before another try, for longer each time or as long as the hub says. It returns err where no other try
// would help or there were enough.
func (c *Client) wait(ctx context.Context, try int, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	d := 500 * time.Millisecond << min(try-1, 10)
	var s *StatusError
	if errors.As(err, &s) {
		if !s.temporary() {
			return err
		}
		if s.After > maxWait {
			return fmt.Errorf("%w; it asks to wait for %v", err, s.After)
		}
		d = max(d, s.After)
	} else if !temporary(err) {
		return err
	}
	if try >= maxTries {
		return err
	}
	c.Progress.Printf("%v; trying again in %v", err, d)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-c.after(d):
		return nil
	}
}

// temporary tells whether an error of the network may pass.
func temporary(err error) bool {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return !dns.IsNotFound
	}
	var n net.Error
	return errors.As(err, &n) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, errStalled)
}

// errStalled is the cause of a request that is cut off because nothing comes.
var errStalled = errors.New("the connection stalled")

// watch is a body that is given up when nothing comes of it for the timeout.
func (c *Client) watch(body io.Reader, cancel context.CancelCauseFunc) io.Reader {
	return &watched{body, c.timeout(), cancel}
}

type watched struct {
	r      io.Reader
	d      time.Duration
	cancel context.CancelCauseFunc
}

func (w *watched) Read(p []byte) (int, error) {
	t := time.AfterFunc(w.d, func() { w.cancel(errStalled) })
	defer t.Stop()
	return w.r.Read(p)
}

// cause tells why a context ended where that is why reading did.
func cause(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errStalled) {
		return errStalled
	}
	return err
}
