package app

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/internal/hub"
	"github.com/seed-aefebe89/graft/tokenize"
)

// PullOptions are the settings of Pull.
type PullOptions struct {
	ID       string // "ORG/NAME"
	Revision string // branch, tag or commit; "" is "main"
	File     string // the ONNX file; "" is model.onnx, else onnx/model.onnx
	To       string // folder to put copies in; "" leaves the files in the cache
}

// Pulled is a model that is there.
type Pulled struct {
	Model     string   // what the other commands take for it: its folder, or the ONNX file where that is not the folder's own
	Commit    string   // 40 hexadecimal digits
	Files     []string // names in the repository
	Cached    error    // why the files are the cache's and the hub was not asked; nil where it was
	Tokenizer bool     // whether there is a file to make a tokenizer of
}

// companions are what importer and tokenize read beside a model, besides the tokenizer's own file.
var companions = []string{"config.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt"}

// Pull fetches an ONNX model from a hub: its configuration and tokenizer, the ONNX file, and the files that hold that
// one's weights. What the cache holds is not fetched again; a run that was interrupted is completed by the next.
func Pull(ctx context.Context, c *hub.Client, o PullOptions) (*Pulled, error) {
	s, err := c.Resolve(ctx, o.ID, o.Revision)
	if err != nil {
		return nil, err
	}
	file, err := onnxFile(s, o.File)
	if err != nil {
		return nil, err
	}
	p := &Pulled{Commit: s.Commit, Cached: s.Cached}
	fetch := func(name string) error {
		if slices.Contains(p.Files, name) {
			return nil
		}
		p.Files = append(p.Files, name)
		_, err := s.Fetch(ctx, name)
		return err
	}
	for _, dir := range folders(file) {
		for _, name := range slices.Concat(companions, tokenize.FileNames()) {
			full := path.Join(dir, name)
			if !s.Has(full) {
				continue
			}
			p.Tokenizer = p.Tokenizer || slices.Contains(tokenize.FileNames(), name)
			if err := fetch(full); err != nil {
				return nil, err
			}
		}
	}
	if err := fetch(file); err != nil {
		return nil, err
	}
	others, err := externalFiles(s, file)
	if err != nil {
		return nil, err
	}
	for _, name := range others {
		if err := fetch(name); err != nil {
			return nil, fmt.Errorf("%s keeps weights in %q: %w", file, name, err)
		}
	}
	dir := s.Dir
	if o.To != "" {
		dir = o.To
		if err := s.CopyTo(ctx, dir, p.Files); err != nil {
			return nil, err
		}
	}
	p.Model = filepath.Join(dir, filepath.FromSlash(file))
	if own, err := importer.Find(dir); err == nil && own == p.Model {
		p.Model = dir
	}
	return p, nil
}

// onnxFile is the name of the ONNX file that is asked for, or of the one that a folder's models are looked for in.
func onnxFile(s *hub.Snapshot, name string) (string, error) {
	if name != "" && s.Has(name) {
		return name, nil
	}
	var there []string
	for _, f := range s.Files {
		if strings.HasSuffix(f, ".onnx") {
			there = append(there, f)
		}
	}
	where := fmt.Sprintf("%s at %s", s.ID, s.Revision)
	if s.Cached != nil {
		where += " in the cache"
	}
	switch {
	case len(there) == 0:
		return "", fmt.Errorf("%s holds no ONNX file: export the model first, for example with optimum", where)
	case name != "":
		return "", fmt.Errorf("%s holds no %q, but %s", where, name, strings.Join(there, ", "))
	}
	for _, name := range importer.FileNames() {
		if s.Has(name) {
			return name, nil
		}
	}
	return "", fmt.Errorf("%s holds no %s, but %s: name one", where, strings.Join(importer.FileNames(), " nor "), strings.Join(there, ", "))
}

// folders are where a model's configuration and tokenizer may stand: the repository's root, and the ONNX file's folder.
func folders(file string) []string {
	if dir := path.Dir(file); dir != "." {
		return []string{"", dir}
	}
	return []string{""}
}

// externalFiles are the names in the repository of the files that an ONNX file keeps tensors in, sorted. One that would
// lead out of the ONNX file's folder is an error.
func externalFiles(s *hub.Snapshot, file string) (names []string, err error) {
	m, err := onnx.Open(s.Path(file))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	for _, location := range m.ExternalFiles() {
		if !filepath.IsLocal(filepath.FromSlash(location)) {
			return nil, fmt.Errorf("%s keeps weights in %.200q, which leads out of the model's folder", file, location)
		}
		names = append(names, path.Join(path.Dir(file), location))
	}
	return names, nil
}
