package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Embed is y[t] = Σ_k tables[k][ids[k][t]]: tables[k] [v_k,H], ids[k] int32 [T] with 0 ≤ id < v_k, which the caller
// has checked.
//
// The gradient of a table is dense: row r is Σ dy[t] over the t whose id is r.
func Embed(tables, ids G.Nodes) (*G.Node, error) {
	n := len(tables)
	if n == 0 || len(ids) != n {
		return nil, fmt.Errorf("embed: %d tables but %d index vectors", n, len(ids))
	}
	o := &Op{name: "Embed", attrs: fmt.Sprint(n), lookups: n}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		for i := range n {
			if len(in[i]) != 2 || in[i][1] != in[0][1] {
				return nil, fmt.Errorf("table %d has shape %v, the first has %v", i, in[i], in[0])
			}
			if len(in[n+i]) != 1 || in[n+i][0] != in[n][0] {
				return nil, fmt.Errorf("index vector %d has shape %v, the first has %v", i, in[n+i], in[n])
			}
		}
		return append(dst, in[n][0], in[0][1]), nil
	}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { k.Embed(out, in[:n], in[n:]) }
	o.diff = func(in G.Nodes, _, g *G.Node, need []bool) (G.Nodes, error) {
		r := make(G.Nodes, 2*n)
		var err error
		for i := range n {
			if need[i] && err == nil {
				r[i], err = embedGrad(in[n+i], g, in[i].Shape()[0])
			}
		}
		return r, err
	}
	return apply(o, append(append(G.Nodes{}, tables...), ids...)...)
}

// RowGradient tells whether n is the dense gradient of a table that tokens are looked up in, and what it is the sum of:
// row i of rows [T,H] belongs to row ids[i] of the table, ids int32 [T]. Who adds gradients up anyway needs no dense one.
func RowGradient(n *G.Node) (ids, rows *G.Node, ok bool) {
	if o, is := n.Op().(*Op); !is || o.name != embedGradName {
		return nil, nil, false
	}
	in := Inputs(n)
	return in[0], in[1], true
}

const embedGradName = "EmbedGrad"

// embedGrad is [v,H]: the gradient of a table of v rows.
func embedGrad(ids, dy *G.Node, v int) (*G.Node, error) {
	o := &Op{name: embedGradName, attrs: fmt.Sprint(v)}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) { return append(dst, v, in[1][1]), nil }
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { k.EmbedGrad(out, in[0], in[1]) }
	o.diff = func(in G.Nodes, _, g *G.Node, _ []bool) (G.Nodes, error) {
		ddy, err := Embed(G.Nodes{g}, in[:1])
		return G.Nodes{nil, ddy}, err
	}
	return apply(o, ids, dy)
}
