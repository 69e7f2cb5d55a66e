package app

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/seed-aefebe89/graft/export"
	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/internal/picture"
)

// Inspection is what graft sees in a model. Its JSON has all keys but those that say omitempty, of a refused model too.
type Inspection struct {
	Path          string         `json:"path"`
	ModelType     string         `json:"model_type,omitempty"`
	Exporter      string         `json:"exporter"`
	IRVersion     int64          `json:"ir_version"`
	Opsets        map[string]int `json:"opsets"`
	Nodes         int            `json:"nodes"`
	Operators     map[string]int `json:"operators"`             // of the file
	Fused         map[string]int `json:"fused"`                 // those in the blocks; of a file with functions, those of these
	Generic       map[string]int `json:"generic,omitempty"`     // those that run node by node, on batches; the others are computed before
	Unsupported   map[string]int `json:"unsupported,omitempty"` // of a refused model: those that no rule computes
	Blocks        map[string]int `json:"blocks"`                // what they were recognised as
	Layers        int            `json:"layers"`
	HiddenSize    int            `json:"hidden_size"`
	Heads         int            `json:"heads"`
	Vocabulary    int            `json:"vocabulary"`
	MaxLength     int            `json:"max_length,omitempty"`
	Parameters    int            `json:"parameters"`
	Outputs       []string       `json:"outputs"`
	ExternalFiles []string       `json:"external_files,omitempty"`
	SHA256        string         `json:"sha256"` // of weights and nodes
	Places        []string       `json:"places"`
	Methods       []MethodCost   `json:"methods"`
	Refused       string         `json:"refused,omitempty"`      // why graft does not take the model
	NodeByNode    bool           `json:"node_by_node"`           // its layers are not recognised, so that it runs so; a refused one for a check alone
	Unrecognised  string         `json:"unrecognised,omitempty"` // why they are not, of a model that is not refused
}

// MethodCost is what an adapter method would add to a model.
type MethodCost struct {
	Method     string  `json:"method"`
	Parameters int     `json:"parameters"`
	Share      float64 `json:"share"` // of the base's
	KB         float64 `json:"kb"`    // as float32
}

// Inspect imports a model, with or without a configuration or a tokenizer beside it, and describes it. Of a file that
// is ONNX but no encoder that graft recognises it says what the file tells; the error is then why it is refused.
func Inspect(path string) (*Inspection, error) {
	m, err := importer.Open(path)
	if err != nil {
		return inspectFile(path, err)
	}
	defer m.Close()
	if err := graph.Builds(m); err != nil {
		return inspectFile(path, fmt.Errorf("importing %s: %w", m.Path, err))
	}
	r, err := describe(m.File)
	if err != nil {
		return nil, err
	}
	b := &Base{Model: m, Places: graph.Places(m.Encoder)}
	r.ModelType, r.Layers, r.HiddenSize, r.MaxLength = m.Config.ModelType, len(m.Layers), graph.HiddenSize(m.Encoder), b.MaxLength()
	if m.Padded != nil {
		r.NodeByNode, r.Unrecognised = true, m.Padded.Reason.Error()
		r.Layers, r.Vocabulary = len(m.Padded.Ends), rowsOf(m.File.Graph, "input_ids")
		p, err := m.Padded.Program(2, 7)
		if err != nil {
			return nil, err
		}
		r.Generic = generic(p)
	}
	fused := map[*onnx.Node]bool{}
	for _, o := range m.Ops {
		r.Blocks[reflect.Indirect(reflect.ValueOf(o)).Type().Name()]++
		for _, n := range o.Where().Nodes {
			if !fused[n] {
				fused[n] = true
				r.Fused[importer.OperatorName(n)]++
			}
		}
		switch o := o.(type) {
		case *importer.Attention:
			r.Heads = o.Heads
		case *importer.Embedding:
			r.Vocabulary = max(r.Vocabulary, o.Tables[0].Shape[0])
		}
	}
	for _, w := range m.Weights {
		n := 1
		for _, d := range w.Shape {
			n *= d
		}
		r.Parameters += n
	}
	outputs := m.Outputs
	if m.Padded != nil {
		outputs = nil
		for _, o := range m.File.Graph.Outputs {
			outputs = append(outputs, importer.Output{Name: o.Name})
		}
	}
	for _, o := range outputs {
		r.Outputs = append(r.Outputs, o.Name)
	}
	for _, p := range b.Places {
		r.Places = append(r.Places, p.Name)
	}
	r.Methods = b.costs(r.Parameters)
	return r, nil
}

// inspectFile describes a file that is refused, and returns the reason with it.
func inspectFile(path string, reason error) (*Inspection, error) {
	m, err := importer.Map(path)
	if err != nil {
		return nil, reason
	}
	defer m.Close()
	f := m.File
	r, err := describe(f)
	if err != nil {
		return nil, reason
	}
	r.ModelType = m.Config.ModelType
	if p, err := nodewiseRuns(m); err == nil {
		r.NodeByNode, r.Generic = true, generic(p)
	}
	r.Refused, r.Unsupported = reason.Error(), importer.Unsupported(f.Model)
	if f.Graph != nil {
		for _, o := range f.Graph.Outputs {
			r.Outputs = append(r.Outputs, o.Name)
		}
	}
	return r, reason
}

// generic counts the operators of a program.
func generic(p *importer.Program) map[string]int {
	out := map[string]int{}
	for _, s := range p.Steps {
		out[importer.OperatorName(s.Node)]++
	}
	return out
}

// describe says what an ONNX file tells by itself.
func describe(f *onnx.File) (*Inspection, error) {
	digest, err := export.DigestOf(f.Model)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	r := &Inspection{Path: f.Path, IRVersion: f.IRVersion, SHA256: digest.SHA256, ExternalFiles: f.ExternalFiles(),
		Exporter: strings.TrimSpace(f.ProducerName + " " + f.ProducerVersion), Opsets: map[string]int{}, Operators: map[string]int{},
		Fused: map[string]int{}, Blocks: map[string]int{}, Outputs: []string{}, Places: []string{}, Methods: []MethodCost{}}
	for _, o := range f.OpsetImport {
		r.Opsets[o.Domain] = int(o.Version)
	}
	if f.Graph != nil {
		r.Nodes = len(f.Graph.Nodes)
		for _, n := range f.Graph.Nodes {
			r.Operators[importer.OperatorName(n)]++
		}
	}
	return r, nil
}

// Picture draws a model.
func Picture(path string) (*picture.Picture, error) {
	m, err := importer.Open(path)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	if m.Padded != nil {
		return nil, fmt.Errorf("there are no blocks to draw: %w", m.Padded.Reason)
	}
	return picture.Of(m, graph.Places(m.Encoder)), nil
}

// costs are what the methods would add with usual settings.
func (b *Base) costs(parameters int) []MethodCost {
	var out []MethodCost
	for _, x := range []struct {
		name string
		m    peft.Method
	}{
		{"top, size 64", peft.Bottleneck{Where: peft.Top, Size: 64, Activation: kernel.ReLU}},
		{"pfeiffer, size 64", peft.Bottleneck{Where: peft.LayerOutput, Size: 64, Activation: kernel.ReLU}},
		{"lora, rank 8, " + strings.Join(b.queryValue(), " and "), peft.LoRA{R: 8, Alpha: 8, Targets: b.queryValue()}},
	} {
		if x.m.Check(b.Places) != nil {
			continue
		}
		n := 0
		for _, p := range peft.Params(x.m, b.Places) {
			n += p.Size()
		}
		out = append(out, MethodCost{x.name, n, float64(n) / float64(parameters), 4 * float64(n) / 1024})
	}
	return out
}
