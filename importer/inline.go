package importer

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// condition is one If of a graph. Exporters write them for what a traced function decides by the shapes that it meets,
// so that one branch is taken whatever the batch is.
type condition struct {
	outer map[string]string // the names that the graph around it has been given
	then  *body
	other *body
	taken map[bool]bool // the branches that were chosen so far
}

// body is a branch of an If as part of the graph around it: its values have names of their own there.
type body struct {
	nodes []*onnx.Node
	inits []*onnx.Tensor
}

// inliner replaces each If by the branch that its condition chooses.
type inliner struct {
	g     *graph
	conds map[*onnx.Node]*condition
}

// conditionLengths are the batches beside the probes at which conditions are looked at, where the model takes them.
var conditionLengths = [...]struct{ batch, seq int }{{1, 1}, {1, 128}}

// inline returns the model with each If replaced by the branch that is taken at every batch size and length that graft
// looks at; a model without any as it is.
func inline(m *onnx.Model) (*onnx.Model, error) {
	if m.Graph == nil || !slices.ContainsFunc(m.Graph.Nodes, conditional) {
		return m, nil
	}
	g, known, err := newSources(m)
	if err != nil {
		return nil, err
	}
	for _, n := range m.Graph.Nodes {
		c := *n
		c.Domain = canonical(n.Domain)
		g.nodes = append(g.nodes, &c)
	}
	if err := g.link(known); err != nil {
		return nil, err
	}
	g.ifs = &inliner{g: g, conds: map[*onnx.Node]*condition{}}
	for _, p := range probes {
		if _, err := g.specialise(p.batch, p.seq, nil); err != nil {
			return nil, err
		}
	}
	for _, p := range conditionLengths {
		if _, err := g.specialise(p.batch, p.seq, nil); err != nil && errors.Is(err, errBothBranches) {
			return nil, err
		}
	}
	out, flat := *m, *m.Graph
	flat.Nodes, flat.Initializers = nil, slices.Clone(m.Graph.Initializers)
	if err := g.ifs.flatten(&flat, g.nodes); err != nil {
		return nil, err
	}
	out.Graph = &flat
	return &out, nil
}

func conditional(n *onnx.Node) bool { return n.OpType == "If" && canonical(n.Domain) == "" }

var errBothBranches = errors.New("its condition depends on the batch's size or the sequences' length")

// eval specialises the branch of an If that its condition chooses, and gives its outputs to the graph around it.
func (f *inliner) eval(s *spec, n *onnx.Node) error {
	if len(n.Inputs) != 1 || n.Inputs[0] == "" {
		return s.errorf(n, "it has %d inputs, want its condition", len(n.Inputs))
	}
	v, err := s.operand(n.Inputs[0])
	if err != nil {
		return s.errorf(n, "%w", err)
	}
	x, ok := v.Scalar()
	if v.Type != onnx.Bool {
		return s.errorf(n, "its condition %q is %v, want bool", n.Inputs[0], v.Array)
	}
	if !ok || v.kind != constant {
		return s.errorf(n, "its condition %q, %v, depends on what the model's inputs hold, not on their shapes alone", n.Inputs[0], v.Array)
	}
	c := f.conds[n]
	if c == nil {
		c = &condition{}
		f.conds[n] = c
	}
	if c.taken == nil {
		c.taken = map[bool]bool{}
	}
	c.taken[x != 0] = true
	if len(c.taken) == 2 {
		return s.errorf(n, "%w, so that neither branch can stand for it", errBothBranches)
	}
	b, err := f.body(n, c, x != 0)
	if err != nil {
		return s.errorf(n, "%w", err)
	}
	for _, n := range b.nodes {
		if err := s.eval(n); err != nil {
			return err
		}
	}
	return nil
}

// body returns a branch, making it when it is first asked for.
func (f *inliner) body(n *onnx.Node, c *condition, then bool) (*body, error) {
	name, b := "else_branch", &c.other
	if then {
		name, b = "then_branch", &c.then
	}
	if *b != nil {
		return *b, nil
	}
	a := n.Attribute(name)
	if a == nil || a.G == nil {
		return nil, fmt.Errorf("the attribute %q is missing or no graph", name)
	}
	if len(a.G.Inputs) > 0 || len(a.G.SparseInitializers) > 0 || len(a.G.Outputs) != len(n.Outputs) || len(n.Outputs) == 0 {
		return nil, fmt.Errorf("its %s has %d inputs, %d sparse initialisers and %d outputs, want 0, 0 and %d, at least one",
			name, len(a.G.Inputs), len(a.G.SparseInitializers), len(a.G.Outputs), len(n.Outputs))
	}
	*b = &body{}
	return *b, f.fill(*b, n, a.G, c.outer, n.Outputs[0]+"/"+name+"/")
}

// fill copies a branch's nodes and initialisers, prefixing the names of what the branch itself makes.
func (f *inliner) fill(b *body, n *onnx.Node, g *onnx.Graph, outer map[string]string, prefix string) error {
	names := maps.Clone(outer)
	if names == nil {
		names = map[string]string{}
	}
	for _, t := range g.Initializers {
		c := *t
		c.Name = prefix + t.Name
		names[t.Name] = c.Name
		b.inits = append(b.inits, &c)
		f.g.inits[c.Name] = &c
	}
	renamed := func(in []string) []string {
		out := slices.Clone(in)
		for i, x := range in {
			if y, ok := names[x]; ok && x != "" {
				out[i] = y
			}
		}
		return out
	}
	for _, src := range g.Nodes {
		c := *src
		c.Domain = canonical(src.Domain)
		c.Inputs = renamed(src.Inputs)
		for _, o := range src.Outputs {
			if o != "" {
				names[o] = prefix + o
			}
		}
		c.Outputs = renamed(src.Outputs)
		if conditional(&c) {
			f.conds[&c] = &condition{outer: maps.Clone(names)}
		}
		b.nodes = append(b.nodes, &c)
	}
	for i, o := range g.Outputs {
		if n.Outputs[i] == "" {
			continue
		}
		b.nodes = append(b.nodes, &onnx.Node{OpType: "Identity", Name: n.Name + "/" + o.Name,
			Inputs: renamed([]string{o.Name}), Outputs: []string{n.Outputs[i]}})
	}
	return nil
}

// flatten appends nodes to a graph, those of the branch that was taken in place of each If.
func (f *inliner) flatten(to *onnx.Graph, nodes []*onnx.Node) error {
	for _, n := range nodes {
		if !conditional(n) {
			to.Nodes = append(to.Nodes, n)
		} else {
			c := f.conds[n]
			b := c.then
			if c.taken[false] {
				b = c.other
			}
			to.Initializers = append(to.Initializers, b.inits...)
			if err := f.flatten(to, b.nodes); err != nil {
				return err
			}
		}
		if len(to.Nodes) > maxNodes {
			return fmt.Errorf("the graph has more than %d nodes, which is no encoder's", maxNodes)
		}
	}
	return nil
}
