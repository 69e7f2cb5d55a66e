package hub

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-aefebe89/graft/internal/hub/hubtest"
)

func TestRefusalsSayWhatToDo(t *testing.T) {
	for name, x := range map[string]struct {
		set  func(*hubtest.Hub, *Client)
		id   string
		rev  string
		want string
	}{
		"no such model":       {id: "org/nothing", want: "the hub has no model org/nothing, or it is private: check the name, or set HF_TOKEN"},
		"no such revision":    {rev: "v9", want: `org/name has no branch, tag or commit "v9"`},
		"a private model":     {set: func(h *hubtest.Hub, c *Client) { h.Token = "hf_abc" }, want: "set HF_TOKEN to a token"},
		"a wrong token":       {set: func(h *hubtest.Hub, c *Client) { h.Token, c.Token = "hf_abc", "hf_x" }, want: "the token in use may not read it"},
		"a gated model":       {set: func(h *hubtest.Hub, c *Client) { h.Gated = true }, want: "org/name is gated: accept its conditions at http"},
		"forbidden":           {set: status(403), want: "may not be read"},
		"no hub":              {set: text("<html>"), want: "is HF_ENDPOINT a Hugging Face style hub"},
		"a hostile commit":    {set: text(`{"sha":"../../etc"}`), want: `the commit is "../../etc"`},
		"an id of three":      {id: "a/b/c", want: "is no model's name on a hub"},
		"an id that climbs":   {id: "../x", want: "is no model's name on a hub"},
		"a rev that climbs":   {rev: "../../x", want: "may lead out"},
		"an absolute rev":     {rev: "/etc/passwd", want: "may lead out"},
		"a failing hub":       {set: status(503), want: "503 Service Unavailable"},
		"too many requests":   {set: after(429, "3600"), want: "it asks to wait for 1h0m0s"},
		"offline, not cached": {set: func(h *hubtest.Hub, c *Client) { c.Offline = true }, want: `holds no org/name at "main", and HF_HUB_OFFLINE`},
		"nobody there":        {set: func(h *hubtest.Hub, c *Client) { h.API.Close() }, want: "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			h, c, _ := start(t)
			if x.set != nil {
				x.set(h, c)
			}
			if x.id == "" {
				x.id = model
			}
			s, err := c.Resolve(context.Background(), x.id, x.rev)
			if err == nil {
				_, err = s.Fetch(context.Background(), "config.json")
			}
			if err == nil || !strings.Contains(err.Error(), x.want) {
				t.Errorf("error %v, want one with %q", err, x.want)
			}
			if err != nil && (strings.Contains(err.Error(), "hf_") || strings.Contains(err.Error(), "secret")) {
				t.Errorf("the error tells what is secret: %v", err)
			}
		})
	}
}

func status(code int) func(*hubtest.Hub, *Client) { return after(code, "") }

func after(code int, seconds string) func(*hubtest.Hub, *Client) {
	return func(h *hubtest.Hub, c *Client) {
		h.Before = func(w http.ResponseWriter, r *http.Request, content bool) bool {
			if seconds != "" {
				w.Header().Set("Retry-After", seconds)
			}
			w.WriteHeader(code)
			return true
		}
	}
}

func text(s string) func(*hubtest.Hub, *Client) {
	return func(h *hubtest.Hub, c *Client) {
		h.Before = func(w http.ResponseWriter, r *http.Request, content bool) bool {
			fmt.Fprint(w, s)
			return true
		}
	}
}

func TestABusyHubIsAskedAgainWhenItSays(t *testing.T) {
	h, c, waits := start(t)
	n := 0
	h.Before = func(w http.ResponseWriter, r *http.Request, content bool) bool {
		if n++; n > 2 {
			return false
		}
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
	holds(t, h, resolve(t, c, ""), "config.json")
	if !slices.Equal(*waits, []time.Duration{7 * time.Second, 7 * time.Second}) {
		t.Errorf("waited for %v", *waits)
	}
}

func TestTheCacheServesWhileTheHubIsDown(t *testing.T) {
	for name, down := range map[string]func(*hubtest.Hub, *Client){
		"no connection": func(h *hubtest.Hub, c *Client) { h.Close() },
		"503":           status(503),
		"no such host":  func(h *hubtest.Hub, c *Client) { c.Endpoint = "http://no.such.host.invalid" },
	} {
		t.Run(name, func(t *testing.T) {
			h, c, _ := start(t)
			holds(t, h, resolve(t, c, ""), "config.json")
			down(h, c)
			s := resolve(t, c, "")
			if s.Cached == nil || s.Commit != hubtest.Commit {
				t.Errorf("resolved to %+v", s)
			}
			holds(t, h, s, "config.json")
			if _, err := s.Fetch(context.Background(), "onnx/model.onnx"); err == nil || !strings.Contains(err.Error(), "the cache lacks it") {
				t.Errorf("what was never fetched: %v", err)
			}
		})
	}
}
