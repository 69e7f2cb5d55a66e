package op

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Columns is y = x[:, from:from+n]: x [T,m], y [T,n].
//
// The gradient is zero in the other columns; Grad puts those of several parts of one x side by side at once.
func Columns(x *G.Node, from, n int) (*G.Node, error) {
	o := &Op{name: "Columns", attrs: fmt.Sprintf("%d:%d", from, from+n)}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		if err := rank(in, 0, 2); err != nil {
			return nil, err
		}
		if from < 0 || n < 1 || n > in[0][1]-from {
			return nil, fmt.Errorf("there are no columns %d to %d", from, from+n-1)
		}
		return append(dst, in[0][0], n), nil
	}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) { copyColumns(k, out, in[0], 0, from, n) }
	o.diff = func(in G.Nodes, _, g *G.Node, _ []bool) (G.Nodes, error) {
		dx, err := Join(in[0].Shape()[1], []int{from}, G.Nodes{g})
		return G.Nodes{dx}, err
	}
	return apply(o, x)
}

// copyColumns is out[:, to:to+n] = x[:, from:from+n].
func copyColumns(k kernel.Kernels, out, x kernel.Tensor, to, from, n int) {
	if out.Rows() > 0 {
		y, x, s := kernel.Tensor{F32: out.F32[to:]}, kernel.Tensor{F32: x.F32[from:]}, kernel.Block(out.Rows(), n, out.Cols(), x.Cols())
		k.Copy(y, x, s)
	}
}

// Join is y with y[:, at[i]:at[i]+n_i] = parts[i] for each i, and zeros in the columns between: parts[i] [T,n_i],
// y [T,width]. The parts must not overlap.
func Join(width int, at []int, parts G.Nodes) (*G.Node, error) {
	o := &Op{name: "Join", attrs: fmt.Sprintf("%d%v", width, at), join: &join{width, slices.Clone(at), parts}}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		if len(in) != len(at) || len(in) == 0 {
			return nil, fmt.Errorf("%d parts for %d places", len(in), len(at))
		}
		for i, s := range in {
			if err := rank(in, i, 2); err != nil {
				return nil, err
			}
			if s[0] != in[0][0] || at[i] < 0 || s[1] > width-at[i] {
				return nil, fmt.Errorf("part %d of shape %v does not fit at column %d of %d", i, s, at[i], width)
			}
			for j := range i {
				if at[i] < at[j]+in[j][1] && at[j] < at[i]+s[1] {
					return nil, fmt.Errorf("parts %d and %d overlap", j, i)
				}
			}
		}
		return append(dst, in[0][0], width), nil
	}
	o.run = func(k kernel.Kernels, out kernel.Tensor, in []kernel.Tensor) {
		filled := 0
		for _, x := range in {
			filled += x.Cols()
		}
		if filled < width {
			k.Fill(out, 0)
		}
		for i, x := range in {
			copyColumns(k, out, x, at[i], 0, x.Cols())
		}
	}
	o.diff = func(in G.Nodes, _, g *G.Node, need []bool) (r G.Nodes, err error) {
		r = make(G.Nodes, len(in))
		for i, x := range in {
			if need[i] && err == nil {
				r[i], err = Columns(g, at[i], x.Shape()[1])
			}
		}
		return r, err
	}
	return apply(o, parts...)
}

// join is what a Join puts together.
type join struct {
	width int
	at    []int
	parts G.Nodes
}

// overlaps tells whether two joins have a column in common.
func (j *join) overlaps(k *join) bool {
	for i, x := range j.parts {
		for l, y := range k.parts {
			if j.at[i] < k.at[l]+y.Shape()[1] && k.at[l] < j.at[i]+x.Shape()[1] {
				return true
			}
		}
	}
	return false
}

// joined is a + b. Where both are joins of different columns, it is one of all their parts, which needs no addition.
func joined(a, b *G.Node) (*G.Node, error) {
	x, y := joinOf(a), joinOf(b)
	if x == nil || y == nil || x.overlaps(y) {
		return Add(a, b)
	}
	return Join(x.width, slices.Concat(x.at, y.at), slices.Concat(x.parts, y.parts))
}

func joinOf(n *G.Node) *join {
	if o, ok := n.Op().(*Op); ok {
		return o.join
	}
	return nil
}
