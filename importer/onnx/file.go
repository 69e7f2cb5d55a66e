package onnx

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// File is a model whose file is mapped.
type File struct {
	*Model
	Path string // as it was opened

	src *source
}

// Open maps the file read-only and decodes it. Close it once nothing reads the model's tensors any more. The file must
// not be shortened while it is open. Where the system cannot map files, it is read.
func Open(path string) (*File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, fmt.Errorf("opening the model: %w", err)
	}
	defer f.Close()
	m, err := newMapping(f, path)
	if err != nil {
		return nil, fmt.Errorf("opening the model %s: %w", path, err)
	}
	src := &source{main: m, others: map[string]*mapping{}}
	model, err := decode(m.data, src)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("decoding %s: %w", path, err), src.close())
	}
	return &File{Model: model, Path: path, src: src}, nil
}

// Dir is the folder that external data is looked for in: that of Path.
func (f *File) Dir() string { return filepath.Dir(f.Path) }

// Close unmaps the file and its external data. Views of tensors that were handed out must not be used any more;
// asking for new ones is an error. Names, nodes and shapes stay.
func (f *File) Close() error { return f.src.close() }

// source is the mapped file of a model, and those of its external data that were asked for.
type source struct {
	main *mapping

	mu     sync.RWMutex
	others map[string]*mapping // by location
	shut   bool
}

// mapping is the content of a file.
type mapping struct {
	path  string
	data  []byte
	unmap func() error // nil where there is nothing to unmap
}

// newMapping maps f, which must be a regular file.
func newMapping(f *os.File, path string) (*mapping, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("it is not a regular file, but %v", info.Mode())
	}
	m := &mapping{path: path}
	if info.Size() == 0 {
		return m, nil
	}
	if int64(int(info.Size())) != info.Size() {
		return nil, fmt.Errorf("its %d bytes are more than an address space", info.Size())
	}
	if m.data, m.unmap, err = mapFile(f, int(info.Size())); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *mapping) close() error {
	if m.unmap == nil {
		return nil
	}
	return m.unmap()
}

// closed tells whether the file's views have ended. A model in memory has no source.
func (s *source) closed() bool {
	if s == nil {
		return false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.shut
}

func (s *source) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shut {
		return nil
	}
	s.shut = true
	err := s.main.close()
	for _, m := range s.others {
		err = errors.Join(err, m.close())
	}
	return err
}

// open maps the file of external data at a location, or returns the mapping that it already has.
func (s *source) open(location string) (*mapping, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shut {
		return nil, errors.New("the model's file is closed")
	}
	if m := s.others[location]; m != nil {
		return m, nil
	}
	f, path, err := s.find(location)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := newMapping(f, path)
	if err != nil {
		return nil, err
	}
	s.others[location] = m
	return m, nil
}

// find opens the file at a location. It must lie in the model's folder: no absolute path, no "..", no symbolic link
// that leads out. Where the model's file itself is a symbolic link, as in Hugging Face's cache, the location may be a
// link into the folder that the model's link leads to.
func (s *source) find(location string) (*os.File, string, error) {
	name := filepath.FromSlash(location)
	switch {
	case location == "":
		return nil, "", errors.New("no location is given")
	case !filepath.IsLocal(name) || slices.Contains(strings.Split(filepath.ToSlash(name), "/"), ".."):
		return nil, "", errors.New("the location leaves the model's folder")
	}
	dir := filepath.Dir(s.main.path)
	path := filepath.Join(dir, name)
	f, err := openIn(dir, name)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return f, path, err
	}
	if real, rel, ok := linked(s.main.path, path); ok {
		f, err = openIn(real, rel)
	}
	return f, path, err
}

// openIn opens a file that lies in a folder or below, whatever links there are on the way to it.
func openIn(dir, name string) (*os.File, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.OpenFile(name, os.O_RDONLY|openFlags, 0)
}

// linked resolves the links of a model and of its external data. It returns the folder of the former and the path of
// the latter in it, and whether it lies there.
func linked(model, data string) (dir, rel string, ok bool) {
	model, err := filepath.EvalSymlinks(model)
	if err != nil {
		return "", "", false
	}
	if data, err = filepath.EvalSymlinks(data); err != nil {
		return "", "", false
	}
	dir = filepath.Dir(model)
	rel, err = filepath.Rel(dir, data)
	return dir, rel, err == nil && filepath.IsLocal(rel)
}
