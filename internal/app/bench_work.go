package app

import (
	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/train/meta"
)

// work counts the multiplications and additions of the matrix products that a computation cannot do without, whatever
// computes it: padding, what is computed twice to save memory, and what is done element by element do not count.
type work struct {
	tokens, longest, pairs float64 // pairs: of tokens that attend to each other
	forward, back          float64
}

func newWork(seqs []*graph.Sequence) *work {
	w := &work{}
	for _, q := range seqs {
		n := float64(len(q.IDs))
		w.tokens += n
		w.longest = max(w.longest, n)
		w.pairs += n * n
	}
	return w
}

// product counts that of some rows, those of all tokens as a rule, with a matrix of so many elements: forward, and the
// gradients of the rows (dx) and of the matrix (dw) where they are needed.
func (w *work) product(rows float64, elements int, dx, dw bool) {
	one := 2 * rows * float64(elements)
	w.forward += one
	w.back += float64(b2i(dx)+b2i(dw)) * one
}

// adapter counts what a method adds to some rows at a place, and tells whether it adds anything.
func (w *work) adapter(rows float64, m peft.Method, p peft.Place) bool {
	if m == nil || m.At(p) == nil {
		return false
	}
	for _, q := range m.At(p).Params() {
		if len(q.Shape) == 2 {
			w.product(rows, q.Size(), true, true)
		}
	}
	return true
}

// attention counts the products of one layer's attention of a width, both ways: q·kᵀ and p·v, and the gradients of p,
// q, k and v where they are needed.
func (w *work) attention(width int, dq, dk, dv bool) {
	one := 2 * w.pairs * float64(width)
	w.forward += 2 * one
	w.back += float64(b2i(dq || dk)+b2i(dq)+b2i(dk)+b2i(dv)) * one
}

// positions counts one term of relative positions in the scores of one layer's attention of a width, both ways: the rows
// of tokens that meet the positions, and their gradients (dx) and the positions' (dp) where they are needed.
func (w *work) positions(width int, dx, dp bool) {
	one := 2 * w.pairs * float64(width)
	w.forward += one
	w.back += float64(b2i(dx)+b2i(dp)) * one
}

// encoder counts the way from the tokens to the last hidden state with a method's adapters on it, and back to the
// lowest of what is trained: the adapters, and with base the encoder without its embedding tables.
func (w *work) encoder(m *importer.Model, method peft.Method, base bool) {
	if len(m.Hidden) == 0 {
		return
	}
	places := map[string]peft.Place{}
	for _, p := range graph.Places(m.Encoder) {
		places[p.Name] = p
	}
	down := map[importer.Value]peft.Place{}
	for _, l := range m.Layers {
		if l.Output != importer.None {
			down[l.Down] = places[m.OutputModule(l)]
		}
	}
	grad := make([]bool, len(m.Ops)) // whether a gradient is wanted of a value
	rows := make([]float64, len(m.Ops))
	for i, op := range m.Ops[:m.Last+1] {
		v := importer.Value(i)
		rows[i] = w.tokens
		for k, x := range m.Operands(v) {
			grad[i] = grad[i] || grad[x]
			if k == 0 {
				rows[i] = rows[x]
			}
		}
		switch o := op.(type) {
		case *importer.PositionTable:
			rows[i] = min(float64(o.W.Shape[0]), 2*w.longest-1) // one for each distance, but one for each bucket at most
			grad[i] = base
		case *importer.Linear:
			w.product(rows[i], o.In()*o.Out(), grad[o.X], base)
			added := w.adapter(rows[i], method, places[o.Module()])
			if p, ok := down[v]; ok && w.adapter(rows[i], method, p) {
				added = true
			}
			grad[i] = grad[i] || base || added
		case *importer.LayerNorm:
			grad[i] = grad[i] || base
		case *importer.Attention:
			h := graph.HiddenSize(m.Encoder)
			w.attention(h, grad[o.Q], grad[o.K], grad[o.V])
			if o.Keys != nil {
				w.positions(h, grad[o.Q], grad[o.Keys.X])
			}
			if o.Queries != nil {
				w.positions(h, grad[o.K], grad[o.Queries.X])
			}
		}
	}
}

// top counts what stands on the encoder: a top adapter, if the method has one, and the head.
func (w *work) top(m *importer.Model, method peft.Method, below bool) {
	for _, p := range graph.Places(m.Encoder) {
		if p.Kind == peft.Top && w.adapter(w.tokens, method, p) {
			below = true
		}
	}
	w.product(w.tokens, benchClasses*graph.HiddenSize(m.Encoder), below, true)
}

// forwardWork is that of a forward pass up to the last hidden state.
func forwardWork(m *importer.Model, seqs []*graph.Sequence) float64 {
	w := newWork(seqs)
	w.encoder(m, nil, false)
	return w.forward
}

// stepWork is that of a step of training.
func stepWork(m *importer.Model, method peft.Method, base bool, seqs []*graph.Sequence) float64 {
	w := newWork(seqs)
	w.encoder(m, method, base)
	w.top(m, method, base || w.back > 0)
	return w.forward + w.back
}

// storedWork is that of a step of training on stored hidden states.
func storedWork(m *importer.Model, method peft.Method, seqs []*graph.Sequence) float64 {
	w := newWork(seqs)
	w.top(m, method, false)
	return w.forward + w.back
}

// metaWork is that of an outer step of priming with a method on top of the encoder, on all its sequences: of the S
// support batches of a task the hidden states and the steps on them, of its query batch a step that trains the encoder.
func metaWork(m *importer.Model, method peft.Method, seqs []*graph.Sequence) float64 {
	const s = meta.DefaultInnerSteps
	support := forwardWork(m, seqs) + storedWork(m, method, seqs)
	return (s*support + stepWork(m, method, true, seqs)) / (s + 1)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
