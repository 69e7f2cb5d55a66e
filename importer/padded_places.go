package importer

import (
	"slices"
	"strconv"
	"strings"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// findMaps finds the linear maps that the last hidden state depends on: products by a matrix that depends on weights alone,
// whatever turned, converted or cut it.
func (p *Padded) findMaps(s *spec) {
	g := s.g
	need, _ := g.closure(p.Hidden)
	type use struct {
		weight *Weight
		trans  bool
	}
	modules, taken := map[use]string{}, map[string]bool{}
	fixed := g.fixed()
	for _, n := range g.nodes {
		if !need[n] || g.skips(n) {
			continue
		}
		trans, ok := mapping(n)
		if !ok {
			continue
		}
		x, w, y := s.value(n.Inputs[0]), s.value(n.Inputs[1]), s.value(n.Outputs[0])
		if x == nil || w == nil || y == nil || len(w.Shape) != 2 || len(x.Shape) < 2 || y.kind != activation || !fixed[g.resolve(n.Inputs[1])] {
			continue
		}
		m := Projection{Product: n.Outputs[0], Input: g.resolve(n.Inputs[0]), In: x.Shape[len(x.Shape)-1], Out: y.Shape[len(y.Shape)-1]}
		var u use
		var names []string
		if w.kind == parameter {
			u = use{p.nodes.weights[w.param.tensor], trans != w.param.trans}
			names = []string{module(u.weight.Name), u.weight.Name}
		} else {
			names = g.linearNames(nil, g.biasOf(n), n, false)
			for i, name := range names {
				names[i] = module(name)
			}
		}
		if m.Module = modules[u]; m.Module == "" || u.weight == nil {
			for _, m.Module = range append(names, n.Outputs[0]) {
				if m.Module != "" && !taken[m.Module] {
					break
				}
			}
			if taken[m.Module] {
				continue
			}
			taken[m.Module], modules[u] = true, m.Module
		}
		_, m.Layer = layerOf(m.Module)
		p.Maps = append(p.Maps, m)
	}
}

// mapping tells whether a node multiplies rows of its first input by its second, and whether that one stands transposed.
func mapping(n *onnx.Node) (trans, ok bool) {
	on := func(name string) bool { a := n.Attribute(name); return a != nil && a.I != 0 }
	if len(n.Inputs) < 2 || len(n.Outputs) == 0 || n.Outputs[0] == "" || on("transA") {
		return false, false
	}
	switch OperatorName(n) {
	case "MatMul":
		return false, true
	case "Gemm", "com.microsoft.FusedMatMul":
		return on("transB"), true
	}
	return false, false
}

// fixed lists the values that depend on no input of the model, its shape included.
func (g *graph) fixed() map[string]bool {
	is := map[string]bool{}
	for _, t := range g.inits {
		is[t.Name] = true
	}
	for _, n := range g.nodes {
		all := true
		for _, in := range n.Inputs {
			all = all && (in == "" || is[g.resolve(in)])
		}
		for _, out := range n.Outputs {
			is[out] = all
		}
	}
	return is
}

// biasOf is the bias of a linear map: a vector that a Gemm adds, or the one node that reads the product.
func (g *graph) biasOf(product *onnx.Node) *onnx.Tensor {
	row := func(name string) *onnx.Tensor {
		if t := g.inits[g.resolve(name)]; t != nil && len(t.Dims) == 1 {
			return t
		}
		return nil
	}
	if product.OpType == "Gemm" && len(product.Inputs) > 2 {
		return row(product.Inputs[2])
	}
	users := g.users[product.Outputs[0]]
	if len(users) != 1 || users[0].OpType != "Add" || users[0].Domain != "" || len(users[0].Inputs) != 2 {
		return nil
	}
	for _, in := range users[0].Inputs {
		if t := row(in); t != nil {
			return t
		}
	}
	return nil
}

// layerOf is the layer that a module's name tells, by its first number: "encoder.layer" and 3 for
// "encoder.layer.3.attention.self"; −1 where there is none.
func layerOf(module string) (stack string, layer int) {
	parts := strings.Split(module, ".")
	for i, s := range parts {
		if n, err := strconv.Atoi(s); err == nil && n >= 0 && i > 0 {
			return strings.Join(parts[:i], "."), n
		}
	}
	return "", -1
}

// findEnds finds the one value of hidden states that leaves each layer, by the modules that the nodes belong to. Layers
// are numbered from 0; where one of them hands on several such values, or none, there are no ends.
func (p *Padded) findEnds(f *hiddenFinder) {
	type place struct {
		stack string
		layer int
	}
	need, _ := f.g.closure(p.Hidden)
	at := func(n *onnx.Node) place {
		s, l := layerOf(scope(n))
		return place{s, l}
	}
	exits := map[place][]End{}
	layers := map[string]int{}
	for _, n := range f.g.nodes {
		here := at(n)
		if !need[n] || here.layer < 0 || f.g.skips(n) {
			continue
		}
		for _, v := range n.Outputs {
			leaves := v == p.Hidden || slices.ContainsFunc(f.g.users[v], func(u *onnx.Node) bool { return need[u] && at(u) != here })
			if v != "" && leaves && f.rows(v) == p.Width {
				exits[here] = append(exits[here], End{withoutNorm(scope(n)), v})
				layers[here.stack] = max(layers[here.stack], here.layer+1)
			}
		}
	}
	stack := ""
	for _, m := range p.Maps { // the stack of the most layers; of several the first that the data goes through
		if s, _ := layerOf(m.Module); layers[s] > layers[stack] {
			stack = s
		}
	}
	var ends []End
	for i := range layers[stack] {
		e := exits[place{stack, i}]
		if len(e) != 1 || slices.ContainsFunc(p.Maps, func(m Projection) bool { return m.Product == e[0].Value }) {
			return
		}
		ends = append(ends, e[0])
	}
	p.Ends = ends
}

// withoutNorm is the module around a normalisation.
func withoutNorm(scope string) string {
	if i := strings.LastIndexByte(scope, '.'); i >= 0 && strings.Contains(strings.ToLower(scope[i:]), "norm") {
		return scope[:i]
	}
	return scope
}
