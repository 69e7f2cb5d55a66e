package graph

import (
	"errors"
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/lower"
	"github.com/seed-aefebe89/graft/graph/op"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
)

// padding is what a network of padded batches has beside its leaves for rows and targets.
type padding struct {
	program   *importer.Program
	decided   []lower.Leaf              // leaves that a batch decides
	constants map[*G.Node]kernel.Tensor // leaves that are the same for every batch
	ends      G.Nodes                   // what leaves each layer, where that is known
}

// newPadded builds the network of a model that runs node by node. It computes every token of the batch, those that fill
// sequences up among them; Rows takes those that are wanted, and what stands above them is as in a packed network.
func newPadded(p *Params, c Capacity) (*Network, error) {
	if c.Sequences < 1 || c.Tokens < 1 || c.Tokens%c.Sequences != 0 {
		return nil, fmt.Errorf("%d tokens are no batch of %d sequences of one length", c.Tokens, c.Sequences)
	}
	e := p.Model.Padded
	n := newNetwork(p, c)
	n.constants = map[*G.Node]kernel.Tensor{}
	b := &builder{n: n, e: p.Model.Encoder}
	var err error
	if n.program, err = e.Program(c.Sequences, c.Tokens/c.Sequences); err != nil {
		return nil, err
	}
	low, err := lower.Build(n.Graph, n.program, func(w *importer.Weight) (*G.Node, error) {
		if p.weights[w] == nil {
			return nil, fmt.Errorf("the weight %q is read only where batches have %d sequences of %d tokens", w.Name, c.Sequences, c.Tokens/c.Sequences)
		}
		return n.weight(w), nil
	}, b.taps(), p.Precision)
	if err != nil {
		return nil, err
	}
	for _, l := range low.Leaves {
		if !l.Constant {
			n.decided = append(n.decided, l)
		} else if n.constants[l.Node], err = l.Value(nil); err != nil {
			return nil, err
		}
	}
	if len(low.Inputs) > 0 || low.Outputs[0] == nil {
		return nil, fmt.Errorf("the last hidden state %q is not computed from tokens and weights", e.Hidden)
	}
	n.Rows = n.leaf("rows", tensor.Int32, c.Rows)
	x := b.ok(op.Reshape(low.Outputs[0], c.Tokens, e.Width))
	if b.err == nil {
		b.features(b.ok(op.Rows(x, n.Rows)))
	}
	n.Hidden = G.Nodes{n.Features}
	for _, o := range b.e.Outputs {
		n.Outputs[o.Name] = n.Features
	}
	return n, b.err
}

// taps puts the method's adapters where they sit inside an encoder that runs node by node.
func (b *builder) taps() map[string]lower.Tap {
	e := b.e.Padded
	places := map[string]peft.Place{}
	for _, p := range Places(b.e) {
		places[p.Name] = p
	}
	taps := map[string]lower.Tap{}
	for _, m := range e.Maps {
		p := places[m.Module]
		taps[m.Product] = func(y *G.Node, value func(string) (*G.Node, error)) (*G.Node, error) {
			if b.n.Params.Method == nil || b.n.Params.Method.At(p) == nil {
				return y, nil
			}
			x := b.matrix(m.In)(value(m.Input))
			return b.flat(b.adapt(p, x, b.matrix(m.Out)(y, nil)))
		}
	}
	for _, end := range e.Ends {
		p := places[end.Module]
		taps[end.Value] = func(y *G.Node, _ func(string) (*G.Node, error)) (*G.Node, error) {
			if b.n.Params.Method != nil && b.n.Params.Method.At(p) != nil {
				z := b.matrix(e.Width)(y, nil)
				var err error
				if y, err = b.flat(b.adapt(p, z, z)); err != nil {
					return nil, err
				}
			}
			b.n.ends = append(b.n.ends, y)
			return y, nil
		}
	}
	return taps
}

// matrix gives a value's elements as rows of a width.
func (b *builder) matrix(width int) func(x *G.Node, err error) *G.Node {
	return func(x *G.Node, err error) *G.Node {
		if err != nil || b.err != nil {
			return b.ok(nil, err)
		}
		return b.ok(op.Reshape(x, x.Shape().TotalSize()/width, width))
	}
}

// flat gives a matrix's elements in one dimension, or the first error.
func (b *builder) flat(x *G.Node) (*G.Node, error) {
	if b.err != nil {
		return nil, b.err
	}
	return op.Reshape(x, x.Shape().TotalSize())
}

// constantBytes is the memory of the leaves that are the same for every batch.
func (n *Network) constantBytes() (bytes int) {
	for _, t := range n.constants {
		bytes += 4 * (len(t.F32) + len(t.I32))
	}
	return bytes
}

// Builds tells why no network can be built of an encoder that runs node by node, whose operators a graph may not have; nil
// for others.
func Builds(m *importer.Model) error {
	if m.Padded == nil {
		return nil
	}
	p := &Params{Model: m, weights: map[*importer.Weight]*Param{}}
	for _, w := range m.Weights {
		p.weights[w] = &Param{Name: w.Name, Shape: w.Shape, Weight: w}
	}
	_, err := newPadded(p, Capacity{Tokens: 2 * 7, Sequences: 2, Rows: 2 * 7})
	if err != nil && m.Padded.Reason != nil {
		return errors.Join(m.Padded.Reason, fmt.Errorf("node by node: %w", err))
	}
	return err
}
