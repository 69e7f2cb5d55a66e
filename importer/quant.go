package importer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// dequantise replaces the quantised parts of a graph by what they stand for: a weight by its dequantised numbers, which
// are made when somebody asks for them, an activation by itself, not rounded. A quantised product becomes a MatMul.
func (x *expander) dequantise() error {
	if !slices.ContainsFunc(x.nodes, func(n expanded) bool { return quantised(n.Node) }) {
		return nil
	}
	q := &dequantiser{x: x, stands: map[string]string{}, scales: map[string]string{}, zeros: map[string]string{},
		makers: map[string]*onnx.Node{}, made: map[string]string{}}
	var out []expanded
	for _, n := range x.nodes {
		for _, o := range n.Outputs {
			q.makers[o] = n.Node
		}
		e := &emitter{x: x, src: n.Node}
		stays, err := q.node(e, n.Node)
		if err != nil {
			return fmt.Errorf("%v: %w", n, err)
		}
		for _, m := range e.nodes {
			out = append(out, expanded{m, n.source})
		}
		if stays {
			out = append(out, n)
		}
	}
	x.nodes = x.alive(out)
	return nil
}

// quantised tells whether an operator computes with quantised numbers.
func quantised(n *onnx.Node) bool {
	switch n.OpType {
	case "DequantizeLinear", "QuantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "QLinearMatMul":
		return n.Domain == "" || n.Domain == microsoft
	case "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "MatMulNBits":
		return n.Domain == microsoft
	}
	return false
}

// alive drops nodes that nothing reads any more.
func (x *expander) alive(nodes []expanded) []expanded {
	read := map[string]bool{}
	for _, o := range x.model.Graph.Outputs {
		read[o.Name] = true
	}
	var out []expanded
	for _, n := range slices.Backward(nodes) {
		if !slices.ContainsFunc(n.Outputs, func(name string) bool { return name != "" && read[name] }) {
			continue
		}
		for _, in := range n.Inputs {
			read[in] = true
		}
		out = append(out, n)
	}
	slices.Reverse(out)
	return out
}

// dequantiser follows quantised values through a graph.
type dequantiser struct {
	x      *expander
	stands map[string]string     // a quantised activation → the activation
	scales map[string]string     // a scale that is computed from an activation → the activation
	zeros  map[string]string     // a zero point likewise
	makers map[string]*onnx.Node // of the values so far
	made   map[string]string     // dequantised weights: by tensor and how → initialiser
}

// node writes what stands for one node, and tells whether the node itself stays.
func (q *dequantiser) node(e *emitter, n *onnx.Node) (stays bool, err error) {
	if !quantised(n) {
		return q.other(e, n)
	}
	switch n.OpType {
	case "QuantizeLinear":
		if err := e.need(2); err != nil {
			return false, err
		}
		q.stands[n.Outputs[0]] = n.Inputs[0]
	case "DynamicQuantizeLinear":
		if err := e.need(1); err != nil {
			return false, err
		}
		q.stands[n.Outputs[0]], q.scales[e.output(1)], q.zeros[e.output(2)] = n.Inputs[0], n.Inputs[0], n.Inputs[0]
	case "DequantizeLinear":
		return false, q.dequantizeLinear(e, n)
	case "MatMulInteger": // the product follows where its scales join it
	case "QLinearMatMul":
		if err := e.need(8); err != nil {
			return false, err
		}
		x, ok := q.stands[n.Inputs[0]]
		if !ok {
			return false, fmt.Errorf("its input %q is not an activation that graft saw quantised", n.Inputs[0])
		}
		w, err := q.weight(n.Inputs[3], n.Inputs[4], n.Inputs[5], 1, 0)
		if err != nil {
			return false, err
		}
		q.stands[n.Outputs[0]] = e.product(e.x.fresh(n.Outputs[0]+"_dequantised"), n.Name, x, w, "")
	case "MatMulIntegerToFloat":
		if err := e.need(4); err != nil {
			return false, err
		}
		x, ok := q.stands[n.Inputs[0]]
		if !ok || q.scales[n.Inputs[2]] != x || e.input(4) != "" && q.zeros[e.input(4)] != x {
			return false, fmt.Errorf("its input %q is not an activation that graft saw quantised", n.Inputs[0])
		}
		w, err := q.weight(n.Inputs[1], n.Inputs[3], e.input(5), 1, 0)
		if err != nil {
			return false, err
		}
		e.product(n.Outputs[0], n.Name, x, w, e.input(6))
	case "DynamicQuantizeMatMul":
		if err := e.need(3); err != nil {
			return false, err
		}
		w, err := q.weight(n.Inputs[1], n.Inputs[2], e.input(3), 1, 0)
		if err != nil {
			return false, err
		}
		e.product(n.Outputs[0], n.Name, n.Inputs[0], w, e.input(4))
	case "MatMulNBits":
		return false, q.matMulNBits(e, n)
	}
	return false, nil
}

// product writes x·w (+ bias) under the name of a node.
func (e *emitter) product(out, name, x, w, bias string) string {
	p := out
	if bias != "" {
		p = e.x.fresh(out + "_product")
	}
	e.nodes = append(e.nodes, &onnx.Node{OpType: "MatMul", Name: name, Inputs: []string{x, w}, Outputs: []string{p},
		Metadata: e.src.Metadata})
	if bias != "" {
		e.nodes = append(e.nodes, &onnx.Node{OpType: "Add", Name: name + "_bias", Inputs: []string{p, bias}, Outputs: []string{out},
			Metadata: e.src.Metadata})
	}
	return out
}

// dequantizeLinear replaces a weight by its numbers, rows of a quantised table by those of the dequantised one, and an
// activation that was quantised by itself.
func (q *dequantiser) dequantizeLinear(e *emitter, n *onnx.Node) error {
	if err := e.need(2); err != nil {
		return err
	}
	from := n.Inputs[0]
	identity := func(x string) error {
		e.nodes = append(e.nodes, &onnx.Node{OpType: "Identity", Name: n.Name, Inputs: []string{x}, Outputs: n.Outputs[:1]})
		return nil
	}
	if q.x.inits[from] != nil {
		out := n.Outputs[0]
		if called(from) == out { // then the weight takes its name
			delete(q.x.names, out)
		}
		w, err := q.weight(from, n.Inputs[1], e.input(2), e.intOr("axis", 1), e.intOr("block_size", 0))
		if err != nil {
			return err
		}
		q.x.names[out] = 1
		if w == out {
			return nil
		}
		return identity(w)
	}
	if y, ok := q.stands[from]; ok {
		return identity(y)
	}
	m := q.makers[from]
	var chain []*onnx.Node // that moves the rows
	for m != nil && m.Domain == "" && slices.Contains(moves, m.OpType) && len(m.Outputs) == 1 && q.x.inits[m.Inputs[0]] == nil &&
		len(chain) < maxChain {
		chain = append([]*onnx.Node{m}, chain...)
		m = q.makers[m.Inputs[0]]
	}
	if m != nil && m.OpType == "Gather" && m.Domain == "" && len(m.Outputs) == 1 && q.x.inits[m.Inputs[0]] != nil {
		if t := q.x.inits[n.Inputs[1]]; t == nil || len(t.Dims) > 1 || len(t.Dims) == 1 && t.Dims[0] != 1 {
			return fmt.Errorf("the table %q has several scales", m.Inputs[0])
		}
		w, err := q.weight(m.Inputs[0], n.Inputs[1], e.input(2), 0, 0)
		if err != nil {
			return err
		}
		rows := w
		for i, m := range append([]*onnx.Node{m}, chain...) {
			c := *m
			c.Inputs, c.Outputs = append([]string{rows}, m.Inputs[1:]...), n.Outputs[:1]
			if i < len(chain) {
				c.Outputs = []string{q.x.fresh(m.Outputs[0] + "_dequantised")}
			}
			e.nodes = append(e.nodes, &c)
			rows = c.Outputs[0]
		}
		return nil
	}
	return fmt.Errorf("its input %q is neither a weight nor an activation that graft saw quantised", from)
}

// other follows quantised activations through nodes that only move elements, and finds the products of integers where
// their scales join them.
func (q *dequantiser) other(e *emitter, n *onnx.Node) (stays bool, err error) {
	if n.Domain != "" || len(n.Inputs) == 0 || len(n.Outputs) == 0 {
		return true, nil
	}
	if x, ok := q.stands[n.Inputs[0]]; ok && slices.Contains(moves, n.OpType) {
		c := *n
		c.Inputs, c.Outputs = slices.Clone(n.Inputs), []string{q.x.fresh(n.Outputs[0] + "_dequantised")}
		c.Inputs[0] = x
		e.nodes = append(e.nodes, &c)
		q.stands[n.Outputs[0]] = c.Outputs[0]
		return true, nil
	}
	if n.OpType != "Mul" || len(n.Inputs) != 2 {
		return true, nil
	}
	product, factors := q.factors(n, 0)
	if product == nil || len(factors) != 2 {
		return true, nil
	}
	x, ok := q.stands[product.Inputs[0]]
	if !ok {
		return true, nil
	}
	if q.scales[factors[0]] == "" {
		factors[0], factors[1] = factors[1], factors[0]
	}
	zero := func(i int) string {
		if i < len(product.Inputs) {
			return product.Inputs[i]
		}
		return ""
	}
	if q.scales[factors[0]] != x || zero(2) != "" && q.zeros[zero(2)] != x || q.x.inits[factors[1]] == nil {
		return true, nil
	}
	w, err := q.weight(product.Inputs[1], factors[1], zero(3), 1, 0)
	if err != nil {
		return false, fmt.Errorf("%v: %w", product, err)
	}
	e.src = product
	e.product(n.Outputs[0], strings.TrimSuffix(product.Name, "_quant"), x, w, "")
	return false, nil
}

// factors splits a product of scalars and vectors with one MatMulInteger, converted to floating point, into that node
// and the other factors.
func (q *dequantiser) factors(n *onnx.Node, depth int) (product *onnx.Node, rest []string) {
	for _, in := range n.Inputs {
		m := q.makers[in]
		switch {
		case m != nil && m.OpType == "Cast" && len(m.Inputs) == 1 && q.makers[m.Inputs[0]] != nil &&
			q.makers[m.Inputs[0]].OpType == "MatMulInteger" && len(q.makers[m.Inputs[0]].Inputs) > 1:
			if product != nil {
				return nil, nil
			}
			product = q.makers[m.Inputs[0]]
		case m != nil && m.OpType == "Mul" && m.Domain == "" && depth < 2:
			p, r := q.factors(m, depth+1)
			if p != nil && product != nil {
				return nil, nil
			}
			if p != nil {
				product = p
			}
			rest = append(rest, r...)
		default:
			rest = append(rest, in)
		}
	}
	return product, rest
}

// Quantised tells whether a model computes with quantised numbers, in its graph or its functions.
func Quantised(m *onnx.Model) bool {
	any := func(nodes []*onnx.Node) bool {
		return slices.ContainsFunc(nodes, func(n *onnx.Node) bool {
			if n == nil {
				return false
			}
			c := *n
			c.Domain = canonical(n.Domain)
			return quantised(&c)
		})
	}
	return m.Graph != nil && any(m.Graph.Nodes) ||
		slices.ContainsFunc(m.Functions, func(f *onnx.Function) bool { return f != nil && any(f.Nodes) })
}
