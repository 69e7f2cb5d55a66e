package importer

import (
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// product is x·W as found in the graph.
type product struct {
	x     string
	w     *view
	trans bool // as stored: the file's matrix is [out,in]
	out   string
	width int
	node  *onnx.Node
	bias  *view // of Gemm
}

// linear recognises a linear map: MatMul with its bias, or Gemm.
func (r *recogniser) linear(name string, n *onnx.Node) (Value, error) {
	if p := r.product(n); p != nil {
		return r.affine(p, p.bias, name, nil)
	}
	if act, other, ok := r.sides(n, "Add"); ok {
		p := r.plain(act)
		if p == nil {
			return None, nil
		}
		if b := r.row(other, p.width); b != nil {
			return r.affine(p, b, name, n)
		}
	}
	return None, nil
}

// affine adds the linear map of a product and its bias, which node add joins.
func (r *recogniser) affine(p *product, bias *view, name string, add *onnx.Node) (Value, error) {
	x, err := r.value(p.x)
	if err != nil {
		return None, err
	}
	o := &Linear{Origin: Origin{Output: name, Nodes: []*onnx.Node{p.node}}, X: x, Trans: p.trans, Product: r.readAs(p.out), Input: p.x}
	if add != nil {
		o.Nodes = append(o.Nodes, add)
	}
	var b *onnx.Tensor
	if bias != nil {
		b = bias.tensor
		r.copies(module(b.Name)+".weight", p.w)
	}
	o.W = r.weight(p.w, r.s.g.linearNames(p.w.tensor, b, p.node, r.oneMap(p.w.tensor, b))...)
	if bias != nil {
		name := b.Name
		if anonymous(name) {
			name = module(o.W.Name) + ".bias"
		}
		o.Bias = r.weight(bias, name)
	}
	return r.put(o)
}

// readAs is the name under which a value is read, where that is one: of a value that is rounded before anybody reads it,
// the rounded one's.
func (r *recogniser) readAs(value string) string {
	as := ""
	for _, n := range r.s.g.users[value] {
		for _, in := range n.Inputs {
			if in != "" && r.s.g.resolve(in) == value {
				if as != "" && as != in {
					return value
				}
				as = in
			}
		}
	}
	if as == "" {
		return value
	}
	return as
}

// plain is the product that makes a value and adds nothing to it.
func (r *recogniser) plain(name string) *product {
	n := r.s.g.producer(name)
	if p := r.product(n); p != nil && p.bias == nil {
		return p
	}
	return nil
}

// product matches x·W for an activation x and a weight W.
func (r *recogniser) product(n *onnx.Node) *product {
	if n == nil || len(n.Inputs) < 2 {
		return nil
	}
	attr := func(name string, def float32) float32 {
		a := n.Attribute(name)
		switch {
		case a == nil:
			return def
		case a.Type == onnx.AttrInt:
			return float32(a.I)
		}
		return a.F
	}
	trans := false
	switch {
	case n.Domain == "" && n.OpType == "MatMul":
	case n.Domain == "" && n.OpType == "Gemm":
		if attr("alpha", 1) != 1 || attr("beta", 1) != 1 || attr("transA", 0) != 0 {
			return nil
		}
		trans = attr("transB", 0) != 0
	case n.Domain == "com.microsoft" && n.OpType == "FusedMatMul":
		if attr("alpha", 1) != 1 || attr("transA", 0) != 0 {
			return nil
		}
		trans = attr("transB", 0) != 0
	default:
		return nil
	}
	w := r.s.value(n.Inputs[1])
	if !r.active(n.Inputs[0]) || w == nil || w.kind != parameter || len(w.Shape) != 2 {
		return nil
	}
	p := &product{x: r.s.g.resolve(n.Inputs[0]), w: w.param, trans: trans != w.param.trans, out: n.Outputs[0], node: n}
	p.width = r.width(p.out)
	if len(n.Inputs) > 2 && n.Inputs[2] != "" {
		if p.bias = r.row(n.Inputs[2], p.width); p.bias == nil {
			return nil
		}
	}
	return p
}
