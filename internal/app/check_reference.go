package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/seed-aefebe89/graft/export/ort"
	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// reference is a model in onnxruntime, with some of the values inside of it as further outputs.
type reference struct {
	session *ort.Session
	under   map[string]string // the output that has a value: its own, or that of a conversion to what Go's binding can read
	scalars map[string]bool   // values that are read as a vector of one element
	names   []string
}

// openReference starts a copy of a model. Its outputs, and those of the named values that it computes, become outputs;
// types are those of values that are not float32.
func (c *Check) openReference(m *onnx.Model, values []string, types map[string]onnx.DataType, plain bool) (*reference, error) {
	g := *m.Graph
	g.Nodes, g.Outputs = slices.Clone(g.Nodes), slices.Clone(g.Outputs)
	nameParts(&g)
	made := map[string]bool{}
	for _, n := range g.Nodes {
		for _, out := range n.Outputs {
			made[out] = true
		}
	}
	r := &reference{under: map[string]string{}, scalars: map[string]bool{}}
	outputs := map[string]onnx.DataType{}
	for _, o := range g.Outputs {
		r.names = append(r.names, o.Name)
		outputs[o.Name] = types[o.Name]
		if o.Type != nil && o.Type.Tensor != nil {
			outputs[o.Name] = o.Type.Tensor.Elem
			r.scalars[o.Name] = o.Type.Tensor.Shape != nil && len(o.Type.Tensor.Shape.Dims) == 0
		}
	}
	for _, v := range values {
		if _, there := outputs[v]; made[v] && !there {
			outputs[v] = types[v]
			r.names = append(r.names, v)
			if !half(types[v]) {
				g.Outputs = append(g.Outputs, &onnx.ValueInfo{Name: v})
			}
		}
	}
	another := func(name, suffix string, n *onnx.Node, more ...string) string { // a further output, made of one
		out := name + suffix
		for made[out] {
			out += "_"
		}
		made[out] = true
		n.Name, n.Inputs, n.Outputs = out, append([]string{name}, more...), []string{out}
		g.Nodes, g.Outputs = append(g.Nodes, n), append(g.Outputs, &onnx.ValueInfo{Name: out})
		return out
	}
	for _, name := range r.names {
		r.under[name] = name
		if half(outputs[name]) {
			r.under[name] = another(name, "/float32", &onnx.Node{OpType: "Cast",
				Attributes: []*onnx.Attribute{{Name: "to", Type: onnx.AttrInt, I: int64(onnx.Float)}}})
		}
		if r.scalars[name] {
			one, err := onnx.NewTensor(name+"/shape", []int64{1}, []int64{1})
			if err != nil {
				return nil, err
			}
			g.Initializers = append(slices.Clone(g.Initializers), one)
			r.under[name] = another(r.under[name], "/vector", &onnx.Node{OpType: "Reshape"}, one.Name)
		}
	}
	copied := *m
	copied.Graph = &g
	path, err := filepath.EvalSymlinks(c.model.Path) // onnxruntime reads external data from where a model really lies
	if err != nil {
		return nil, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	o := ort.Options{Threads: c.options.Threads, Folder: filepath.Dir(path), Plain: plain}
	if g.Initializers, err = resolved(o.Folder, g.Initializers); err != nil {
		return nil, err
	}
	for _, name := range r.names {
		o.Outputs = append(o.Outputs, r.under[name])
	}
	if r.session, err = ort.Open(&copied, o); err != nil {
		if errors.Is(err, ort.ErrNoLibrary) {
			return nil, err
		}
		return nil, fmt.Errorf("onnxruntime refuses the model: %w", err)
	}
	return r, nil
}

// resolved names the real files of external data, as seen from a folder: in the hub's cache those of a model are links.
func resolved(folder string, tensors []*onnx.Tensor) ([]*onnx.Tensor, error) {
	out := slices.Clone(tensors)
	for i, t := range tensors {
		at, ok := t.Location()
		if t.External == nil || !ok { // of the others onnxruntime tells what is wrong
			continue
		}
		file, err := filepath.EvalSymlinks(at.File)
		if err != nil {
			return nil, err
		}
		if file, err = filepath.Abs(file); err != nil {
			return nil, err
		}
		rel, err := filepath.Rel(folder, file)
		if err != nil {
			return nil, err
		}
		place := onnx.External{Location: filepath.ToSlash(rel), Offset: at.Offset, Length: at.Length}
		if out[i], err = onnx.NewExternalTensor(t.Name, t.Type, t.Dims, place); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// run computes the values for a batch, by name.
func (r *reference) run(ctx context.Context, b *checkBatch) (map[string]*fold.Array, error) {
	got, err := r.session.RunArrays(ctx, b.inputs)
	if err != nil {
		return nil, fmt.Errorf("onnxruntime: %w", err)
	}
	out := map[string]*fold.Array{}
	for _, name := range r.names {
		out[name] = got[r.under[name]]
		if r.scalars[name] && out[name] != nil {
			out[name].Shape = []int{}
		}
	}
	return out, nil
}

// nameParts gives names to the outputs of a graph's Splits that are left out: onnxruntime 1.32 writes to them.
func nameParts(g *onnx.Graph) {
	for i, n := range g.Nodes {
		if n.OpType != "Split" || !slices.Contains(n.Outputs, "") {
			continue
		}
		c := *n
		c.Outputs = slices.Clone(n.Outputs)
		for k, out := range c.Outputs {
			if out == "" {
				c.Outputs[k] = fmt.Sprintf("graft/part/%d/%d", i, k)
			}
		}
		g.Nodes[i] = &c
	}
}

func half(t onnx.DataType) bool { return t == onnx.Float16 || t == onnx.Bfloat16 }

// halves tells whether a model computes in half precision: it does not where weights of it are all converted to float32
// before they are used.
func halves(m *onnx.Model) bool {
	narrow := map[string]bool{}
	for _, t := range m.Graph.Initializers {
		narrow[t.Name] = half(t.Type)
	}
	for _, n := range m.Graph.Nodes {
		to := n.Attribute("to")
		if n.OpType == "Cast" && to != nil {
			if half(onnx.DataType(to.I)) {
				return true
			}
			continue
		}
		if slices.ContainsFunc(n.Inputs, func(in string) bool { return narrow[in] }) {
			if n.OpType != "Transpose" && n.OpType != "Identity" {
				return true
			}
			for _, out := range n.Outputs {
				narrow[out] = true
			}
		}
	}
	return false
}
