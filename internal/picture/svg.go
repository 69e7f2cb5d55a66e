package picture

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
)

const (
	margin      = 28.0
	titleHeight = 58.0
	legendLine  = 22.0
)

const style = `
text { font-family: "DejaVu Sans", Verdana, Helvetica, Arial, sans-serif; font-size: 12px; fill: #1f2937; text-anchor: middle }
.detail { font-size: 10.5px; fill: #5b6472 }
.head { font-size: 18px; font-weight: bold; text-anchor: start }
.sub, .key { font-size: 11.5px; fill: #5b6472; text-anchor: start }
.count { font-size: 16px; font-weight: bold; text-anchor: start; fill: #374151 }
.each { font-size: 10.5px; fill: #5b6472; text-anchor: end }
.box { stroke-width: 1.2 }
.end { fill: #374151; stroke: #374151 } .end-text { fill: #ffffff } .end-detail { font-size: 10.5px; fill: #d1d5db }
.embedding { fill: #ede9fe; stroke: #8b7bd8 } .linear { fill: #dbeafe; stroke: #5b8fd6 } .attention { fill: #fef3c7; stroke: #d69e2e }
.norm { fill: #e7f0e4; stroke: #86a97c } .activation { fill: #fce7f3; stroke: #d177a6 } .add { fill: #f3f4f6; stroke: #9ca3af }
.other { fill: #f3f4f6; stroke: #9ca3af } .common { fill: #ffffff; stroke: #9ca3af; stroke-dasharray: 4 3 }
.group { fill: #fafaf9; stroke: #c7c9ce } .port { fill: #6b7280 }
.edge { fill: none; stroke: #7b8494; stroke-width: 1.3 } .tip { fill: #7b8494 }
.mark { stroke: #ffffff; stroke-width: 1.5 } .lora { fill: #ea580c } .pfeiffer { fill: #059669 } .top { fill: #7c3aed }
`

// SVG writes the picture as SVG 1.1, in sizes of a screen's pixels.
func (p *Picture) SVG(w io.Writer) error {
	p.root.layout()
	width := max(p.root.w, charWidth*1.5*float64(len([]rune(p.title))), smallWidth*1.2*float64(len([]rune(p.detail))), 260) + 2*margin
	height := titleHeight + p.root.h + 2*margin + legendLine*float64(len(p.legend))
	s := &svg{}
	s.printf(`<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f">`+"\n", width, height, width, height)
	s.printf("<title>%s</title>\n<style>%s</style>\n", text(p.title), style)
	s.printf(`<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path class="tip" d="M0,0.5 L8,4 L0,7.5 z"/></marker></defs>` + "\n")
	s.printf(`<rect width="%.0f" height="%.0f" fill="#ffffff"/>`+"\n", width, height)
	s.text("head", margin, margin+8, p.title)
	s.text("sub", margin, margin+28, p.detail)
	s.group(p.root, (width-p.root.w)/2, margin+titleHeight)
	y := height - margin - legendLine*float64(len(p.legend)) + 22
	for _, l := range p.legend {
		s.mark(l.mark, margin+6, y-4)
		s.text("key", margin+20, y, fmt.Sprintf("%s can sit here: %s in all", l.text, plural(l.count, "place")))
		y += legendLine
	}
	s.printf("</svg>\n")
	_, err := w.Write(s.Bytes())
	return err
}

type svg struct{ bytes.Buffer }

func (s *svg) printf(format string, args ...any) { fmt.Fprintf(&s.Buffer, format, args...) }

func (s *svg) text(class string, x, y float64, t string) {
	s.printf(`<text class="%s" x="%.1f" y="%.1f">%s</text>`+"\n", class, x, y, text(t))
}

// text escapes; characters that XML cannot hold become U+FFFD.
func text(t string) string {
	var b bytes.Buffer
	xml.EscapeText(&b, []byte(t)) // a Buffer takes everything
	return b.String()
}

// group draws a group whose upper left corner is at x, y: arrows first, so that none runs over a box.
func (s *svg) group(g *group, x, y float64) {
	for _, e := range g.edges {
		if e.to.rank == e.from.rank+1 {
			s.straight(e, x, y)
		}
	}
	for _, l := range g.lanes {
		s.bypass(l, x, y)
	}
	for _, n := range g.nodes {
		s.node(n, x+n.x, y+n.y)
	}
}

// straight draws an arrow from the lower edge of a box to the upper edge of one in the next row.
func (s *svg) straight(e edge, x, y float64) {
	x1, y1 := x+e.from.x+e.from.w/2, y+e.from.y+e.from.h
	x2, y2 := x+e.to.x+e.to.w/2, y+e.to.y
	m := (y1 + y2) / 2
	s.path(e, fmt.Sprintf("M%.1f,%.1f C%.1f,%.1f %.1f,%.1f %.1f,%.1f", x1, y1, x1, m, x2, m, x2, y2))
}

// bypass draws an arrow from the right edge of a box along its lane to the right edge of another. It leaves below the
// middle and arrives above, so that one that ends and one that begins are told apart.
func (s *svg) bypass(l lane, x, y float64) {
	x1, y1 := x+l.from.x+l.from.w, y+l.from.y+l.from.h*0.7
	x2, y2 := x+l.to.x+l.to.w, y+l.to.y+l.to.h*0.3
	if l.from.class == "port" {
		y1 = y + l.from.y + l.from.h/2
	}
	at, r := x+l.x, 8.0
	s.path(l.edge, fmt.Sprintf("M%.1f,%.1f H%.1f Q%.1f,%.1f %.1f,%.1f V%.1f Q%.1f,%.1f %.1f,%.1f H%.1f",
		x1, y1, at-r, at, y1, at, y1+r, y2-r, at, y2, at-r, y2, x2))
}

func (s *svg) path(e edge, d string) {
	tip := ` marker-end="url(#tip)"`
	if e.to.class == "port" {
		tip = ""
	}
	s.printf(`<path class="edge"%s d="%s"/>`+"\n", tip, d)
}

func (s *svg) node(n *node, x, y float64) {
	switch {
	case n.inner != nil:
		s.printf(`<rect class="box group" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="12"/>`+"\n", x, y, n.w, n.h)
		s.text("count", x+padding, y+24, n.title)
		s.text("each", x+n.w-padding, y+23, n.detail[0])
		s.group(n.inner, x+2*padding, y+headHeight)
		for i, m := range n.marks {
			s.mark(m, x+n.w/2+10*float64(i), y+n.h)
		}
		return
	case n.class == "port":
		s.printf(`<circle class="port" cx="%.1f" cy="%.1f" r="%.1f"/>`+"\n", x+n.w/2, y+n.h/2, n.w/2)
		return
	}
	round := 7.0
	title, detail := "name", "detail"
	if n.class == "end" {
		round, title, detail = n.h/2, "end-text", "end-detail"
	}
	s.printf(`<rect class="box %s" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="%.1f"/>`+"\n", n.class, x, y, n.w, n.h, round)
	at := y + padding/2 + 11
	s.text(title, x+n.w/2, at, n.title)
	for i, d := range n.detail {
		s.text(detail, x+n.w/2, at+lineHeight*float64(i+1), d)
	}
	for i, m := range n.marks {
		s.mark(m, x+10*float64(i), y+n.h/2)
	}
}

func (s *svg) mark(class string, x, y float64) {
	s.printf(`<circle class="mark %s" cx="%.1f" cy="%.1f" r="6"/>`+"\n", class, x, y)
}
