package op

import G "gorgonia.org/gorgonia"

// kept returns the inputs and the output of a node as its gradient may use them: copies of those that are computed
// anew. Every node of the copies' graph comes after what is in the graph now, so that an executor which runs the nodes
// in the order in which they were added computes them when the backward pass gets here.
func (w *walk) kept(in G.Nodes, n *G.Node) (G.Nodes, *G.Node, error) {
	if w.again == nil {
		return in, n, nil
	}
	r := make(G.Nodes, len(in))
	for i, c := range in {
		var err error
		if r[i], err = w.copy(c); err != nil {
			return nil, nil, err
		}
	}
	if !n.Op().(*Op).usesOutput {
		return r, nil, nil
	}
	out, err := w.copy(n)
	return r, out, err
}

// copy returns the copy of a node that is computed anew, and a node that is kept as it is.
func (w *walk) copy(n *G.Node) (*G.Node, error) {
	o, ok := n.Op().(*Op)
	if !ok || !w.again(n) {
		return n, nil
	}
	if c := w.copies[n]; c != nil {
		return c, nil
	}
	in := Inputs(n)
	for i, c := range in {
		var err error
		if in[i], err = w.copy(c); err != nil {
			return nil, err
		}
	}
	c, err := apply(o.fresh(), in...)
	w.copies[n] = c
	return c, err
}

// fresh is the operator for another node.
func (o *Op) fresh() *Op {
	c := *o
	c.id, c.in, c.out = 0, nil, nil
	return &c
}
