// Package graph builds the expression graph of an encoder with adapters, a head and a loss on packed sequences, and
// runs it: forward for evaluation, and with the gradients that training asks for.
package graph

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/op"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
)

// Capacity bounds the batches that a Network takes.
type Capacity struct {
	Tokens    int // T: tokens of all sequences
	Sequences int
	Rows      int // rows of the result: tokens whose logits are wanted
}

// fits tells whether c is enough for d.
func (c Capacity) fits(d Capacity) bool {
	return d.Tokens <= c.Tokens && d.Sequences <= c.Sequences && d.Rows <= c.Rows
}

// most is enough for both.
func (c Capacity) most(d Capacity) Capacity {
	return Capacity{max(c.Tokens, d.Tokens), max(c.Sequences, d.Sequences), max(c.Rows, d.Rows)}
}

// grow returns capacities that are at least both and some more, so that slightly larger batches do not grow again.
func (c Capacity) grow(d Capacity) Capacity {
	f := func(a, b int) int {
		if b <= a {
			return a
		}
		return (b + b/8 + 15) / 16 * 16
	}
	return Capacity{f(c.Tokens, d.Tokens), f(c.Sequences, d.Sequences), f(c.Rows, d.Rows)}
}

// Network is the expression graph of an encoder on batches of up to some capacity, from token ids to the loss. Its
// gorgonia graph is the truth: exec runs it, and gorgonia's own machines do.
type Network struct {
	Graph    *G.ExprGraph
	Params   *Params
	Capacity Capacity

	// Leaves that a batch feeds.
	Index   G.Nodes // int32 [T] for each importer.Encoder.Indexes
	Tables  G.Nodes // [T,width] for each importer.Encoder.Tables
	Slopes  G.Nodes // [2L−1,heads] for each importer.Encoder.Slopes
	Buckets G.Nodes // int32 [2L−1] for each importer.Encoder.Buckets, where the longest sequence has L tokens
	// Positions are int32 [rows], by the rows of the tables of relative positions: those rows that the batch needs. What
	// Distances say counts from the first of them.
	Positions map[int]*G.Node
	Distances G.Nodes // int32 [2L−1] for each importer.Encoder.Distances
	Bounds    *G.Node // int32 [sequences+1]
	Rows      *G.Node // int32 [rows]: the tokens whose features are wanted
	Features  *G.Node // [rows,H]: their last hidden states; a leaf where the network starts from features
	Targets   *G.Node // int32 [rows], −1 for rows without a label
	Weight    *G.Node // [1]: what the summed loss is multiplied by
	Seed      *G.Node // [1]: the gradient of the loss, 1
	Firsts    *G.Node // int32 [sequences]: the first token of each, where an output asks for it
	Owners    *G.Node // int32 [T]: the sequence of each token, where an output asks for means
	Shares    *G.Node // [sequences]: one over the tokens of each, likewise

	Hidden  G.Nodes            // [T,H] as importer.Encoder.Hidden, with the adapters in the layers
	Outputs map[string]*G.Node // of the ONNX graph, by name
	Logits  *G.Node            // [rows,labels]
	Loss    *G.Node            // [1]

	leaves map[*G.Node]*Param
	nodes  map[*Param]*G.Node
	padding
}

// New builds the network of a model on batches of a capacity. Where the model runs node by node, it takes batches of just
// that shape: Sequences of Tokens/Sequences tokens each.
func New(p *Params, c Capacity) (*Network, error) {
	if p.Model.Padded != nil {
		return newPadded(p, c)
	}
	n := newNetwork(p, c)
	b := &builder{n: n, e: p.Model.Encoder}
	if err := b.encoder(); err != nil {
		return nil, err
	}
	if len(n.Hidden) > 0 {
		n.Rows = n.leaf("rows", tensor.Int32, c.Rows)
		b.features(b.ok(op.Rows(b.v[b.e.Last], n.Rows)))
	}
	return n, b.err
}

// NewTop builds the network above the encoder: from features, the last hidden states of the tokens in question, to
// the loss. It is all there is to train where nothing below is.
func NewTop(p *Params, rows int) (*Network, error) {
	if p.Method != nil && !OnTop(p) {
		return nil, fmt.Errorf("%s has parts inside the encoder", p.Method.Name())
	}
	n := newNetwork(p, Capacity{Rows: rows})
	b := &builder{n: n, e: p.Model.Encoder}
	b.features(n.leaf("features", tensor.Float32, rows, HiddenSize(p.Model.Encoder)))
	return n, b.err
}

// OnTop tells whether all adapters sit on top of the encoder.
func OnTop(p *Params) bool {
	for _, pl := range Places(p.Model.Encoder) {
		if p.Method != nil && pl.Kind != peft.Top && p.Method.At(pl) != nil {
			return false
		}
	}
	return true
}

func newNetwork(p *Params, c Capacity) *Network {
	return &Network{Graph: G.NewGraph(), Params: p, Capacity: c, Outputs: map[string]*G.Node{}, Positions: map[int]*G.Node{},
		leaves: map[*G.Node]*Param{}, nodes: map[*Param]*G.Node{}}
}

// leaf adds a leaf of the graph.
func (n *Network) leaf(name string, dt tensor.Dtype, shape ...int) *G.Node {
	return G.NewTensor(n.Graph, dt, len(shape), G.WithShape(shape...), G.WithName(name))
}

// node is a parameter's leaf.
func (n *Network) node(p *Param) *G.Node {
	if x := n.nodes[p]; x != nil {
		return x
	}
	x := n.leaf(fmt.Sprintf("%s %s", p.Group, p.Name), tensor.Float32, p.Shape...)
	n.nodes[p], n.leaves[x] = x, p
	return x
}

// Node returns a parameter's leaf, nil where the network does not use it.
func (n *Network) Node(p *Param) *G.Node { return n.nodes[p] }

// positions is the leaf of the rows that a batch needs of the tables of relative positions with so many rows.
func (n *Network) positions(rows int) *G.Node {
	if n.Positions[rows] == nil {
		n.Positions[rows] = n.leaf(fmt.Sprintf("positions of %d", rows), tensor.Int32, rows)
	}
	return n.Positions[rows]
}

// weight is a base weight's leaf, nil for a missing one.
func (n *Network) weight(w *importer.Weight) *G.Node {
	if w == nil {
		return nil
	}
	return n.node(n.Params.weights[w])
}

// Gradients adds the gradients of the loss with respect to some parameters and returns their nodes.
func (n *Network) Gradients(ps []*Param) (G.Nodes, error) {
	if n.Loss == nil {
		return nil, fmt.Errorf("the network has no loss: it was built without a head")
	}
	wrt := make(G.Nodes, len(ps))
	for i, p := range ps {
		if wrt[i] = n.nodes[p]; wrt[i] == nil {
			return nil, fmt.Errorf("the network does not use the parameter %q", p.Name)
		}
	}
	if n.Seed == nil {
		n.Seed = n.leaf("seed", tensor.Float32, 1)
	}
	if n.Params.Memory.Recompute {
		within, err := n.withinLayers()
		if err != nil {
			return nil, err
		}
		return op.GradAgain(G.Nodes{n.Loss}, G.Nodes{n.Seed}, wrt, func(x *G.Node) bool { return within[x] })
	}
	return op.Grad(G.Nodes{n.Loss}, G.Nodes{n.Seed}, wrt)
}

// activations translates the importer's names.
var activations = map[string]kernel.Activation{
	"gelu": kernel.GELU, "gelu_tanh": kernel.GELUTanh, "relu": kernel.ReLU, "silu": kernel.SiLU, "tanh": kernel.Tanh,
}
