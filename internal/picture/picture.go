// Package picture draws an encoder so that a person can look at it: what goes in, the operations on the way, and what
// comes out, from top to bottom. Layers that are equal are drawn once, with their count; places that take an adapter are
// marked. A picture is written as SVG, laid out here, or as Graphviz's DOT.
package picture

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// Picture is an encoder as boxes and arrows.
type Picture struct {
	title, detail string
	legend        []legend
	root          *group
}

// node is a box: an operation, a group of them, an input or output, or a port, a dot through which a group's values pass.
type node struct {
	class  string // what its looks depend on
	title  string
	detail []string
	marks  []string // classes of the adapters that may sit there
	inner  *group   // of a group

	rank       int
	x, y, w, h float64 // the upper left corner in its group, and the size
}

// edge is an arrow.
type edge struct{ from, to *node }

// group is a part of the graph.
type group struct {
	nodes []*node
	edges []edge
	has   map[edge]bool

	w, h  float64
	lanes []lane
}

func (g *group) add(n *node) *node {
	g.nodes = append(g.nodes, n)
	return n
}

func (g *group) link(from, to *node) {
	if e := (edge{from, to}); from != to && !g.has[e] {
		if g.has == nil {
			g.has = map[edge]bool{}
		}
		g.has[e] = true
		g.edges = append(g.edges, e)
	}
}

// The marks, by the method that goes there.
const (
	lora     = "lora"
	pfeiffer = "pfeiffer"
	top      = "top"
)

// legend explains a mark.
type legend struct {
	mark, text string
	count      int
}

// Of draws a model; places are what graph.Places finds in it.
func Of(m *importer.Model, places []peft.Place) *Picture {
	p := &painter{m: m, seq: newSequence(m.Encoder), marks: map[importer.Value][]string{}, root: &group{}}
	pic := &Picture{title: m.Config.ModelType, root: p.root}
	if pic.title == "" {
		pic.title = filepath.Base(m.Path)
	}
	pic.legend = p.mark(places)
	p.draw()
	total := 0
	for _, w := range m.Weights {
		total += size(w)
	}
	var parts []string
	if n := len(m.Layers); n > 0 {
		parts = append(parts, plural(n, "layer"))
	}
	if n := graph.HiddenSize(m.Encoder); n > 0 {
		parts = append(parts, fmt.Sprint("hidden ", n))
	}
	parts = append(parts, number(total)+" parameters")
	for _, o := range m.File.OpsetImport {
		if o.Domain == "" || o.Domain == "ai.onnx" {
			parts = append(parts, fmt.Sprint("opset ", o.Version))
		}
	}
	pic.detail = strings.Join(parts, " · ")
	return pic
}

// painter makes the boxes of a model.
type painter struct {
	m     *importer.Model
	seq   *sequence
	marks map[importer.Value][]string
	root  *group
}

// mark finds the operations at the places, and says what the marks mean.
func (p *painter) mark(places []peft.Place) []legend {
	e := p.m.Encoder
	count := map[string]int{}
	projections := map[string]bool{}
	put := func(v importer.Value, mark string) { p.marks[v] = append(p.marks[v], mark) }
	for _, place := range places {
		switch place.Kind {
		case peft.Projection:
			projections[place.Name] = true
			count[lora]++
		case peft.LayerOutput:
			count[pfeiffer]++
		case peft.Top:
			count[top]++
			put(e.Hidden[len(e.Hidden)-1], top)
		}
	}
	for v, o := range e.Ops {
		if l, ok := o.(*importer.Linear); ok && projections[l.Module()] {
			put(importer.Value(v), lora)
		}
	}
	for _, l := range e.Layers {
		if count[pfeiffer] > 0 && l.Norm2 != importer.None {
			put(l.Norm2, pfeiffer)
		}
	}
	var out []legend
	for _, x := range []legend{{mark: lora, text: "LoRA (lora)"}, {mark: pfeiffer, text: "a bottleneck (pfeiffer)"}, {mark: top, text: "a bottleneck (top)"}} {
		if x.count = count[x.mark]; x.count > 0 {
			out = append(out, x)
		}
	}
	return out
}

// draw makes the nodes and edges of the whole.
func (p *painter) draw() {
	at := make([]*node, len(p.seq.order)) // by position: the node in the root that the operation is in
	in := p.root.add(p.inputs())
	for _, s := range p.seq.segments() {
		var n *node
		if s.count == 1 {
			n = p.root.add(p.op(p.seq.order[s.start], true))
		} else {
			n = p.root.add(p.block(s))
		}
		for i := s.start; i < s.start+s.period*s.count; i++ {
			at[i] = n
			from := p.seq.operands(i)
			for _, u := range from {
				p.root.link(at[u], n)
			}
			if len(from) == 0 && p.reads(i) {
				p.root.link(in, n)
			}
		}
	}
	for _, o := range p.m.Outputs {
		rows := "tokens"
		if o.Pooled {
			rows = "sequences"
		}
		n := p.root.add(&node{class: "end", title: short(o.Name, 60), detail: []string{fmt.Sprintf("%s × %d", rows, o.Width)}})
		p.root.link(at[p.seq.at[o.Value]], n)
	}
}

// reads tells whether an operation without operands reads the model's inputs: others only have weights.
func (p *painter) reads(i int) bool {
	e, ok := p.m.Ops[p.seq.order[i]].(*importer.Embedding)
	return ok && len(e.Index) > 0
}

// inputs is a node for what is looked up; the inputs beside, which are masks, concern every attention.
func (p *painter) inputs() *node {
	var looked, others []string
	for _, in := range p.m.File.Graph.Inputs {
		switch {
		case slices.ContainsFunc(p.m.Indexes, func(x importer.Index) bool { return x.Input == in.Name }):
			looked = append(looked, in.Name)
		case !slices.ContainsFunc(p.m.File.Graph.Initializers, func(t *onnx.Tensor) bool { return t.Name == in.Name }):
			others = append(others, in.Name)
		}
	}
	n := &node{class: "end", title: short(strings.Join(looked, ", "), 60)}
	if len(looked) == 0 {
		n.title = "inputs"
	}
	if len(others) > 0 {
		n.detail = []string{short("attentions heed "+strings.Join(others, ", "), 60)}
	}
	return n
}

// block is a node for repetitions of some operations, with the first of them in it.
func (p *painter) block(s segment) *node {
	g := &group{}
	n := &node{class: "group", inner: g, title: fmt.Sprintf("%d ×", s.count)}
	params, same := 0, true
	inside := make([]*node, s.period)
	ports := map[int]*node{}
	for i := range s.period {
		at := s.start + i
		inside[i] = g.add(p.op(p.seq.order[at], false))
		inside[i].marks = slices.DeleteFunc(slices.Clone(inside[i].marks), func(m string) bool { return m == top })
		next := p.seq.operands(at + s.period)
		for k, u := range p.seq.operands(at) {
			if u >= s.start {
				g.link(inside[u-s.start], inside[i])
				continue
			}
			if ports[u] == nil {
				ports[u] = g.add(&node{class: "port"})
				// What every repetition takes from before them all has a name; what each hands to the next has none.
				if next[k] == u {
					ports[u].title, ports[u].class = p.op(p.seq.order[u], false).title, "common"
				}
			}
			g.link(ports[u], inside[i])
		}
		weights := p.m.WeightsOf(p.seq.order[at+s.period])
		for k, w := range p.m.WeightsOf(p.seq.order[at]) {
			params += size(w)
			same = same && k < len(weights) && weights[k] == w
		}
	}
	p.leave(s, g, inside)
	each := number(params) + " parameters each"
	if same && params > 0 {
		each = "the same " + number(params) + " parameters"
	}
	n.detail = []string{each}
	for i := s.start; i < s.start+s.period*s.count; i++ { // the end of the last repetition is that of the encoder
		if slices.Contains(p.marks[p.seq.order[i]], top) {
			n.marks = []string{top}
		}
	}
	return n
}

// leave adds the port that what others use of a block's operations goes out through.
func (p *painter) leave(s segment, g *group, inside []*node) {
	out := g.add(&node{class: "port"})
	end := s.start + s.period*s.count
	for i := s.start; i < len(p.seq.order); i++ {
		for _, u := range p.seq.operands(i) {
			if u >= s.start && u < end && (i-s.start)/s.period != (u-s.start)/s.period {
				g.link(inside[(u-s.start)%s.period], out)
			}
		}
	}
	for _, o := range p.m.Outputs {
		if u := p.seq.at[o.Value]; u >= s.start && u < end {
			g.link(inside[(u-s.start)%s.period], out)
		}
	}
}
