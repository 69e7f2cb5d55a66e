package app

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
)

// MethodOptions are an adapter method with its settings as the command line gives them.
type MethodOptions struct {
	Name       string   // "top", "pfeiffer" or "lora"
	Size       int      // columns of a bottleneck
	Activation string   // of a bottleneck
	Rank       int      // of LoRA
	Alpha      float64  // of LoRA; 0 means the rank
	Targets    []string // projections that LoRA changes; none means query and value
}

// MethodNames are the methods, for messages and completions.
var MethodNames = []string{"top", "pfeiffer", "lora"}

// Method resolves the options for a base.
func (b *Base) Method(o MethodOptions) (peft.Method, error) {
	var m peft.Method
	switch o.Name {
	case "top", "pfeiffer":
		f, err := activation(o.Activation)
		if err != nil {
			return nil, err
		}
		where := peft.Top
		if o.Name == "pfeiffer" {
			where = peft.LayerOutput
		}
		m = peft.Bottleneck{Where: where, Size: o.Size, Activation: f}
	case "lora":
		if o.Alpha == 0 {
			o.Alpha = float64(o.Rank)
		}
		if len(o.Targets) == 0 {
			if o.Targets = b.queryValue(); len(o.Targets) == 0 {
				return nil, fmt.Errorf("lora: which linear maps make queries and values is not known here; name some with --targets: %s",
					strings.Join(peft.Projections(b.Places), ", "))
			}
		}
		m = peft.LoRA{R: o.Rank, Alpha: o.Alpha, Targets: o.Targets}
	default:
		return nil, fmt.Errorf("there is no adapter method %q; there are %s", o.Name, strings.Join(MethodNames, ", "))
	}
	return m, m.Check(b.Places)
}

// usual are what the projections of queries and values are called, together or apart, in the encoders that Hugging Face has.
var usual = []string{"query", "value", "query_proj", "value_proj", "q_proj", "v_proj", "q_lin", "v_lin", "q", "v", "Wqkv", "qkv",
	"qkv_proj", "query_key_value", "in_proj"}

// queryValue are what the projections of queries and values are called in every layer. Where an encoder runs node by node
// they are told by their names.
func (b *Base) queryValue() []string {
	seen := map[string]bool{}
	var out []string
	for _, p := range b.Places {
		if name := p.Name[strings.LastIndexByte(p.Name, '.')+1:]; b.Padded != nil && p.Kind == peft.Projection && slices.Contains(usual, name) && !seen[name] {
			seen[name] = true
			out = append(out, name)
		}
	}
	for _, l := range b.Layers {
		for _, v := range []importer.Value{l.Query, l.Value} {
			if v == importer.None {
				continue
			}
			name := b.Ops[v].(*importer.Linear).Module()
			if i := strings.LastIndexByte(name, '.'); i >= 0 {
				name = name[i+1:]
			}
			if !seen[name] {
				seen[name] = true
				out = append(out, name)
			}
		}
	}
	return out
}

func activation(name string) (kernel.Activation, error) {
	var names []string
	for _, f := range kernel.Activations() {
		if f.String() == name {
			return f, nil
		}
		names = append(names, f.String())
	}
	return 0, fmt.Errorf("there is no activation %q; there are %s", name, strings.Join(names, ", "))
}
