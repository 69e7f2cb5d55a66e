package hub

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// maxName bounds names; file systems take less.
const maxName = 1024

var repoID = regexp.MustCompile(`^(?:[A-Za-z0-9_][\w.-]{0,95}/)?[A-Za-z0-9_][\w.-]{0,95}$`)

// checkID checks the name of a repository: "ORG/NAME", or "NAME" alone for those from before there were organisations.
func checkID(id string) error {
	switch {
	case !repoID.MatchString(id), strings.Contains(id, "--"), strings.Contains(id, ".."), strings.HasSuffix(id, ".git"):
		return fmt.Errorf("%q is no model's name on a hub, such as intfloat/multilingual-e5-small", id)
	}
	return nil
}

// checkRevision checks the name of a branch, tag or commit, which may hold slashes: "refs/pr/1".
func checkRevision(s string) error {
	if err := checkName(s); err != nil {
		return fmt.Errorf("the revision: %w", err)
	}
	return nil
}

// checkName checks a path with forward slashes that comes from outside: it must stay in the folder that it is put in, on
// every system.
func checkName(s string) error {
	switch {
	case s == "":
		return errors.New("a name is empty")
	case len(s) > maxName:
		return fmt.Errorf("the name %.40q… has %d bytes", s, len(s))
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }), path.Clean(s) != s,
		!filepath.IsLocal(filepath.FromSlash(s)), s == ".":
		return fmt.Errorf("the name %q may lead out of the model's folder", s)
	}
	return nil
}

// isCommit tells whether s is a commit's whole hash.
func isCommit(s string) bool { return len(s) == 40 && isHex(s) }

func isHex(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && s == strings.ToLower(s)
}

// folder is the name of a repository's folder in the cache.
func folder(id string) string { return "models--" + strings.ReplaceAll(id, "/", "--") }

// infoURL answers with a revision's commit and files.
func (c *Client) infoURL(id, revision string) string {
	return c.Endpoint + "/api/models/" + id + "/revision/" + url.PathEscape(revision)
}

// fileURL answers with a file, or a redirection to it.
func (c *Client) fileURL(id, commit, name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return c.Endpoint + "/" + id + "/resolve/" + commit + "/" + strings.Join(parts, "/")
}
