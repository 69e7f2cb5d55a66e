package graph

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/op"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
)

// builder adds an encoder's operations to a network's graph. The first error ends it.
type builder struct {
	n    *Network
	e    *importer.Encoder
	v    G.Nodes // by importer.Value
	err  error
	proj map[importer.Value]peft.Place
	outs map[importer.Value]output
	bias map[bias]*G.Node
}

// output is a layer's output, with the place there.
type output struct {
	peft.Place
	layer importer.Layer
}

// bias is one that is added to scores: layers may share it.
type bias struct {
	table   *importer.Weight
	buckets int
}

// ok keeps the first error and passes the node on.
func (b *builder) ok(x *G.Node, err error) *G.Node {
	if err != nil && b.err == nil {
		b.err = err
	}
	return x
}

// encoder adds every operation of the encoder, with the method's adapters where they sit.
func (b *builder) encoder() error {
	n := b.n
	b.places()
	for i := range b.e.Indexes {
		n.Index = append(n.Index, n.leaf(fmt.Sprintf("index %d", i), tensor.Int32, n.Capacity.Tokens))
	}
	for i := range b.e.Distances {
		n.Distances = append(n.Distances, n.leaf(fmt.Sprintf("distances %d", i), tensor.Int32, max(1, 2*n.Capacity.Tokens-1)))
	}
	for i := range b.e.Tables {
		n.Tables = append(n.Tables, n.leaf(fmt.Sprintf("table %d", i), tensor.Float32, n.Capacity.Tokens, b.e.Tables[i].Width))
	}
	for i, s := range b.e.Slopes {
		n.Slopes = append(n.Slopes, n.leaf(fmt.Sprintf("slopes %d", i), tensor.Float32, max(1, 2*n.Capacity.Tokens-1), s.Heads))
	}
	for i := range b.e.Buckets {
		n.Buckets = append(n.Buckets, n.leaf(fmt.Sprintf("buckets %d", i), tensor.Int32, max(1, 2*n.Capacity.Tokens-1)))
	}
	n.Bounds = n.leaf("bounds", tensor.Int32, n.Capacity.Sequences+1)
	b.v = make(G.Nodes, len(b.e.Ops))
	for i, o := range b.e.Ops {
		b.v[i] = b.op(importer.Value(i), o)
		if b.err != nil {
			return fmt.Errorf("building %q: %w", o.Where().Output, b.err)
		}
	}
	for _, h := range b.e.Hidden {
		n.Hidden = append(n.Hidden, b.v[h])
	}
	for _, o := range b.e.Outputs {
		n.Outputs[o.Name] = b.v[o.Value]
	}
	return nil
}

// places finds where adapters may sit inside the layers.
func (b *builder) places() {
	b.proj, b.outs, b.bias = map[importer.Value]peft.Place{}, map[importer.Value]output{}, map[bias]*G.Node{}
	byName := map[string]peft.Place{}
	for _, p := range Places(b.e) {
		byName[p.Name] = p
	}
	for _, l := range b.e.Layers {
		for _, v := range l.Projections() {
			b.proj[v] = byName[b.e.Ops[v].(*importer.Linear).Module()]
		}
		if l.Output != importer.None {
			b.outs[l.Output] = output{byName[b.e.OutputModule(l)], l}
		}
	}
}

// op adds one operation.
func (b *builder) op(v importer.Value, o importer.Op) *G.Node {
	n := b.n
	switch o := o.(type) {
	case *importer.Embedding:
		var tables, ids G.Nodes
		for i, t := range o.Tables {
			tables = append(tables, n.weight(t))
			ids = append(ids, n.Index[o.Index[i]])
		}
		return b.ok(op.Embed(tables, ids))
	case *importer.PositionTable:
		return b.ok(op.Rows(n.weight(o.W), n.positions(o.W.Shape[0])))
	case *importer.Linear:
		x := b.v[o.X]
		y := b.ok(op.Linear(x, n.weight(o.W), n.weight(o.Bias), o.Trans, n.Params.Precision))
		if p, ok := b.proj[v]; ok {
			return b.adapt(p, x, y)
		}
		return y
	case *importer.LayerNorm:
		return b.norm(v, o)
	case *importer.Activation:
		f, ok := activations[o.Func]
		if !ok {
			return b.ok(nil, fmt.Errorf("there is no activation %q", o.Func))
		}
		return b.ok(op.Activate(b.v[o.X], f))
	case *importer.Add:
		return b.add(v, o)
	case *importer.Mul:
		return b.ok(op.Mul(b.v[o.A], b.v[o.B]))
	case *importer.Columns:
		return b.ok(op.Columns(b.v[o.X], o.From, o.N))
	case *importer.Concat:
		return b.concat(o)
	case *importer.Rotary:
		r := kernel.Rotary{Heads: o.Heads, Interleaved: o.Interleaved, Inverse: o.Inverse}
		return b.ok(op.Rotary(b.v[o.X], n.Tables[o.Cos], n.Tables[o.Sin], r))
	case *importer.Attention:
		a := kernel.Attention{Heads: o.Heads, Scale: o.Scale, Window: o.Window, Precision: n.Params.Precision}
		if o.Keys != nil || o.Queries != nil {
			return b.ok(op.RelativeAttention(b.v[o.Q], b.v[o.K], b.v[o.V], n.Bounds, b.positions(o.Keys), b.positions(o.Queries), a))
		}
		return b.ok(op.Attention(b.v[o.Q], b.v[o.K], b.v[o.V], n.Bounds, b.scoreBias(o), a))
	case *importer.First:
		if n.Firsts == nil {
			n.Firsts = n.leaf("first tokens", tensor.Int32, n.Capacity.Sequences)
		}
		return b.ok(op.Rows(b.v[o.X], n.Firsts))
	case *importer.Mean:
		if n.Owners == nil {
			n.Owners = n.leaf("owners", tensor.Int32, n.Capacity.Tokens)
			n.Shares = n.leaf("shares", tensor.Float32, n.Capacity.Sequences)
		}
		return b.ok(op.Mean(b.v[o.X], n.Owners, n.Shares))
	case *importer.Normalise:
		return b.ok(op.Normalise(b.v[o.X], o.Eps))
	}
	return b.ok(nil, fmt.Errorf("there is no way to build a %T", o))
}

// positions are the operands of a term of relative positions, if there is one.
func (b *builder) positions(r *importer.Relative) op.Positions {
	if r == nil {
		return op.Positions{}
	}
	return op.Positions{X: b.v[r.X], Rows: b.n.Distances[r.Distance]}
}

// concat puts columns side by side; those of one matrix that stand next to each other there are one part.
func (b *builder) concat(o *importer.Concat) *G.Node {
	var parts G.Nodes
	var at []int
	width := 0
	for i := 0; i < len(o.Parts); {
		p := o.Parts[i]
		for i++; i < len(o.Parts) && o.Parts[i].X == p.X && o.Parts[i].From == p.From+p.N; i++ {
			p.N += o.Parts[i].N
		}
		parts, at = append(parts, b.ok(op.Columns(b.v[p.X], p.From, p.N))), append(at, width)
		width += p.N
	}
	if b.err != nil {
		return nil
	}
	return b.ok(op.Join(width, at, parts))
}

// scoreBias is what an attention adds to its scores by distance, nil if nothing.
func (b *builder) scoreBias(o *importer.Attention) *G.Node {
	if o.Slopes != nil {
		return b.n.Slopes[slices.Index(b.e.Slopes, o.Slopes)]
	}
	if o.Bias == nil || b.err != nil {
		return nil
	}
	key := bias{o.Bias, o.Buckets}
	if b.bias[key] == nil {
		b.bias[key] = b.ok(op.Rows(b.n.weight(o.Bias), b.n.Buckets[o.Buckets]))
	}
	return b.bias[key]
}

// adapted tells whether an operation is a layer's output with an adapter of the method.
func (b *builder) adapted(v importer.Value) (output, bool) {
	out, ok := b.outs[v]
	return out, ok && b.n.Params.Method != nil && b.n.Params.Method.At(out.Place) != nil
}

// norm adds a normalisation; at a layer's end, with the adapter that sits there:
// LN(h + adapter(LN(h + r)) + r).
func (b *builder) norm(v importer.Value, o *importer.LayerNorm) *G.Node {
	n, norm := b.n, op.LayerNorm
	if o.RMS {
		norm = op.RMSNorm
	}
	x, gamma, beta := b.v[o.X], n.weight(o.Gamma), n.weight(o.Beta)
	var r *G.Node
	if o.Residual != importer.None {
		r = b.v[o.Residual]
	}
	if out, ok := b.adapted(v); ok {
		z := b.ok(norm(x, r, gamma, beta, o.Eps))
		x = b.adapt(out.Place, z, x)
	}
	return b.ok(norm(x, r, gamma, beta, o.Eps))
}

// add adds a sum; at the end of a layer that normalises first, with the adapter that sits there: h + adapter(h + x) + r
// for what went into the feed-forward part, x, and what came out, h.
func (b *builder) add(v importer.Value, o *importer.Add) *G.Node {
	out, ok := b.adapted(v)
	if !ok {
		return b.ok(op.Add(b.v[o.A], b.v[o.B]))
	}
	h, r := out.layer.Down, o.A
	if r == h {
		r = o.B
	}
	y := b.adapt(out.Place, b.ok(op.Add(b.v[h], b.v[out.layer.Norm2])), b.v[h])
	return b.ok(op.Add(y, b.v[r]))
}

// adapt adds the method's adapter at a place, if it has one there; y is what it changes.
func (b *builder) adapt(p peft.Place, x, y *G.Node) *G.Node {
	if b.n.Params.Method == nil || b.err != nil {
		return y
	}
	a := b.n.Params.Method.At(p)
	if a == nil {
		return y
	}
	var w G.Nodes
	for _, s := range a.Params() {
		q := b.n.Params.Get(s.Name)
		if q == nil {
			return b.ok(nil, fmt.Errorf("the parameter %q is missing", s.Name))
		}
		w = append(w, b.n.node(q))
	}
	return b.ok(a.Apply(x, y, w, b.n.Params.Precision))
}

// features adds what stands above the encoder: the top adapter, the head and the loss, on the rows in question.
func (b *builder) features(x *G.Node) {
	n := b.n
	n.Features = x
	if b.err != nil || n.Params.Labels == 0 {
		return
	}
	for _, p := range Places(b.e) {
		if p.Kind == peft.Top {
			x = b.adapt(p, x, x)
		}
	}
	n.Logits = b.ok(op.Linear(x, n.node(n.Params.Head[0]), n.node(n.Params.Head[1]), true, kernel.Float32))
	n.Targets = n.leaf("targets", tensor.Int32, n.Capacity.Rows)
	n.Weight = n.leaf("weight", tensor.Float32, 1)
	n.Loss = b.ok(op.CrossEntropy(n.Logits, n.Targets, n.Weight))
}
