package export

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/internal/atomicfile"
)

// WriteBase writes a primed base as a model folder of the original's layout: the ONNX file with those weights replaced
// that trained holds, in the file's own shape, and the tokenizer and configuration beside it.
//
// Trained weights are stored as float32. Where the original keeps one in half precision behind a Cast, the Cast goes;
// where the graph computes in half precision itself, the trained values could not be kept, which is an error.
func WriteBase(dir string, m *importer.Model, trained map[*importer.Weight][]float32) error {
	if same, err := sameFolder(dir, m.Dir); err != nil || same {
		return errors.Join(err, errIf(same, "%s is the base's own folder, which is never written to", dir))
	}
	rel, err := filepath.Rel(m.Dir, m.Path)
	if err != nil {
		return err
	}
	named := map[string][]float32{}
	for w, x := range trained {
		for _, t := range append([]*onnx.Tensor{w.Tensor}, w.Copies...) {
			named[t.Name] = x
		}
	}
	model, err := withWeights(m.File.Model, named)
	if err != nil {
		return fmt.Errorf("writing the primed base: %w", err)
	}
	path := filepath.Join(dir, rel)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := copyBeside(dir, m.Dir); err != nil {
		return err
	}
	if err := writeExternal(filepath.Dir(path), model, m.File.Graph.Initializers); err != nil {
		return fmt.Errorf("writing the primed base: %w", err)
	}
	return atomicfile.Write(path, func(w io.Writer) error { _, err := model.WriteTo(w); return err })
}

func errIf(cond bool, format string, args ...any) error {
	if cond {
		return fmt.Errorf(format, args...)
	}
	return nil
}

// sameFolder tells whether two paths are one folder; one that is not there is none.
func sameFolder(a, b string) (bool, error) {
	x, err := os.Stat(a)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	y, err := os.Stat(b)
	if err != nil {
		return false, err
	}
	return os.SameFile(x, y), nil
}

// withWeights is a copy of a model with some initialisers replaced.
func withWeights(m *onnx.Model, trained map[string][]float32) (*onnx.Model, error) {
	out, g := *m, *m.Graph
	out.Graph = &g
	g.Initializers = slices.Clone(g.Initializers)
	gone := map[*onnx.Node]bool{}
	found := 0
	for i, t := range g.Initializers {
		x, ok := trained[t.Name]
		if !ok {
			continue
		}
		found++
		name := t.Name
		if t.Type != onnx.Float {
			casts, err := onlyCast(m.Graph, t)
			if err != nil {
				return nil, err
			}
			name = casts[0].Outputs[0]
			for _, c := range casts {
				gone[c] = true
			}
			if len(casts) > 1 {
				return nil, fmt.Errorf("the weight %q is cast %d times", t.Name, len(casts))
			}
		}
		n, err := t.Len()
		if err != nil || n != len(x) {
			return nil, fmt.Errorf("the weight %q has %d elements, %d were trained (%v)", t.Name, n, len(x), err)
		}
		c, err := onnx.NewLazyTensor(name, onnx.Float, t.Dims, func(w io.Writer) error { return onnx.WriteFloat32s(w, x) })
		if err != nil {
			return nil, err
		}
		g.Initializers[i] = c
	}
	if found != len(trained) {
		for name := range trained {
			if m.Graph.Initializer(name) == nil {
				return nil, fmt.Errorf("the weight %q is no initialiser of the model but a part of a fused one, or the numbers of a quantised one: what was trained cannot be kept in the file; use a float32 export of the model without onnxruntime's optimisation", name)
			}
		}
		return nil, fmt.Errorf("%d of %d trained weights are initialisers of the model", found, len(trained))
	}
	g.Nodes = slices.DeleteFunc(slices.Clone(g.Nodes), func(n *onnx.Node) bool { return gone[n] })
	return &out, nil
}

// onlyCast returns the nodes that read a weight, which must be casts to float32.
func onlyCast(g *onnx.Graph, t *onnx.Tensor) ([]*onnx.Node, error) {
	var casts []*onnx.Node
	for _, n := range g.Nodes {
		if !slices.Contains(n.Inputs, t.Name) {
			continue
		}
		if a := n.Attribute("to"); n.OpType != "Cast" || a == nil || onnx.DataType(a.I) != onnx.Float {
			return nil, fmt.Errorf("the weight %q is %v and read by %v: what was trained cannot be kept in it; use a float32 export of the model", t.Name, t.Type, n)
		}
		casts = append(casts, n)
	}
	if len(casts) == 0 {
		return nil, fmt.Errorf("no node reads the weight %q", t.Name)
	}
	return casts, nil
}

// writeExternal writes the files of tensors that stand outside of the model in the original, one after another in each
// file, and makes the model point there.
func writeExternal(dir string, m *onnx.Model, originals []*onnx.Tensor) error {
	byFile := map[string][]int{}
	for i, t := range originals {
		if t.External != nil {
			byFile[t.External.Location] = append(byFile[t.External.Location], i)
		}
	}
	for location, indices := range byFile {
		if !filepath.IsLocal(filepath.FromSlash(location)) {
			return fmt.Errorf("external data %q leaves the model's folder", location)
		}
		err := atomicfile.Write(filepath.Join(dir, filepath.FromSlash(location)), func(w io.Writer) error {
			at := int64(0)
			for _, i := range indices {
				t := m.Graph.Initializers[i]
				b, err := t.Bytes()
				if err != nil {
					return fmt.Errorf("tensor %q: %w", t.Name, err)
				}
				pad := -at & (externalAlignment - 1)
				if _, err := w.Write(make([]byte, pad)); err != nil {
					return err
				}
				at += pad
				if _, err := w.Write(b); err != nil {
					return err
				}
				place := onnx.External{Location: location, Offset: at, Length: int64(len(b))}
				if m.Graph.Initializers[i], err = onnx.NewExternalTensor(t.Name, t.Type, t.Dims, place); err != nil {
					return err
				}
				at += place.Length
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// externalAlignment is where tensors start that map best.
const externalAlignment = 4096

// beside are the files of a model folder that belong to the model whatever its weights: configuration, tokenizer and
// licence.
var beside = []string{"config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
	"vocab.txt", "vocab.json", "merges.txt", "sentencepiece.bpe.model", "spiece.model", "spm.model", "LICENSE", "LICENSE.txt", "LICENSE.md"}

// copyBeside copies those of them that are there.
func copyBeside(dst, src string) error {
	for _, name := range beside {
		b, err := os.ReadFile(filepath.Join(src, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := atomicfile.WriteBytes(filepath.Join(dst, name), b); err != nil {
			return err
		}
	}
	return nil
}
