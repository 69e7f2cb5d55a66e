package graph

import (
	"errors"

	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/op"
)

// Memory says how the sessions of some parameters trade memory for time. Results are the same, with Recompute bit for
// bit.
type Memory struct {
	// Unpacked reads frozen matrices where they are mapped, without copies that are laid out for products.
	Unpacked bool
	// Recompute keeps only each layer's input for the backward pass and computes the rest of the layer again when the
	// backward pass comes by (activation checkpointing).
	Recompute bool
}

// withinLayers are the values between the hidden states, those of the last layer excepted: its backward pass begins as
// soon as they are there.
func (n *Network) withinLayers() (map[*G.Node]bool, error) {
	r := map[*G.Node]bool{}
	hidden := n.Hidden
	if n.Params.Model.Padded != nil {
		if hidden = n.ends; len(hidden) == 0 {
			return nil, errors.New("the graph's nodes do not tell where its layers end, so that activations cannot be computed again " +
				"layer by layer: train without activation checkpointing")
		}
	}
	for i := 1; i+1 < len(hidden); i++ {
		for _, x := range op.Between(hidden[i-1], hidden[i]) {
			r[x] = true
		}
	}
	return r, nil
}
