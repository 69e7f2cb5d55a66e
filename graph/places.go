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
	if e.Padded != nil {
		for _, m := range e.Padded.Maps {
			add(peft.Place{Name: m.Module, Kind: peft.Projection, Layer: m.Layer, In: m.In, Out: m.Out})
		}
		for i, end := range e.Padded.Ends {
			add(peft.Place{Name: end.Module, Kind: peft.LayerOutput, Layer: i, In: e.Padded.Width, Out: e.Padded.Width})
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
	if hiddenStates(e) > 0 {
		h, layers := HiddenSize(e), len(e.Layers)
		if e.Padded != nil {
			layers = len(e.Padded.Ends)
		}
		out = append(out, peft.Place{Name: TopName, Kind: peft.Top, Layer: layers - 1, In: h, Out: h})
	}
	return out
}

// HiddenSize is the width of the encoder's hidden states, 0 where they were not recognised.
func HiddenSize(e *importer.Encoder) int {
	if e.Padded != nil {
		return e.Padded.Width
	}
	if len(e.Hidden) == 0 || len(e.Layers) == 0 {
		return 0
	}
	return e.Ops[e.Layers[0].Query].(*importer.Linear).In()
}

// hiddenStates is the number of hidden states that are known: of an encoder that runs node by node, the last one.
func hiddenStates(e *importer.Encoder) int {
	if e.Padded != nil {
		return 1
	}
	return len(e.Hidden)
}
