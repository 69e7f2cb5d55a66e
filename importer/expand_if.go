package importer

import (
	"errors"
	"fmt"
	"slices"

	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// branch writes an If as the nodes of the branch that it takes whatever the batch is. Exporters write Ifs for what a
// traced function decides by the shapes that it meets.
func branch(e *emitter, n *onnx.Node, know knowledge) error {
	if len(n.Inputs) != 1 {
		return fmt.Errorf("it has %d inputs, want a condition", len(n.Inputs))
	}
	if slices.ContainsFunc(e.x.model.Graph.Inputs, func(in *onnx.ValueInfo) bool { return in.Name == n.Inputs[0] }) {
		return fmt.Errorf("its condition %q is an input of the model, so that neither branch can stand for it", n.Inputs[0])
	}
	if know == nil {
		return errLate
	}
	cond, err := know(n.Inputs[0])
	if err != nil {
		return err
	}
	if cond.Type != onnx.Bool {
		return fmt.Errorf("its condition %q is %v, want bool", n.Inputs[0], cond)
	}
	v, known := cond.Scalar()
	if !known {
		return fmt.Errorf("its condition %q is not the same for all inputs, batch sizes and lengths, so that neither branch "+
			"can stand for it", n.Inputs[0])
	}
	name := "else_branch"
	if v != 0 {
		name = "then_branch"
	}
	a := n.Attribute(name)
	if a == nil || a.G == nil {
		return fmt.Errorf("it has no %s", name)
	}
	g := a.G
	switch {
	case len(g.Inputs) > 0:
		return fmt.Errorf("its %s has inputs", name)
	case len(g.SparseInitializers) > 0:
		return errors.New("sparse initialisers are not supported")
	case len(g.Outputs) < len(n.Outputs):
		return fmt.Errorf("its %s has %d outputs, want %d", name, len(g.Outputs), len(n.Outputs))
	}
	s := &scoped{x: e.x, to: map[string]string{}}
	for _, t := range g.Initializers {
		if t == nil || t.Name == "" {
			return fmt.Errorf("an initialiser of its %s has no name", name)
		}
		c := *t
		c.Name = e.x.fresh(t.Name)
		s.to[t.Name] = c.Name
		e.x.initialiser(&c)
	}
	nodes, err := e.x.ordered(g, g.Nodes)
	if err != nil {
		return fmt.Errorf("its %s: %w", name, err)
	}
	for _, n := range nodes {
		if n == nil {
			return fmt.Errorf("a node of its %s is empty", name)
		}
		c, err := s.node(n, "")
		if err != nil {
			return err
		}
		e.nodes = append(e.nodes, c)
	}
	for i, out := range n.Outputs {
		if out == "" {
			continue
		}
		from := g.Outputs[i].Name
		if to, ok := s.to[from]; ok {
			from = to
		}
		e.nodes = append(e.nodes, &onnx.Node{OpType: "Identity", Name: n.Name, Inputs: []string{from}, Outputs: []string{out}})
	}
	return nil
}

// settle rewrites the nodes whose rules ask for types and shapes: those first that depend on no other one.
func (x *expander) settle() error {
	for len(x.late) > 0 {
		g, err := x.link()
		if err != nil {
			return err
		}
		waiting := x.late
		x.late = map[*onnx.Node]bool{}
		p := &prober{x: x, g: g, late: waiting, memo: map[string]*fold.Array{}}
		var nodes []expanded
		for _, n := range x.nodes {
			if !waiting[n.Node] {
				nodes = append(nodes, n)
				continue
			}
			out, err := x.rewrite(n.Node, p.know, 0)
			if err != nil {
				return err
			}
			for _, o := range out {
				nodes = append(nodes, expanded{o, n.source})
			}
			if len(nodes) > maxNodes {
				return errNodes
			}
		}
		x.nodes = nodes
		if p.failed != nil && len(x.late) == len(waiting) && !p.told {
			return p.failed
		}
	}
	return nil
}

// link is the graph as far as it is written, for shapes alone: its operators are not checked.
func (x *expander) link() (*graph, error) {
	g, known, err := sourcesOf(x.model)
	if err != nil {
		return nil, err
	}
	for _, n := range x.nodes {
		g.nodes = append(g.nodes, n.Node)
	}
	return g, g.link(known)
}

// prober tells what values are in a graph of which some nodes are not written yet.
type prober struct {
	x      *expander
	g      *graph
	late   map[*onnx.Node]bool
	memo   map[string]*fold.Array
	told   bool
	failed error // of a value that was asked for too early
}

// conditionShapes are the batches beside the probes at which conditions are looked at, where the model takes them.
var conditionShapes = [...]struct{ batch, seq int }{{1, 1}, {1, 128}}

// know returns a value at the first probe, with those elements that are the same at all probes.
func (p *prober) know(name string) (*fold.Array, error) {
	if a := p.memo[name]; a != nil {
		return a, nil
	}
	need, _ := p.g.closure(name)
	for n := range need {
		if p.late[n] {
			p.failed = fmt.Errorf("the value %q depends on %v, whose inputs are not known", name, n)
			return nil, errLate
		}
	}
	p.told = true
	if p.x.probed += (len(probes) + len(conditionShapes)) * len(p.g.nodes); p.x.probed > maxProbed {
		return nil, fmt.Errorf("the graph has more Ifs than can be decided: their conditions take more than %d nodes to look at", maxProbed)
	}
	var first *fold.Array
	for _, at := range probes {
		s, err := p.g.specialise(at.batch, at.seq, func(n *onnx.Node) bool { return need[n] })
		if err != nil {
			return nil, err
		}
		v, err := s.operand(name)
		if err != nil {
			return nil, err
		}
		switch {
		case first == nil:
			first = v.Array
		case !first.Equal(v.Array):
			first = fold.Unknown(first.Type, first.Shape...)
		}
	}
	if first.Type == onnx.Bool && first.Known() {
		for _, at := range conditionShapes {
			s, err := p.g.specialise(at.batch, at.seq, func(n *onnx.Node) bool { return need[n] })
			if err != nil {
				continue
			}
			if v, err := s.operand(name); err == nil && !first.Equal(v.Array) {
				first = fold.Unknown(first.Type, first.Shape...)
			}
		}
	}
	p.memo[name] = first
	return first, nil
}
