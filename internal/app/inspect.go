package app

import (
	"sort"
	"strings"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
)

// Inspection is what graft sees in a model.
type Inspection struct {
	Path          string         `json:"path"`
	ModelType     string         `json:"model_type,omitempty"`
	Exporter      string         `json:"exporter"`
	IRVersion     int64          `json:"ir_version"`
	Opsets        map[string]int `json:"opsets"`
	Nodes         int            `json:"nodes"`
	Operators     map[string]int `json:"operators"` // of the file
	Blocks        map[string]int `json:"blocks"`    // what they were recognised as
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
}

// MethodCost is what an adapter method would add to a model.
type MethodCost struct {
	Method     string  `json:"method"`
	Parameters int     `json:"parameters"`
	Share      float64 `json:"share"` // of the base's
	KB         float64 `json:"kb"`    // as float32
}

// Inspect imports a model, with or without a tokenizer beside it, and describes it.
func Inspect(path string) (*Inspection, error) {
	m, err := importer.Open(path)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	b := &Base{Model: m, Places: graph.Places(m.Encoder)}
	digest, err := b.Digest()
	if err != nil {
		return nil, err
	}
	r := &Inspection{Path: m.Path, ModelType: m.Config.ModelType, IRVersion: m.File.IRVersion, SHA256: digest.SHA256,
		Exporter: strings.TrimSpace(m.File.ProducerName + " " + m.File.ProducerVersion), Nodes: len(m.File.Graph.Nodes),
		Opsets: map[string]int{}, Operators: map[string]int{}, Blocks: map[string]int{}, Layers: len(m.Layers),
		HiddenSize: graph.HiddenSize(m.Encoder), MaxLength: b.MaxLength()}
	for _, o := range m.File.OpsetImport {
		r.Opsets[o.Domain] = int(o.Version)
	}
	for _, n := range m.File.Graph.Nodes {
		name := n.OpType
		if n.Domain != "" {
			name = n.Domain + "." + name
		}
		r.Operators[name]++
	}
	for _, o := range m.Ops {
		r.Blocks[block(o)]++
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
	for _, o := range m.Outputs {
		r.Outputs = append(r.Outputs, o.Name)
	}
	files := map[string]bool{}
	for _, t := range m.File.Graph.Initializers {
		if t.External != nil && !files[t.External.Location] {
			files[t.External.Location] = true
			r.ExternalFiles = append(r.ExternalFiles, t.External.Location)
		}
	}
	sort.Strings(r.ExternalFiles)
	for _, p := range b.Places {
		r.Places = append(r.Places, p.Name)
	}
	r.Methods = b.costs(r.Parameters)
	return r, nil
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

func block(o importer.Op) string {
	switch o.(type) {
	case *importer.Embedding:
		return "Embedding"
	case *importer.Linear:
		return "Linear"
	case *importer.LayerNorm:
		return "LayerNorm"
	case *importer.Activation:
		return "Activation"
	case *importer.Attention:
		return "Attention"
	case *importer.Add:
		return "Add"
	}
	return "First"
}
