package hub

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// StatusError is an answer that refuses.
type StatusError struct {
	Status  int
	Host    string
	Code    string        // X-Error-Code: "RepoNotFound", "GatedRepo", "RevisionNotFound", "EntryNotFound"
	Message string        // X-Error-Message
	After   time.Duration // Retry-After; 0 where the hub does not tell
}

func statusError(a *http.Response) *StatusError {
	return &StatusError{Status: a.StatusCode, Host: a.Request.URL.Host, Code: a.Header.Get("X-Error-Code"),
		Message: a.Header.Get("X-Error-Message"), After: retryAfter(a.Header.Get("Retry-After"))}
}

func (e *StatusError) Error() string {
	s := fmt.Sprintf("%s answers %d %s", e.Host, e.Status, http.StatusText(e.Status))
	if e.Message != "" {
		s += fmt.Sprintf(" (%.200q)", e.Message)
	}
	return s
}

// temporary tells whether the same request may be answered later.
func (e *StatusError) temporary() bool {
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// retryAfter reads a header that gives seconds or a date.
func retryAfter(s string) time.Duration {
	if n, err := strconv.Atoi(s); err == nil && n > 0 {
		return time.Duration(min(n, 1<<24)) * time.Second
	}
	if at, err := http.ParseTime(s); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// explain says what an answer of the hub means for a model, and what to do.
func (c *Client) explain(err error, id, revision string) error {
	var e *StatusError
	if !errors.As(err, &e) {
		return err
	}
	token := "set HF_TOKEN to a token that may read it"
	if c.Token != "" {
		token = "the token in use may not read it"
	}
	switch {
	case e.Code == "RevisionNotFound":
		return fmt.Errorf("%s has no branch, tag or commit %q: %w", id, revision, err)
	case e.Code == "EntryNotFound":
		return fmt.Errorf("%s has no such file at %q: %w", id, revision, err)
	case e.Code == "GatedRepo":
		return fmt.Errorf("%s is gated: accept its conditions at %s/%s, and %s: %w", id, c.Endpoint, id, token, err)
	case e.Code == "RepoNotFound", e.Code == "" && e.Status == http.StatusNotFound:
		return fmt.Errorf("the hub has no model %s, or it is private: check the name, or %s: %w", id, token, err)
	case e.Status == http.StatusUnauthorized, e.Status == http.StatusForbidden:
		return fmt.Errorf("%s may not be read: %s: %w", id, token, err)
	}
	return err
}
