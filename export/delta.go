// Package export writes what was trained: deltas in the layouts of Hugging Face PEFT and of AdapterHub, the same as
// .onnx_adapter files for onnxruntime, the slotted graph that takes them while its weights stay in the user's own file,
// and primed bases as ONNX model folders. It never rewrites a base.
package export

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/internal/atomicfile"
	"github.com/seed-aefebe89/graft/internal/safetensors"
)

// Delta is what one task adds to a base: an adapter and a head.
type Delta struct {
	Name    string
	Method  peft.Method
	Labels  []string        // by class
	Tensors []Tensor        // as peft.Params and peft.HeadParams name and shape them
	Base    *Digest         // of the base that it was trained on; nil where its folder does not tell
	Record  json.RawMessage // how it was trained
}

// Tensor is a trained parameter.
type Tensor struct {
	Name  string
	Shape []int
	Data  []float32
}

// Get returns the tensor of a name.
func (d *Delta) Get(name string) (Tensor, error) {
	for _, t := range d.Tensors {
		if t.Name == name {
			return t, nil
		}
	}
	return Tensor{}, fmt.Errorf("the delta %q has no tensor %q", d.Name, name)
}

// ManifestFile is the name of graft's own file in the folder of a delta.
const ManifestFile = "graft.json"

// manifest is the content of a delta's graft.json.
type manifest struct {
	Format int             `json:"format"` // 1
	Name   string          `json:"name"`
	Method string          `json:"method"`
	Labels []string        `json:"labels"`
	Base   *Digest         `json:"base"`
	Record json.RawMessage `json:"record,omitempty"`
}

const manifestFormat = 1

// WriteDelta writes a delta's folder: the source of truth in the layout of the library that knows the method, and
// graft.json. places are those of the base.
func WriteDelta(dir string, d *Delta, m *importer.Model, places []peft.Place) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var err error
	switch method := d.Method.(type) {
	case peft.LoRA:
		err = writePEFT(dir, d, method, m)
	case peft.Bottleneck:
		err = writeAdapterHub(dir, d, method, m, places)
	default:
		err = fmt.Errorf("there is no layout for %T", d.Method)
	}
	if err == nil {
		err = writeJSON(filepath.Join(dir, ManifestFile), manifest{manifestFormat, d.Name, d.Method.Name(), d.Labels, d.Base, d.Record})
	}
	if err != nil {
		return fmt.Errorf("writing the delta %q: %w", d.Name, err)
	}
	return nil
}

// ReadDelta reads a delta's folder: one that WriteDelta wrote, or one of Hugging Face PEFT or AdapterHub. places are
// those of the base that it is for, m is that base.
func ReadDelta(dir string, m *importer.Model, places []peft.Place) (*Delta, error) {
	d, err := readDelta(dir, m, places)
	if err != nil {
		return nil, fmt.Errorf("reading the delta %s: %w", dir, err)
	}
	return d, nil
}

func readDelta(dir string, m *importer.Model, places []peft.Place) (*Delta, error) {
	b, err := os.ReadFile(filepath.Join(dir, "adapter_config.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("it holds no adapter_config.json")
	}
	if err != nil {
		return nil, err
	}
	var kind struct {
		PEFT   string          `json:"peft_type"`
		Config json.RawMessage `json:"config"`
	}
	if err := json.Unmarshal(b, &kind); err != nil {
		return nil, fmt.Errorf("adapter_config.json: %w", err)
	}
	d := &Delta{Name: filepath.Base(filepath.Clean(dir))}
	switch {
	case kind.PEFT != "":
		err = readPEFT(dir, b, d, m, places)
	case kind.Config != nil:
		err = readAdapterHub(dir, b, d, m, places)
	default:
		err = errors.New("adapter_config.json is neither PEFT's nor AdapterHub's")
	}
	if err != nil {
		return nil, err
	}
	var mf manifest
	switch b, err = os.ReadFile(filepath.Join(dir, ManifestFile)); {
	case err == nil:
		if err := json.Unmarshal(b, &mf); err != nil {
			return nil, fmt.Errorf("%s: %w", ManifestFile, err)
		}
		if mf.Format != manifestFormat {
			return nil, fmt.Errorf("%s has format %d, this version of graft reads %d", ManifestFile, mf.Format, manifestFormat)
		}
		d.Name, d.Base, d.Record, d.Labels = mf.Name, mf.Base, mf.Record, mf.Labels
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	return d, d.check(places)
}

// check returns an error unless the delta has just the tensors that its method and labels ask for.
func (d *Delta) check(places []peft.Place) error {
	if err := d.Method.Check(places); err != nil {
		return err
	}
	hidden := 0
	for _, p := range places {
		if p.Kind == peft.Top {
			hidden = p.Out
		}
	}
	specs := append(peft.Params(d.Method, places), peft.HeadParams(len(d.Labels), hidden)...)
	for _, s := range specs {
		t, err := d.Get(s.Name)
		if err != nil {
			return err
		}
		if fmt.Sprint(t.Shape) != fmt.Sprint(s.Shape) || len(t.Data) != s.Size() {
			return fmt.Errorf("the tensor %q has shape %v, want %v", s.Name, t.Shape, s.Shape)
		}
	}
	if len(specs) != len(d.Tensors) {
		known := map[string]bool{}
		for _, s := range specs {
			known[s.Name] = true
		}
		for _, t := range d.Tensors {
			if !known[t.Name] {
				return fmt.Errorf("the tensor %q has no place in the model", t.Name)
			}
		}
	}
	return nil
}

func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.WriteBytes(path, append(b, '\n'))
}

func writeTensors(path string, ts []safetensors.Tensor) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		return safetensors.Write(w, ts, map[string]string{"format": "pt"})
	})
}
