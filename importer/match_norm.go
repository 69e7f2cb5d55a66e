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
	rms         bool         // no mean is subtracted
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
	o := &LayerNorm{Origin: Origin{name, m.nodes}, Residual: None, Eps: float32(m.eps), RMS: m.rms, Sum: m.x}
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
		if !r.zeros(n.Inputs[2]) {
			if m.beta = r.row(n.Inputs[2], r.width(x)); m.beta == nil {
				return nil
			}
		}
	}
	if m.gamma == nil {
		return nil
	}
	return m
}

// zeros tells whether a value is a constant of zeros alone, or an initialiser of them without a name, which an exporter
// writes for a shift that is not there.
func (r *recogniser) zeros(name string) bool {
	v := r.s.value(name)
	if v != nil && v.kind == parameter && anonymous(v.param.tensor.Name) {
		x, err := v.param.tensor.Float32s()
		return err == nil && !slices.ContainsFunc(x, func(x float32) bool { return x != 0 })
	}
	return v != nil && v.kind == constant && len(v.Floats) > 0 && !slices.ContainsFunc(v.Floats, func(x float64) bool { return x != 0 })
}

// normNodes matches (x − mean(x)) / √(mean((x − mean(x))²) + eps) · gamma (+ beta), written out; without the means,
// x / √(mean(x²) + eps) · gamma.
func (r *recogniser) normNodes(n *onnx.Node) *norm {
	m := &norm{}
	take := func(nodes ...*onnx.Node) {
		for _, n := range nodes {
			if !slices.Contains(m.nodes, n) {
				m.nodes = append([]*onnx.Node{n}, m.nodes...)
			}
		}
	}
	if act, other, ok := r.sides(n, "Add"); ok {
		if !r.zeros(other) {
			m.beta = r.row(other, r.width(act))
		}
		if m.beta == nil && !(r.zeros(other) && slices.Equal(r.s.value(n.Outputs[0]).Shape, r.s.value(act).Shape)) {
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
	x, square, nodes := r.byRoot(n)
	if square == "" {
		return nil
	}
	take(nodes...)
	variance, eps, ok := r.sides(r.s.g.producer(square), "Add")
	if !ok {
		return nil
	}
	if m.eps, ok = r.scalar(eps); !ok {
		return nil
	}
	take(r.s.g.producer(square))
	of, nodes := r.meanSquare(variance)
	if of == "" {
		return nil
	}
	take(nodes...)
	from, nodes, ok := r.centred(x)
	from2, nodes2, ok2 := r.centred(of)
	switch {
	case ok && ok2 && from == from2:
		m.x = from
		take(nodes2...)
		take(nodes...)
	case x == of && r.active(x):
		m.x, m.rms = x, true
	default:
		return nil
	}
	return m
}

// byRoot matches x / √z, also written as a product with 1/√z, whose nodes come last first.
func (r *recogniser) byRoot(n *onnx.Node) (x, z string, nodes []*onnx.Node) {
	x, root, ok := r.operands(n, "Div")
	nodes = []*onnx.Node{n}
	if !ok {
		a, b, ok := r.operands(n, "Mul")
		if !ok {
			return "", "", nil
		}
		for _, way := range [][2]string{{a, b}, {b, a}} {
			inverse := r.s.g.producer(way[1])
			if of := r.reciprocal(inverse); of != "" && r.s.value(of).Size() < r.s.value(way[0]).Size() {
				x, root, nodes = way[0], of, append(nodes, inverse)
				break
			}
		}
		if root == "" {
			return "", "", nil
		}
	}
	sqrt := r.s.g.producer(root)
	if sqrt == nil || sqrt.OpType != "Sqrt" || sqrt.Domain != "" {
		return "", "", nil
	}
	return x, r.s.g.resolve(sqrt.Inputs[0]), append(nodes, sqrt)
}

// reciprocal is the value that a node takes the reciprocal of, "" where it does something else.
func (r *recogniser) reciprocal(n *onnx.Node) string {
	if n != nil && n.Domain == "" && n.OpType == "Reciprocal" {
		return r.s.g.resolve(n.Inputs[0])
	}
	one, of, ok := r.operands(n, "Div")
	if f, isScalar := r.scalar(one); ok && isScalar && f == 1 {
		return of
	}
	return ""
}

// meanSquare matches the mean of the squares of x over the last axis.
func (r *recogniser) meanSquare(name string) (x string, nodes []*onnx.Node) {
	mean := r.s.g.producer(name)
	if !r.meanOfRows(mean) {
		return "", nil
	}
	square := r.s.g.producer(mean.Inputs[0])
	a, b, ok := r.operands(square, "Pow", "Mul")
	if !ok {
		return "", nil
	}
	if e, isScalar := r.scalar(b); square.OpType == "Pow" && !(isScalar && e == 2) || square.OpType == "Mul" && a != b {
		return "", nil
	}
	return a, []*onnx.Node{mean, square}
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
