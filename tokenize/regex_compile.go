package tokenize

import (
	"fmt"
	"unicode"
)

// regexOp is an instruction of the matcher.
type regexOp uint8

const (
	opSet        regexOp = iota // one character of set, then on
	opLoop                      // min to max characters of set, as many as possible first, then on
	opSplit                     // x first, then y
	opJump                      // to x
	opAssert                    // a place
	opLook                      // the program from the next instruction to opDone matches here, or not; then x
	opAtomic                    // the same, consuming what it matches
	opDone                      // the end of a match, or of the program of a look or an atomic group
	opDoneBehind                // the end of the program of a look behind, which must be where the look stands
	opSave                      // register x = position
	opCheck                     // fails unless the position has moved on since register x was saved
	opBackref                   // what registers x and x+1 enclose
)

type regexInst struct {
	op       regexOp
	x, y     int
	set      *runeSet
	min, max int // of a loop; of the characters that a look goes back
	assert   assertion
	negative bool
	behind   bool
}

// regex is a compiled regular expression. It is safe for use by several goroutines.
type regex struct {
	source    string
	insts     []regexInst
	registers int
	first     *runeSet // what a match can begin with; nil if it may be empty or begins with anything
	word      *runeSet // word characters, where the pattern asks for their boundaries
}

// maxRegexProgram bounds the size of a program, which grows with the numbers of intervals.
const maxRegexProgram = 50000

// maxRegexSource bounds the length of a pattern.
const maxRegexSource = 1 << 14

func compileRegex(source string) (*regex, error) {
	if len(source) > maxRegexSource {
		return nil, fmt.Errorf("a regular expression of %d bytes is too long", len(source))
	}
	n, groups, err := parseRegex(source)
	if err != nil {
		return nil, err
	}
	c := &regexCompiler{regex: &regex{source: source, registers: 2 * (groups + 1)}}
	c.node(n)
	c.add(regexInst{op: opDone})
	if c.tooLarge {
		return nil, fmt.Errorf("the regular expression %.100q becomes too large", source)
	}
	if set, ok := n.firsts(); ok {
		c.first = newRuneSet(set)
	}
	return c.regex, nil
}

// firsts returns the characters that a match of n can begin with; not ok if it can be empty.
func (n *node) firsts() (ranges, bool) {
	switch n.kind {
	case nodeSet:
		return n.set, true
	case nodeConcat:
		for _, s := range n.subs {
			if s.kind == nodeAssert || s.kind == nodeLook {
				continue
			}
			if least, _ := s.width(); least == 0 {
				// what may be left out: its firsts and those of what follows
				return n.firstsOptional()
			}
			return s.firsts()
		}
	case nodeAlternate:
		var all ranges
		for _, s := range n.subs {
			set, ok := s.firsts()
			if !ok {
				return nil, false
			}
			all = append(all, set...)
		}
		return all.normal(), len(n.subs) > 0
	case nodeRepeat:
		if n.min > 0 {
			return n.subs[0].firsts()
		}
	case nodeAtomic, nodeCapture:
		return n.subs[0].firsts()
	}
	return nil, false
}

// firstsOptional is firsts for a row that begins with repeats that may be left out.
func (n *node) firstsOptional() (ranges, bool) {
	var all ranges
	for _, s := range n.subs {
		inner := s
		if s.kind == nodeRepeat && s.min == 0 {
			inner = s.subs[0]
		} else if s.kind == nodeAssert || s.kind == nodeLook {
			continue
		}
		set, ok := inner.firsts()
		if !ok {
			return nil, false
		}
		all = append(all, set...)
		if inner == s {
			return all.normal(), true
		}
	}
	return nil, false
}

type regexCompiler struct {
	*regex
	tooLarge bool
}

// add appends an instruction and returns its place.
func (c *regexCompiler) add(i regexInst) int {
	if len(c.insts) >= maxRegexProgram {
		c.tooLarge = true
		return 0
	}
	c.insts = append(c.insts, i)
	return len(c.insts) - 1
}

func (c *regexCompiler) node(n *node) {
	if c.tooLarge {
		return
	}
	switch n.kind {
	case nodeSet:
		c.add(regexInst{op: opSet, set: n.runes()})
	case nodeConcat:
		for _, s := range n.subs {
			c.node(s)
		}
	case nodeAlternate:
		c.alternate(n.subs)
	case nodeRepeat:
		c.repeat(n)
	case nodeLook:
		least, most := 0, 0
		if n.behind {
			least, most = n.subs[0].width()
		}
		at := c.add(regexInst{op: opLook, negative: n.negative, behind: n.behind, min: least, max: most})
		c.sub(at, n.subs[0], n.behind)
	case nodeAtomic:
		c.sub(c.add(regexInst{op: opAtomic}), n.subs[0], false)
	case nodeCapture:
		c.add(regexInst{op: opSave, x: 2 * n.group})
		c.node(n.subs[0])
		c.add(regexInst{op: opSave, x: 2*n.group + 1})
	case nodeBackref:
		c.add(regexInst{op: opBackref, x: 2 * n.group})
	case nodeAssert:
		if c.word == nil && (n.assert == wordBoundary || n.assert == notWordBoundary) {
			c.word = newRuneSet(wordCharacters().union(wordByAccident))
		}
		c.add(regexInst{op: opAssert, assert: n.assert})
	}
}

// sub compiles the program of the look or atomic group at a place.
func (c *regexCompiler) sub(at int, n *node, behind bool) {
	c.node(n)
	if behind {
		c.add(regexInst{op: opDoneBehind})
	} else {
		c.add(regexInst{op: opDone})
	}
	c.insts[at].x = len(c.insts)
}

func (c *regexCompiler) alternate(subs []*node) {
	var ends []int
	for i, s := range subs {
		if i == len(subs)-1 {
			c.node(s)
			break
		}
		split := c.add(regexInst{op: opSplit})
		c.insts[split].x = len(c.insts)
		c.node(s)
		ends = append(ends, c.add(regexInst{op: opJump}))
		c.insts[split].y = len(c.insts)
	}
	for _, at := range ends {
		c.insts[at].x = len(c.insts)
	}
}

func (c *regexCompiler) repeat(n *node) {
	sub := n.subs[0]
	if sub.kind == nodeSet && !n.lazy {
		most := n.max
		if most == unbounded {
			most = unicode.MaxRune << 8 // more than any text has
		}
		c.add(regexInst{op: opLoop, set: sub.runes(), min: n.min, max: most})
		return
	}
	for range n.min {
		c.node(sub)
	}
	if n.max == unbounded {
		c.star(sub, n.lazy)
		return
	}
	var exits []int
	for range n.max - n.min {
		exits = append(exits, c.split(n.lazy))
		c.node(sub)
	}
	for _, at := range exits {
		c.exit(at, n.lazy)
	}
}

// split adds a choice to go on with the next instruction or to leave, in this order unless lazy.
func (c *regexCompiler) split(lazy bool) int {
	at := c.add(regexInst{op: opSplit})
	if lazy {
		c.insts[at].y = at + 1
	} else {
		c.insts[at].x = at + 1
	}
	return at
}

// exit makes the leaving branch of a split lead to here.
func (c *regexCompiler) exit(at int, lazy bool) {
	if lazy {
		c.insts[at].x = len(c.insts)
	} else {
		c.insts[at].y = len(c.insts)
	}
}

// star compiles any number of repetitions, which end with one that is empty.
func (c *regexCompiler) star(sub *node, lazy bool) {
	split := c.split(lazy)
	least, _ := sub.width()
	register := c.registers
	if least == 0 {
		c.registers++
		c.add(regexInst{op: opSave, x: register})
	}
	c.node(sub)
	check := len(c.insts)
	if least == 0 {
		c.add(regexInst{op: opCheck, x: register})
	}
	c.add(regexInst{op: opJump, x: split})
	c.exit(split, lazy)
	if least == 0 && !c.tooLarge {
		c.insts[check].y = len(c.insts)
	}
}
