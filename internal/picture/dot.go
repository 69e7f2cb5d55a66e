package picture

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// DOT writes the picture in Graphviz's language.
func (p *Picture) DOT(w io.Writer) error {
	d := &dot{names: map[*node]string{}}
	d.printf("digraph encoder {\n")
	d.printf("  graph [label=%s, labelloc=t, fontname=\"Helvetica\", compound=true];\n", quote(p.title, p.detail))
	d.printf("  node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica\", fontsize=11];\n  edge [color=\"#7b8494\"];\n")
	d.group(p.root, "  ")
	d.printf("}\n")
	_, err := w.Write(d.Bytes())
	return err
}

type dot struct {
	bytes.Buffer
	names map[*node]string
}

func (d *dot) printf(format string, args ...any) { fmt.Fprintf(&d.Buffer, format, args...) }

func (d *dot) group(g *group, indent string) {
	for _, n := range g.nodes {
		name := fmt.Sprint("n", len(d.names))
		d.names[n] = name
		switch {
		case n.inner != nil:
			d.printf("%ssubgraph cluster_%s {\n%s  label=%s;\n%s  style=rounded;\n", indent, name, indent, quote(append([]string{n.title}, n.detail...)...), indent)
			d.group(n.inner, indent+"  ")
			d.printf("%s}\n", indent)
		case n.class == "port":
			d.printf("%s%s [shape=point, width=0.08, label=\"\"];\n", indent, name)
		default:
			lines := append([]string{n.title}, n.detail...)
			if len(n.marks) > 0 {
				lines = append(lines, "+ "+strings.Join(n.marks, ", "))
			}
			d.printf("%s%s [label=%s, fillcolor=%q];\n", indent, name, quote(lines...), fill(n.class))
		}
	}
	for _, e := range g.edges {
		from, to, ends := e.from, e.to, ""
		if from.inner != nil {
			ends += ", ltail=cluster_" + d.names[from]
			from = last(from.inner)
		}
		if to.inner != nil {
			ends += ", lhead=cluster_" + d.names[to]
			to = first(to.inner)
		}
		d.printf("%s%s -> %s [%s];\n", indent, d.names[from], d.names[to], strings.TrimPrefix(ends, ", "))
	}
}

// first and last are nodes of a group for arrows to begin and end at: DOT knows none to a cluster.
func first(g *group) *node {
	for _, e := range g.edges {
		if e.from.class == "port" {
			return e.from
		}
	}
	return g.nodes[0]
}

func last(g *group) *node {
	for _, e := range g.edges {
		if e.to.class == "port" {
			return e.to
		}
	}
	return g.nodes[len(g.nodes)-1]
}

// fill is the colour of a class of boxes.
func fill(class string) string {
	colours := map[string]string{"end": "#d1d5db", "embedding": "#ede9fe", "linear": "#dbeafe", "attention": "#fef3c7", "norm": "#e7f0e4",
		"activation": "#fce7f3", "common": "#ffffff"}
	if c := colours[class]; c != "" {
		return c
	}
	return "#f3f4f6"
}

// quote makes a label of lines.
func quote(lines ...string) string {
	r := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", " ", "\x00", "�")
	for i, l := range lines {
		lines[i] = r.Replace(strings.ToValidUTF8(l, "�"))
	}
	return `"` + strings.Join(lines, `\n`) + `"`
}
