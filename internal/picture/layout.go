package picture

import "slices"

// Sizes in SVG's user units, for text of 13 and 11 units a line.
const (
	charWidth  = 7.6 // of a title's character, about
	smallWidth = 6.3 // of a detail's
	padding    = 14.0
	lineHeight = 15.0
	rowGap     = 24.0
	columnGap  = 18.0
	laneGap    = 12.0
	portSize   = 8.0
	headHeight = 40.0 // of a group's heading
)

// lane is the way of an arrow that passes rows by, on the right of a group.
type lane struct {
	edge
	x float64
}

// layout places the nodes of a group in rows, each below those that it takes something from, centred. Arrows to the next
// row go straight; the others go by on the right. It sets the group's size and, for the nodes, their places in it.
func (g *group) layout() {
	for _, n := range g.nodes {
		n.measure()
	}
	rows := g.ranks()
	g.columns(rows)
	g.lanes = nil
	right, left, y := 0.0, 0.0, 0.0
	for _, row := range rows {
		width, height := -columnGap, 0.0
		for _, n := range row {
			width += n.w + columnGap
			height = max(height, n.h)
		}
		x := -width / 2
		for _, n := range row {
			n.x, n.y = x, y+(height-n.h)/2
			x += n.w + columnGap
		}
		left, right = min(left, -width/2), max(right, width/2)
		y += height + rowGap
	}
	g.assign(right)
	for _, l := range g.lanes {
		right = max(right, l.x)
	}
	right = max(right, -left) // the middle stays in the middle
	for _, n := range g.nodes {
		n.x += right
	}
	for i := range g.lanes {
		g.lanes[i].x += right
	}
	g.w, g.h = 2*right, max(0, y-rowGap)
}

// measure sets a node's size.
func (n *node) measure() {
	if n.inner != nil {
		n.inner.layout()
		n.w, n.h = n.inner.w+4*padding, n.inner.h+headHeight+padding
		return
	}
	if n.class == "port" {
		n.w, n.h = portSize, portSize
		return
	}
	n.w = charWidth * float64(len([]rune(n.title)))
	for _, d := range n.detail {
		n.w = max(n.w, smallWidth*float64(len([]rune(d))))
	}
	n.w = max(n.w+2*padding, 70)
	n.h = lineHeight*float64(1+len(n.detail)) + padding
}

// ranks puts every node into the row below the last one that it takes something from. Nodes come after those.
func (g *group) ranks() [][]*node {
	var rows [][]*node
	at := map[*node]int{}
	for i, n := range g.nodes {
		n.rank, at[n] = 0, i
	}
	slices.SortStableFunc(g.edges, func(a, b edge) int { return at[a.from] - at[b.from] })
	for range g.nodes {
		moved := false
		for _, e := range g.edges {
			if e.to.rank <= e.from.rank {
				e.to.rank, moved = e.from.rank+1, true
			}
		}
		if !moved {
			break
		}
	}
	for _, n := range g.nodes {
		for len(rows) <= n.rank {
			rows = append(rows, nil)
		}
		rows[n.rank] = append(rows[n.rank], n)
	}
	return rows
}

// columns orders each row by where the nodes' operands stand in the rows above.
func (g *group) columns(rows [][]*node) {
	place := map[*node]float64{}
	for _, row := range rows {
		for _, n := range row {
			sum, count := 0.0, 0.0
			for _, e := range g.edges {
				if e.to == n {
					sum += place[e.from]
					count++
				}
			}
			if count > 0 {
				place[n] = sum / count
			}
		}
		slices.SortStableFunc(row, func(a, b *node) int {
			switch {
			case place[a] < place[b]:
				return -1
			case place[a] > place[b]:
				return 1
			}
			return 0
		})
		for i, n := range row {
			place[n] = float64(i) - float64(len(row)-1)/2
		}
	}
}

// assign gives the arrows that pass a row by their lanes, short ones inside of long ones. Those from one node share one.
func (g *group) assign(right float64) {
	var long []edge
	for _, e := range g.edges {
		if e.to.rank > e.from.rank+1 {
			long = append(long, e)
		}
	}
	slices.SortStableFunc(long, func(a, b edge) int { return (a.to.rank - a.from.rank) - (b.to.rank - b.from.rank) })
	taken := [][]edge{}
	for _, e := range long {
		at := slices.IndexFunc(taken, func(in []edge) bool {
			return !slices.ContainsFunc(in, func(o edge) bool {
				return o.from != e.from && o.from.rank < e.to.rank && e.from.rank < o.to.rank
			})
		})
		if at < 0 {
			at, taken = len(taken), append(taken, nil)
		}
		taken[at] = append(taken[at], e)
		g.lanes = append(g.lanes, lane{e, right + columnGap + laneGap*float64(at)})
	}
}
