package graph

import (
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
)

// TopName is what the place after the last layer is called.
const TopName = "top"

// Places lists where adapters may sit in an encoder: the projections of its layers, each layer's output, and the top.
func Places(e *importer.Encoder) []peft.Place {
	var out []peft.Place
	seen := map[string]bool{}
	add := func(p peft.Place) {
		if !seen[p.Name] { // layers that share their weights share a place
			seen[p.Name] = true
			out = append(out, p)
		}
	}
	for i, l := range e.Layers {
		for _, v := range l.Projections() {
			p := e.Ops[v].(*importer.Linear)
			add(peft.Place{Name: p.Module(), Kind: peft.Projection, Layer: i, In: p.In(), Out: p.Out()})
		}
		if l.Output != importer.None {
			d := e.Ops[l.Down].(*importer.Linear)
			add(peft.Place{Name: e.OutputModule(l), Kind: peft.LayerOutput, Layer: i, In: d.Out(), Out: d.Out()})
		}
	}
	if n := len(e.Hidden); n > 0 {
		h := HiddenSize(e)
		out = append(out, peft.Place{Name: TopName, Kind: peft.Top, Layer: len(e.Layers) - 1, In: h, Out: h})
	}
	return out
}

// HiddenSize is the width of the encoder's hidden states, 0 where they were not recognised.
func HiddenSize(e *importer.Encoder) int {
	if len(e.Hidden) == 0 || len(e.Layers) == 0 {
		return 0
	}
	return e.Ops[e.Layers[0].Query].(*importer.Linear).In()
}
