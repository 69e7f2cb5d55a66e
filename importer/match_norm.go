package importer

import (
	"slices"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// norm is a layer normalisation as found in the graph.
type norm struct {
	x           string
	gamma, beta *view
	eps         float64
	nodes       []*onnx.Node // in order
}

// layerNorm recognises a layer normalisation, as one operator (from opset 17 on) or written out, together with the
// residual sum that goes into it.
func (r *recogniser) layerNorm(name string, n *onnx.Node) (Value, error) {
	m := r.normOp(n)
	if m == nil {
		m = r.normNodes(n)
	}
	if m == nil {
		return None, nil
	}
	o := &LayerNorm{Origin: Origin{name, m.nodes}, Residual: None, Eps: float32(m.eps), Sum: m.x}
	last := m.nodes[len(m.nodes)-1]
	o.Gamma = r.weight(m.gamma, parameterName(m.gamma.tensor.Name, last, "weight"))
	if m.beta != nil {
		o.Beta = r.weight(m.beta, parameterName(m.beta.tensor.Name, last, "bias"))
	}
	for _, n := range m.nodes {
		for _, in := range n.Inputs {
			if r.s.g.resolve(in) == m.x && !slices.Contains(o.Reads, in) {
				o.Reads = append(o.Reads, in)
			}
		}
	}
	var err error
	sum := r.s.g.producer(m.x)
	if a, b, ok := r.operands(sum, "Add"); ok && r.residual(a, b) && r.onlyUsedBy(m.x, m.nodes) {
		if o.X, err = r.value(a); err != nil {
			return None, err
		}
		if o.Residual, err = r.value(b); err != nil {
			return None, err
		}
		o.Addends = [2]string{sum.Inputs[0], sum.Inputs[1]}
		if o.X < o.Residual { // the residual goes into what it is added to, so it is there first
			o.X, o.Residual = o.Residual, o.X
			o.Addends = [2]string{sum.Inputs[1], sum.Inputs[0]}
		}
		return r.put(o)
	}
	if o.X, err = r.value(m.x); err != nil {
		return None, err
	}
	return r.put(o)
}

// residual tells whether a and b are two different activations of one shape, neither of which is an embedding alone, or a
// sum: layers that normalise first add up what nothing normalises between, and their sums are values of their own.
func (r *recogniser) residual(a, b string) bool {
	for _, x := range []string{a, b} {
		if p, q, ok := r.operands(r.s.g.producer(x), "Add"); ok && r.active(p) && r.active(q) && r.embeds(x) == nil {
			return false
		}
	}
	return r.active(a) && r.active(b) && slices.Equal(r.s.value(a).Shape, r.s.value(b).Shape) &&
		r.embeds(a) == nil && r.embeds(b) == nil
}

// onlyUsedBy tells whether all users of a value are among nodes.
func (r *recogniser) onlyUsedBy(name string, nodes []*onnx.Node) bool {
	for _, u := range r.s.g.users[r.s.g.resolve(name)] {
		if !slices.Contains(nodes, u) {
			return false
		}
	}
	for _, o := range r.s.g.model.Graph.Outputs {
		if r.s.g.resolve(o.Name) == r.s.g.resolve(name) {
			return false
		}
	}
	return true
}

// normOp matches the operator LayerNormalization over the last axis.
func (r *recogniser) normOp(n *onnx.Node) *norm {
	if n.OpType != "LayerNormalization" || n.Domain != "" || len(n.Inputs) < 2 {
		return nil
	}
	x := r.s.g.resolve(n.Inputs[0])
	axis := int64(-1)
	if a := n.Attribute("axis"); a != nil {
		axis = a.I
	}
	if rank := int64(len(r.s.value(x).Shape)); !r.active(x) && !r.matrix(x) || axis != -1 && axis != rank-1 {
		return nil
	}
	m := &norm{x: x, gamma: r.row(n.Inputs[1], r.width(x)), eps: 1e-5, nodes: []*onnx.Node{n}}
	if a := n.Attribute("epsilon"); a != nil {
		m.eps = float64(a.F)
	}
	if len(n.Inputs) > 2 && n.Inputs[2] != "" {
		if m.beta = r.row(n.Inputs[2], r.width(x)); m.beta == nil && !r.zeros(n.Inputs[2]) {
			return nil
		}
	}
	if m.gamma == nil {
		return nil
	}
	return m
}

// zeros tells whether a value is a constant of zeros alone, which an exporter writes for a shift that is not there.
func (r *recogniser) zeros(name string) bool {
	v := r.s.value(name)
	return v != nil && v.kind == constant && len(v.Floats) > 0 && !slices.ContainsFunc(v.Floats, func(x float64) bool { return x != 0 })
}

// normNodes matches (x − mean(x)) / √(mean((x − mean(x))²) + eps) · gamma (+ beta), written out.
func (r *recogniser) normNodes(n *onnx.Node) *norm {
	m := &norm{}
	take := func(n *onnx.Node) { m.nodes = append([]*onnx.Node{n}, m.nodes...) }
	if act, other, ok := r.sides(n, "Add"); ok {
		if m.beta = r.row(other, r.width(act)); m.beta == nil &&
			!(r.zeros(other) && slices.Equal(r.s.value(n.Outputs[0]).Shape, r.s.value(act).Shape)) {
			return nil
		}
		take(n)
		n = r.s.g.producer(act)
	}
	act, other, ok := r.sides(n, "Mul")
	if !ok {
		return nil
	}
	if m.gamma = r.row(other, r.width(act)); m.gamma == nil {
		return nil
	}
	take(n)
	n = r.s.g.producer(act)
	sub, root, ok := r.operands(n, "Div")
	if !ok {
		return nil
	}
	take(n)
	sqrt := r.s.g.producer(root)
	if sqrt == nil || sqrt.OpType != "Sqrt" {
		return nil
	}
	take(sqrt)
	add := r.s.g.producer(sqrt.Inputs[0])
	variance, eps, ok := r.sides(add, "Add")
	if !ok {
		return nil
	}
	if m.eps, ok = r.scalar(eps); !ok {
		return nil
	}
	take(add)
	meanSquare := r.s.g.producer(variance)
	if !r.meanOfRows(meanSquare) {
		return nil
	}
	take(meanSquare)
	square := r.s.g.producer(meanSquare.Inputs[0])
	a, b, ok := r.operands(square, "Pow", "Mul")
	if !ok {
		return nil
	}
	if e, isScalar := r.scalar(b); square.OpType == "Pow" && !(isScalar && e == 2) || square.OpType == "Mul" && a != b {
		return nil
	}
	take(square)
	x, nodes, ok := r.centred(sub)
	x2, nodes2, ok2 := r.centred(a)
	if !ok || !ok2 || x != x2 {
		return nil
	}
	for _, n := range slices.Concat(nodes2, nodes) {
		if !slices.Contains(m.nodes, n) {
			take(n)
		}
	}
	m.x = x
	return m
}

// centred matches x − mean(x) over the last axis.
func (r *recogniser) centred(name string) (x string, nodes []*onnx.Node, ok bool) {
	n := r.s.g.producer(name)
	x, mean, ok := r.operands(n, "Sub")
	if !ok {
		return "", nil, false
	}
	m := r.s.g.producer(mean)
	if !r.meanOfRows(m) || r.s.g.resolve(m.Inputs[0]) != x {
		return "", nil, false
	}
	return x, []*onnx.Node{n, m}, true
}

// meanOfRows tells whether a node takes the mean over the last axis alone and keeps it as one.
func (r *recogniser) meanOfRows(n *onnx.Node) bool {
	if n == nil || n.OpType != "ReduceMean" || n.Domain != "" {
		return false
	}
	want := slices.Clone(r.s.value(n.Inputs[0]).Shape)
	if len(want) == 0 {
		return false
	}
	want[len(want)-1] = 1
	return slices.Equal(want, r.s.value(n.Outputs[0]).Shape)
}
