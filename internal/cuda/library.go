//go:build gpu && cgo && linux

package cuda

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/seed-aefebe89/graft/internal/cuda/ptx"
)

// Library are the kernels of the .ptx files of a folder. A file is compiled when one of its kernels is first asked for:
// that takes up to a second or so for a large one, unless the driver has it in its cache. It serves one goroutine at a time.
type Library struct {
	device    *Device
	folder    fs.FS
	files     map[string]string // by kernel
	modules   map[string]*Module
	functions map[string]*Function
	// Loaded is called for each kernel of a file that was loaded, before any of them is launched; nil does nothing.
	Loaded func(*Function) error
}

// NewLibrary lists the kernels of a folder, and loads none.
func (d *Device) NewLibrary(folder fs.FS) (*Library, error) {
	names, err := fs.Glob(folder, "*.ptx")
	if err != nil {
		return nil, err
	}
	l := &Library{device: d, folder: folder, files: map[string]string{}, modules: map[string]*Module{}, functions: map[string]*Function{}}
	for _, name := range names {
		text, err := fs.ReadFile(folder, name)
		if err != nil {
			return nil, err
		}
		for _, kernel := range ptx.Names(string(text)) {
			if other := l.files[kernel]; other != "" {
				return nil, fmt.Errorf("kernel %s is in %s and in %s", kernel, other, name)
			}
			l.files[kernel] = name
		}
	}
	return l, nil
}

// Ready tells whether the kernel's file is loaded, so that Function takes no time and may be called while a stream is
// captured.
func (l *Library) Ready(name string) bool { return l.functions[name] != nil }

// Function is the kernel of a name, whose file it loads if need be.
func (l *Library) Function(name string) (*Function, error) {
	if f := l.functions[name]; f != nil {
		return f, nil
	}
	file := l.files[name]
	if file == "" {
		return nil, fmt.Errorf("finding kernel %s: no PTX holds it", name)
	}
	if err := l.load(file); err != nil {
		return nil, fmt.Errorf("loading %s: %w", file, err)
	}
	f := l.functions[name]
	if f == nil {
		return nil, fmt.Errorf("finding kernel %s: %s names it and does not hold it", name, file)
	}
	return f, nil
}

// Modules are the files that are loaded, in the order of their names.
func (l *Library) Modules() (files []string) {
	for name := range l.modules {
		files = append(files, name)
	}
	slices.Sort(files)
	return files
}

func (l *Library) load(file string) error {
	text, err := fs.ReadFile(l.folder, file)
	if err != nil {
		return err
	}
	m, err := l.device.Load(string(text))
	if err != nil {
		return err
	}
	found, err := l.find(m)
	if err != nil {
		return errors.Join(err, m.Close())
	}
	l.modules[file] = m
	for _, f := range found {
		l.functions[f.Name] = f
	}
	return nil
}

// find makes all of a module's kernels ready to be launched.
func (l *Library) find(m *Module) (all []*Function, err error) {
	for name := range m.entries {
		f, err := m.Function(name)
		if err == nil && l.Loaded != nil {
			err = l.Loaded(f)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, nil
}

// Close unloads the modules.
func (l *Library) Close() error {
	var err error
	for _, m := range l.modules {
		err = errors.Join(err, m.Close())
	}
	l.modules, l.functions, l.files = nil, nil, nil
	return err
}
