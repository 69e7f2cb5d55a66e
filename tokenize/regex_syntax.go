package tokenize

// nodeKind is a kind of node of a regular expression.
type nodeKind uint8

const (
	nodeSet       nodeKind = iota // one character of a set
	nodeConcat                    // all subs in a row
	nodeAlternate                 // the first sub that leads to a match
	nodeRepeat                    // sub 0, min to max times
	nodeLook                      // sub 0 matches ahead or behind, or does not
	nodeAtomic                    // sub 0, never tried again
	nodeCapture                   // sub 0, remembered as a group
	nodeBackref                   // what a group has matched
	nodeAssert                    // a place
)

// assertion is a kind of place.
type assertion uint8

const (
	lineStart assertion = iota
	lineEnd
	textStart
	textEnd
	textEndNewline // the end, or before a line feed there
	searchStart
	wordBoundary
	notWordBoundary
)

const unbounded = -1

// node is a part of a parsed regular expression.
type node struct {
	kind     nodeKind
	subs     []*node
	set      ranges
	compiled *runeSet // of set, once it has been asked for
	min, max int      // max may be unbounded
	lazy     bool
	negative bool // of a look
	behind   bool
	group    int
	name     string // of the group a reference names, until it is resolved
	assert   assertion
}

// runes returns the set of a nodeSet, compiled.
func (n *node) runes() *runeSet {
	if n.compiled == nil {
		n.compiled = newRuneSet(n.set)
	}
	return n.compiled
}

// width returns the least and the largest number of characters that n matches; the largest may be unbounded.
func (n *node) width() (least, most int) {
	switch n.kind {
	case nodeSet:
		return 1, 1
	case nodeConcat:
		for _, s := range n.subs {
			l, m := s.width()
			least, most = addWidths(least, l), addWidths(most, m)
		}
	case nodeAlternate:
		for i, s := range n.subs {
			l, m := s.width()
			if i == 0 {
				least, most = l, m
				continue
			}
			least = min(least, l)
			if most == unbounded || m == unbounded {
				most = unbounded
			} else {
				most = max(most, m)
			}
		}
	case nodeRepeat:
		l, m := n.subs[0].width()
		least = min(l*min(n.min, maxWidth), maxWidth)
		switch {
		case m == 0 || n.max == 0:
		case m == unbounded || n.max == unbounded:
			most = unbounded
		default:
			most = min(m*min(n.max, maxWidth), maxWidth)
		}
	case nodeAtomic, nodeCapture:
		return n.subs[0].width()
	case nodeBackref:
		return 0, unbounded
	}
	return least, most
}

const maxWidth = 1 << 20

func addWidths(a, b int) int {
	if a == unbounded || b == unbounded {
		return unbounded
	}
	return min(a+b, maxWidth)
}
