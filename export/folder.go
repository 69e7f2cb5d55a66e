package export

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/internal/atomicfile"
)

// Folder is the manifest of an export folder, its graft.json: the slotted graph of one base and any number of deltas
// beside it, each in a folder of its name.
type Folder struct {
	Format      int      `json:"format"`      // 1
	Base        string   `json:"base"`        // the base's folder, relative to this one
	Data        string   `json:"data"`        // the folder that the graph's external data lies in, relative to this one
	Digest      *Digest  `json:"digest"`      // of the base
	Logits      string   `json:"logits"`      // the output that a delta's head gives
	Activations []string `json:"activations"` // of the bottlenecks that the graph takes
	Deltas      []string `json:"deltas"`

	dir string
}

// Names of files in an export folder.
const (
	SlottedFile   = "model.slotted.onnx"
	AdapterSuffix = ".onnx_adapter" // after the delta's name, in its folder
)

// WriteFolder writes deltas of a base, whose digest is given, to an export folder: each as an .onnx_adapter and in its
// own layout, and the slotted graph that takes them. Deltas that the folder holds already stay.
func WriteFolder(dir string, m *importer.Model, places []peft.Place, digest *Digest, deltas []*Delta) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := OpenFolder(dir)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = &Folder{Format: manifestFormat, Digest: digest, Activations: []string{kernel.ReLU.String()}, Deltas: []string{}, dir: dir}, nil
	}
	if err != nil {
		return nil, err
	}
	if err := f.Digest.Check(dir, digest); err != nil {
		return nil, err
	}
	for _, d := range deltas {
		if d.Base != nil {
			if err := d.Base.Check(d.Name, digest); err != nil {
				return nil, err
			}
		}
		if b, ok := d.Method.(peft.Bottleneck); ok && !slices.Contains(f.Activations, b.Activation.String()) {
			f.Activations = append(f.Activations, b.Activation.String())
		}
	}
	if err := f.writeSlotted(m, places); err != nil {
		return nil, err
	}
	for _, d := range deltas {
		if err := f.writeDelta(d, m, places); err != nil {
			return nil, err
		}
	}
	sort.Strings(f.Deltas)
	return f, writeJSON(filepath.Join(dir, ManifestFile), f)
}

// OpenFolder reads the manifest of an export folder.
func OpenFolder(dir string) (*Folder, error) {
	path := filepath.Join(dir, ManifestFile)
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f := &Folder{dir: dir}
	if err := json.Unmarshal(b, f); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if f.Format != manifestFormat || f.Digest == nil || f.Logits == "" {
		return nil, fmt.Errorf("%s is no manifest of an export folder", path)
	}
	return f, nil
}

// BaseDir is the base's folder, and DataDir the one that the slotted graph's external data lies in.
func (f *Folder) BaseDir() string { return filepath.Join(f.dir, filepath.FromSlash(f.Base)) }

// DataDir is the folder that the slotted graph's external data lies in.
func (f *Folder) DataDir() string { return filepath.Join(f.dir, filepath.FromSlash(f.Data)) }

// Slotted is the path of the slotted graph.
func (f *Folder) Slotted() string { return filepath.Join(f.dir, SlottedFile) }

// DeltaDir is the folder of a delta.
func (f *Folder) DeltaDir(name string) (string, error) {
	if !slices.Contains(f.Deltas, name) {
		return "", fmt.Errorf("%s holds no delta %q; it holds %v", f.dir, name, f.Deltas)
	}
	return filepath.Join(f.dir, name), nil
}

// Adapter is the path of a delta's .onnx_adapter.
func (f *Folder) Adapter(name string) (string, error) {
	dir, err := f.DeltaDir(name)
	return filepath.Join(dir, name+AdapterSuffix), err
}

// writeSlotted writes the slotted graph and notes where its base is.
func (f *Folder) writeSlotted(m *importer.Model, places []peft.Place) error {
	var o SlotOptions
	for _, a := range kernel.Activations() {
		if slices.Contains(f.Activations, a.String()) {
			o.Activations = append(o.Activations, a)
		}
	}
	s, err := NewSlotted(m, places, o)
	if err != nil {
		return err
	}
	b, err := s.Model.Encode()
	if err != nil {
		return err
	}
	f.Logits = s.Logits
	if f.Base, err = relative(f.dir, m.Dir); err != nil {
		return err
	}
	if f.Data, err = relative(f.dir, s.Folder); err != nil {
		return err
	}
	return atomicfile.WriteBytes(f.Slotted(), b)
}

func (f *Folder) writeDelta(d *Delta, m *importer.Model, places []peft.Place) error {
	if filepath.Base(d.Name) != d.Name || d.Name == "." || d.Name == ".." {
		return fmt.Errorf("the delta's name %q is no file name", d.Name)
	}
	dir := filepath.Join(f.dir, d.Name)
	c := *d
	c.Base = f.Digest
	if err := WriteDelta(dir, &c, m, places); err != nil {
		return err
	}
	slots, err := d.Slots(places)
	if err != nil {
		return err
	}
	if !slices.Contains(f.Deltas, d.Name) {
		f.Deltas = append(f.Deltas, d.Name)
	}
	return atomicfile.WriteBytes(filepath.Join(dir, d.Name+AdapterSuffix), EncodeAdapter(slots, f.Digest.Number()))
}

// Number is the head of the digest, for formats that keep a number of the base: 31 bits.
func (d *Digest) Number() int32 {
	var n int32
	fmt.Sscanf(d.SHA256, "%7x", &n)
	return n
}

// relative is a path as seen from a folder, with forward slashes.
func relative(from, path string) (string, error) {
	from, err := filepath.Abs(from)
	if err != nil {
		return "", err
	}
	if path, err = filepath.Abs(path); err != nil {
		return "", err
	}
	rel, err := filepath.Rel(from, path)
	return filepath.ToSlash(rel), err
}
