package export

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// SlotOptions say which slots a slotted graph has beside those for LoRA and the head, which are always there.
type SlotOptions struct {
	// Activations are those of the bottlenecks that the graph takes, in every layer and on top; none means ReLU.
	Activations []kernel.Activation
}

// Slotted is a graph that takes deltas.
type Slotted struct {
	Model  *onnx.Model
	Folder string // the folder that the external data's paths are relative to: the base file's
	Logits string // the name of the output that the head gives
	// Expanded is how many of the base's nodes are written out in core operators, since slots belong inside of them.
	Expanded int
}

// NewSlotted makes the slotted graph of a base: its own graph with a slot at every adaptable place, each an input with
// a neutral default (rank 0, zeros), so that the graph computes what the base computes until a delta is given. Weights
// stay in the base's file, which the graph points into.
//
// A fused operator that a slot belongs inside of is written out, which rounds otherwise: then the graph computes what the
// base does to about 1e-6 of it, else to the bit. Quantised products stay, with the low-rank part beside them.
func NewSlotted(m *importer.Model, places []peft.Place, o SlotOptions) (*Slotted, error) {
	if m.Padded == nil && len(m.Hidden) == 0 {
		return nil, errors.New("the encoder's layers were not recognised, so that it has no places for slots")
	}
	if len(o.Activations) == 0 {
		o.Activations = []kernel.Activation{kernel.ReLU}
	}
	s := &slotter{m: m, used: map[string]bool{}, after: map[*onnx.Node][]*onnx.Node{}, graph: &onnx.Graph{
		Name: m.File.Graph.Name, ValueInfo: m.File.Graph.ValueInfo, SparseInitializers: m.File.Graph.SparseInitializers,
		Inputs: slices.Clone(m.File.Graph.Inputs), Outputs: slices.Clone(m.File.Graph.Outputs)}}
	file, err := realPath(m.Path)
	if err != nil {
		return nil, err
	}
	s.folder = filepath.Dir(file)
	if err := s.weights(); err != nil {
		return nil, err
	}
	if err := s.copyNodes(); err != nil {
		return nil, err
	}
	for _, x := range projections(m) {
		s.lora(x)
	}
	for _, p := range places {
		if p.Kind == peft.LayerOutput {
			if err := s.layers(p, o.Activations); err != nil {
				return nil, err
			}
		}
	}
	logits, err := s.top(places, o.Activations)
	if err != nil {
		return nil, err
	}
	if s.err != nil {
		return nil, s.err
	}
	s.assemble()
	model := *m.File.Model
	model.Graph = s.graph
	model.IRVersion = max(model.IRVersion, 4) // since then initialisers need not be inputs
	return &Slotted{Model: &model, Folder: s.folder, Logits: logits, Expanded: s.expanded}, nil
}

// realPath is a file's absolute path with links followed: in the hub's cache a model's files are links, and onnxruntime
// reads external data only from where a model really lies.
func realPath(path string) (string, error) {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

// slotter edits a copy of a base's graph.
type slotter struct {
	m      *importer.Model
	folder string // the base file's
	graph  *onnx.Graph
	nodes  []*onnx.Node                // copies of the base's, each behind those that it reads
	twin   map[string]*onnx.Node       // the copy that makes a value
	after  map[*onnx.Node][]*onnx.Node // new nodes, by the copy that they follow
	used   map[string]bool             // names of slots
	values []string                    // what needed gives

	expanded int
	err      error
}

// inlineElements is the size up to which an initialiser is copied: onnxruntime reads shapes, axes and the like from the
// model itself, and they are small.
const inlineElements = 64

// weights makes initialisers that point into the base's file; what does not stand there as it is, is copied.
func (s *slotter) weights() error {
	for _, t := range s.m.File.Graph.Initializers {
		n, err := t.Len()
		if err != nil {
			return fmt.Errorf("initialiser %q: %w", t.Name, err)
		}
		at, ok := t.Location()
		if !ok || n <= inlineElements || t.Type == onnx.String {
			b, err := t.Bytes()
			if err != nil && t.Type != onnx.String {
				return fmt.Errorf("initialiser %q: %w", t.Name, err)
			}
			c := t
			if t.Type != onnx.String {
				if c, err = onnx.NewRawTensor(t.Name, t.Type, t.Dims, b); err != nil {
					return err
				}
			}
			s.graph.Initializers = append(s.graph.Initializers, c)
			continue
		}
		file, err := realPath(at.File)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(s.folder, file)
		if err != nil {
			return err
		}
		x, err := onnx.NewExternalTensor(t.Name, t.Type, t.Dims, onnx.External{Location: filepath.ToSlash(rel), Offset: at.Offset, Length: at.Length})
		if err != nil {
			return fmt.Errorf("initialiser %q: %w", t.Name, err)
		}
		s.graph.Initializers = append(s.graph.Initializers, x)
	}
	return nil
}

// copyNodes copies the base's nodes, each behind those that it reads. Where a slot belongs into a node, to a value that a function, an If or a fused
// operator makes and uses itself, the nodes that it stands for take its place.
func (s *slotter) copyNodes() error {
	order, err := s.m.File.Graph.Order()
	if err != nil {
		return err
	}
	s.twin = map[string]*onnx.Node{}
	apart := map[int][]*onnx.Node{}
	for _, e := range s.m.Expansions {
		if slices.ContainsFunc(s.needed(), func(v string) bool { return e.Makes(s.m.File.Graph.Nodes[e.At], v) }) {
			apart[e.At] = e.Nodes
			s.expanded++
			for _, o := range s.m.File.Graph.Nodes[e.At].Outputs {
				if o != "" && !slices.ContainsFunc(e.Nodes, func(n *onnx.Node) bool { return slices.Contains(n.Outputs, o) }) {
					s.fail(fmt.Errorf("a slot belongs into the sequence %q, which the model hands on as a whole", o))
				}
			}
		}
	}
	read := map[string]bool{}
	for _, i := range order {
		nodes, ok := apart[i]
		if !ok {
			nodes = []*onnx.Node{s.m.File.Graph.Nodes[i]}
		}
		for _, n := range nodes {
			c := *n
			c.Inputs, c.Outputs = slices.Clone(n.Inputs), slices.Clone(n.Outputs)
			s.nodes = append(s.nodes, &c)
			for _, o := range n.Outputs {
				s.twin[o] = &c
			}
			for _, in := range n.Inputs {
				read[in] = ok || read[in]
			}
		}
	}
	for _, t := range s.m.Constants {
		if read[t.Name] {
			s.graph.Initializers = append(s.graph.Initializers, t)
		}
	}
	return nil
}

// needed lists the values that slots change or read.
func (s *slotter) needed() []string {
	if s.values != nil {
		return s.values
	}
	for _, x := range projections(s.m) {
		s.values = append(s.values, x.Product, x.Input)
	}
	if s.m.Padded != nil {
		for _, end := range s.m.Padded.Ends {
			s.values = append(s.values, end.Value)
		}
	}
	for _, l := range s.m.Layers {
		if l.NormFirst && l.Output != importer.None {
			s.values = append(s.values, s.m.Ops[l.Output].Where().Output, s.down(l))
		}
		if l.Norm2 != importer.None {
			o := s.m.Ops[l.Norm2].(*importer.LayerNorm)
			s.values = append(s.values, o.Output, o.Addends[0], o.Addends[1])
			s.values = append(s.values, o.Reads...)
		}
	}
	if s.m.Padded != nil {
		s.values = append(s.values, s.m.Padded.Hidden)
	} else {
		s.values = append(s.values, s.m.Ops[s.m.Hidden[len(s.m.Hidden)-1]].Where().Output)
	}
	return s.values
}

// projections are a model's linear maps that LoRA may change, as often as they are used.
func projections(m *importer.Model) (out []importer.Projection) {
	if m.Padded != nil {
		return m.Padded.Maps
	}
	for _, l := range m.Layers {
		for _, v := range l.Projections() {
			o := m.Ops[v].(*importer.Linear)
			out = append(out, importer.Projection{Module: o.Module(), Product: o.Product, Input: o.Input, In: o.In(), Out: o.Out()})
		}
	}
	return out
}

// divert renames a value at the node that makes it, so that new nodes after it can make what is read under its name.
func (s *slotter) divert(value string) (made string, at *onnx.Node) {
	at = s.twin[value]
	made = value + "/graft/base"
	if at == nil {
		s.fail(fmt.Errorf("no node makes the value %q", value))
		return made, nil
	}
	i := slices.Index(at.Outputs, value)
	if i < 0 {
		s.fail(fmt.Errorf("the value %q has two slots", value))
		return made, nil
	}
	at.Outputs[i] = made
	return made, at
}

func (s *slotter) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// add appends a new node after one of the base's and returns its output.
func (s *slotter) add(at *onnx.Node, op, out string, in ...string) string {
	if at != nil {
		s.after[at] = append(s.after[at], &onnx.Node{OpType: op, Name: out, Inputs: in, Outputs: []string{out}})
	}
	return out
}

// slot adds an input with a neutral default: zeros of the given shape. A negative dimension is a free one, called
// after its place, whose default is 0.
func (s *slotter) slot(name, free string, dims ...int64) string {
	if s.used[name] {
		return name
	}
	s.used[name] = true
	shape, size := &onnx.Shape{}, int64(1)
	for i, d := range dims {
		dim := onnx.FixedDim(d)
		if d < 0 {
			dim = onnx.SymbolicDim(free)
			dims[i] = 0
		}
		shape.Dims = append(shape.Dims, dim)
		size *= dims[i]
	}
	t, err := onnx.NewTensor(name, dims, make([]float32, size))
	if err != nil {
		s.fail(err)
		return name
	}
	s.graph.Initializers = append(s.graph.Initializers, t)
	s.graph.Inputs = append(s.graph.Inputs, &onnx.ValueInfo{Name: name,
		Type: &onnx.Type{Tensor: &onnx.TensorType{Elem: onnx.Float, Shape: shape}}})
	return name
}

// assemble puts the new nodes where they belong.
func (s *slotter) assemble() {
	for _, n := range s.nodes {
		s.graph.Nodes = append(s.graph.Nodes, n)
		s.graph.Nodes = append(s.graph.Nodes, s.after[n]...)
	}
}
