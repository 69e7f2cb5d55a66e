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
	under   map[string]string // the output that has a value: its own, or that of a conversion to float32
	names   []string
}

// openReference starts a copy of a model. Its outputs, and those of the named values that it computes, become outputs;
// types are those of values that are not float32.
func (c *Check) openReference(m *onnx.Model, values []string, types map[string]onnx.DataType) (*reference, error) {
	g := *m.Graph
	g.Nodes, g.Outputs = slices.Clone(g.Nodes), slices.Clone(g.Outputs)
	made := map[string]bool{}
	for _, n := range g.Nodes {
		for _, out := range n.Outputs {
			made[out] = true
		}
	}
	r := &reference{under: map[string]string{}}
	outputs := map[string]onnx.DataType{}
	for _, o := range g.Outputs {
		r.names = append(r.names, o.Name)
		outputs[o.Name] = types[o.Name]
		if o.Type != nil && o.Type.Tensor != nil {
			outputs[o.Name] = o.Type.Tensor.Elem
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
	for _, name := range r.names {
		r.under[name] = name
		if !half(outputs[name]) {
			continue
		}
		wide := name + "/float32" // which Go's binding of onnxruntime can read
		for made[wide] {
			wide += "_"
		}
		made[wide] = true
		r.under[name] = wide
		g.Nodes = append(g.Nodes, &onnx.Node{OpType: "Cast", Name: wide, Inputs: []string{name}, Outputs: []string{wide},
			Attributes: []*onnx.Attribute{{Name: "to", Type: onnx.AttrInt, I: int64(onnx.Float)}}})
		g.Outputs = append(g.Outputs, &onnx.ValueInfo{Name: wide})
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
	o := ort.Options{Threads: c.options.Threads, Folder: filepath.Dir(path)}
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

// run computes the values for a batch, by name.
func (r *reference) run(ctx context.Context, b *checkBatch) (map[string]*fold.Array, error) {
	got, err := r.session.RunArrays(ctx, b.inputs)
	if err != nil {
		return nil, fmt.Errorf("onnxruntime: %w", err)
	}
	out := map[string]*fold.Array{}
	for _, name := range r.names {
		out[name] = got[r.under[name]]
	}
	return out, nil
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
