package peft

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/op"
)

// Bottleneck is an adapter of two projections with an activation between: y gains up(f(down(x))), down [Size,H] and
// up [H,Size], both with a bias. up starts at zero, so that the encoder starts unchanged.
//
// With At LayerOutput there is one in every layer (Pfeiffer et al. 2021; AdapterHub's seq_bn): the layer gives
// LN(h + up(f(down(LN(h + r)))) + r) for a feed-forward output h with residual r; in an encoder that runs node by node it
// gives z + up(f(down(z))) for what leaves the layer, z. With At Top there is one after the last layer.
type Bottleneck struct {
	Where      PlaceKind // LayerOutput or Top
	Size       int
	Activation kernel.Activation
}

// Name implements Method.
func (m Bottleneck) Name() string {
	if m.Where == Top {
		return "top"
	}
	return "pfeiffer"
}

// At implements Method.
func (m Bottleneck) At(p Place) Adapter {
	if p.Kind != m.Where {
		return nil
	}
	return bottleneck{p, m}
}

// Check implements Method.
func (m Bottleneck) Check(places []Place) error {
	if m.Size < 1 {
		return fmt.Errorf("%s: the bottleneck has %d columns, want at least 1", m.Name(), m.Size)
	}
	if m.Where != LayerOutput && m.Where != Top {
		return fmt.Errorf("a bottleneck cannot sit at a %s", m.Where)
	}
	return needPlaces(m.Name(), places, m.Where)
}

type bottleneck struct {
	place Place
	m     Bottleneck
}

func (a bottleneck) Params() []Param {
	h, d := a.place.Out, a.m.Size
	return []Param{
		{Name: a.place.Name + ".adapter_down.weight", Shape: []int{d, h}, Init: Init{Std: 0.02}},
		{Name: a.place.Name + ".adapter_down.bias", Shape: []int{d}},
		{Name: a.place.Name + ".adapter_up.weight", Shape: []int{h, d}},
		{Name: a.place.Name + ".adapter_up.bias", Shape: []int{h}},
	}
}

func (a bottleneck) Apply(x, y *G.Node, w G.Nodes, p kernel.Precision) (*G.Node, error) {
	d, err := op.Linear(x, w[0], w[1], true, p)
	if err != nil {
		return nil, err
	}
	if d, err = op.Activate(d, a.m.Activation); err != nil {
		return nil, err
	}
	u, err := op.Linear(d, w[2], w[3], true, p)
	if err != nil {
		return nil, err
	}
	return op.Add(y, u)
}
