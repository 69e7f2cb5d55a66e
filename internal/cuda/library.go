//go:build gpu && cgo && linux

package cuda

import (
	"errors"
	"fmt"
	"io/fs"
)

// Library are the kernels of several modules.
type Library struct {
	modules   []*Module
	functions map[string]*Function
}

// LoadLibrary loads every .ptx file of a folder and finds every kernel in them.
func (d *Device) LoadLibrary(folder fs.FS) (*Library, error) {
	names, err := fs.Glob(folder, "*.ptx")
	if err != nil {
		return nil, err
	}
	l := &Library{functions: map[string]*Function{}}
	for _, name := range names {
		if err := l.load(d, folder, name); err != nil {
			return nil, errors.Join(fmt.Errorf("loading %s: %w", name, err), l.Close())
		}
	}
	return l, nil
}

func (l *Library) load(d *Device, folder fs.FS, name string) error {
	text, err := fs.ReadFile(folder, name)
	if err != nil {
		return err
	}
	m, err := d.Load(string(text))
	if err != nil {
		return err
	}
	l.modules = append(l.modules, m)
	for k := range m.entries {
		if l.functions[k] != nil {
			return fmt.Errorf("kernel %s is in another file too", k)
		}
		if l.functions[k], err = m.Function(k); err != nil {
			return err
		}
	}
	return nil
}

// Function is the kernel of a name.
func (l *Library) Function(name string) (*Function, error) {
	if f := l.functions[name]; f != nil {
		return f, nil
	}
	return nil, fmt.Errorf("finding kernel %s: no PTX holds it", name)
}

// Close unloads the modules.
func (l *Library) Close() error {
	var err error
	for _, m := range l.modules {
		err = errors.Join(err, m.Close())
	}
	l.modules, l.functions = nil, nil
	return err
}
