package tokenize

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// regexParser reads the syntax of Oniguruma, whose regular expressions the library uses: that of Ruby, with Unicode
// classes. What it lacks is an error: \X, \K, \y, calls, conditionals, absent operators, callouts, and options other
// than i, m and x. Under i characters are compared one for one.
type regexParser struct {
	src    string
	pos    int
	fold   bool // (?i)
	dotAll bool // (?m)
	space  bool // (?x): white space and comments are skipped
	groups int
	names  map[string]int
	depth  int
}

// maxRegexDepth bounds how deeply groups, classes and quantifiers may be nested.
const maxRegexDepth = 200

func parseRegex(src string) (*node, int, error) {
	p := &regexParser{src: src, names: map[string]int{}}
	n, err := p.alternation()
	if err == nil && p.pos < len(src) {
		err = fmt.Errorf("unmatched )")
	}
	if err == nil {
		err = p.resolve(n)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("in the regular expression %q at byte %d: %w", src, p.pos, err)
	}
	return n, p.groups, nil
}

// resolve gives references by name and by number their groups.
func (p *regexParser) resolve(n *node) error {
	if n.kind == nodeBackref {
		if n.name != "" {
			g, ok := p.names[n.name]
			if !ok {
				return fmt.Errorf("there is no group %q", n.name)
			}
			n.group = g
		}
		if n.group < 1 || n.group > p.groups {
			return fmt.Errorf("there is no group %d", n.group)
		}
		if n.name == "" && len(p.names) > 0 {
			return fmt.Errorf("beside named groups there are no numbers")
		}
	}
	for _, s := range n.subs {
		if err := p.resolve(s); err != nil {
			return err
		}
	}
	return nil
}

func (p *regexParser) more() bool { return p.pos < len(p.src) }

func (p *regexParser) peek() rune {
	r, _ := utf8.DecodeRuneInString(p.src[p.pos:])
	return r
}

func (p *regexParser) next() rune {
	r, w := utf8.DecodeRuneInString(p.src[p.pos:])
	p.pos += w
	return r
}

// take consumes s if it is next.
func (p *regexParser) take(s string) bool {
	if strings.HasPrefix(p.src[p.pos:], s) {
		p.pos += len(s)
		return true
	}
	return false
}

// until consumes up to the end mark and returns what is before it.
func (p *regexParser) until(end string) (string, error) {
	i := strings.Index(p.src[p.pos:], end)
	if i < 0 {
		return "", fmt.Errorf("there is no closing %s", end)
	}
	s := p.src[p.pos : p.pos+i]
	p.pos += i + len(end)
	return s, nil
}

func (p *regexParser) alternation() (*node, error) {
	if p.depth++; p.depth > maxRegexDepth {
		return nil, fmt.Errorf("nested too deeply")
	}
	defer func() { p.depth-- }()
	fold, dotAll, space := p.fold, p.dotAll, p.space
	alt := &node{kind: nodeAlternate}
	for {
		n, err := p.concatenation()
		if err != nil {
			return nil, err
		}
		alt.subs = append(alt.subs, n)
		if !p.take("|") {
			break
		}
	}
	p.fold, p.dotAll, p.space = fold, dotAll, space
	if len(alt.subs) == 1 {
		return alt.subs[0], nil
	}
	return alt, nil
}

func (p *regexParser) concatenation() (*node, error) {
	seq := &node{kind: nodeConcat}
	for {
		p.skip()
		if !p.more() || p.peek() == '|' || p.peek() == ')' {
			return seq, nil
		}
		n, err := p.atom()
		if err != nil {
			return nil, err
		}
		if n == nil { // options or a comment
			continue
		}
		if n, err = p.quantified(n); err != nil {
			return nil, err
		}
		seq.subs = append(seq.subs, n)
	}
}

// skip passes over white space and comments under (?x).
func (p *regexParser) skip() {
	for p.space && p.more() {
		if r := p.peek(); r == '#' {
			if i := strings.IndexByte(p.src[p.pos:], '\n'); i >= 0 {
				p.pos += i + 1
			} else {
				p.pos = len(p.src)
			}
		} else if unicode.IsSpace(r) {
			p.next()
		} else {
			return
		}
	}
}

// quantified reads the quantifiers after an atom.
func (p *regexParser) quantified(n *node) (*node, error) {
	for nested := 0; ; nested++ {
		p.skip()
		start := p.pos
		least, most, interval, ok := p.quantifier()
		if !ok {
			p.pos = start
			return n, nil
		}
		if n.kind == nodeAssert || n.kind == nodeLook {
			return nil, fmt.Errorf("a place cannot be repeated")
		}
		if nested > maxRegexDepth {
			return nil, fmt.Errorf("nested too deeply")
		}
		n = &node{kind: nodeRepeat, subs: []*node{n}, min: least, max: most}
		fixed := interval && least == most
		switch {
		case p.more() && p.peek() == '?' && fixed: // {n}? is optional, not lazy
			p.next()
			n = &node{kind: nodeRepeat, subs: []*node{n}, min: 0, max: 1}
		case p.take("?"):
			n.lazy = true
		case !interval && p.take("+"):
			n = &node{kind: nodeAtomic, subs: []*node{n}}
		}
	}
}

// maxRepeat bounds the numbers of an interval.
const maxRepeat = 1000

// quantifier reads ?, *, + or an interval.
func (p *regexParser) quantifier() (least, most int, interval, ok bool) {
	if !p.more() {
		return 0, 0, false, false
	}
	switch p.next() {
	case '?':
		return 0, 1, false, true
	case '*':
		return 0, unbounded, false, true
	case '+':
		return 1, unbounded, false, true
	case '{':
		body, err := p.until("}")
		if err != nil {
			return 0, 0, false, false
		}
		low, high, comma := strings.Cut(body, ",")
		least, err1 := intervalNumber(low, 0)
		most, err2 := intervalNumber(high, unbounded)
		if !comma {
			most = least
		}
		if err1 != nil || err2 != nil || body == "," || body == "" || most != unbounded && most < least {
			return 0, 0, false, false
		}
		return least, most, true, true
	}
	return 0, 0, false, false
}

func intervalNumber(s string, missing int) (int, error) {
	if s == "" {
		return missing, nil
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err == nil && n > maxRepeat {
		err = strconv.ErrRange
	}
	return int(n), err
}

func (p *regexParser) atom() (*node, error) {
	switch r := p.next(); r {
	case '(':
		return p.group()
	case '[':
		set, err := p.class(0)
		return &node{kind: nodeSet, set: set}, err
	case '.':
		if p.dotAll {
			return &node{kind: nodeSet, set: ranges{{0, unicode.MaxRune}}}, nil
		}
		return &node{kind: nodeSet, set: ranges{{'\n', '\n'}}.negate()}, nil
	case '^':
		return &node{kind: nodeAssert, assert: lineStart}, nil
	case '$':
		return &node{kind: nodeAssert, assert: lineEnd}, nil
	case '*', '+', '?':
		return nil, fmt.Errorf("%c has nothing to repeat", r)
	case '\\':
		return p.escape()
	default:
		return p.setNode(ranges{{r, r}}), nil
	}
}

// setNode matches one character of a set, in either case under (?i).
func (p *regexParser) setNode(set ranges) *node {
	if p.fold {
		set = set.folded()
	}
	return &node{kind: nodeSet, set: set}
}

// group reads a group, whose opening parenthesis has been read.
func (p *regexParser) group() (*node, error) {
	if !p.take("?") {
		p.groups++
		return p.closed(&node{kind: nodeCapture, group: p.groups})
	}
	switch {
	case p.take("#"):
		_, err := p.until(")")
		return nil, err
	case p.take(":"):
		return p.closed(nil)
	case p.take(">"):
		return p.closed(&node{kind: nodeAtomic})
	case p.take("="):
		return p.closed(&node{kind: nodeLook})
	case p.take("!"):
		return p.closed(&node{kind: nodeLook, negative: true})
	case p.take("<="):
		return p.closed(&node{kind: nodeLook, behind: true})
	case p.take("<!"):
		return p.closed(&node{kind: nodeLook, behind: true, negative: true})
	case p.take("<"), p.take("'"):
		end := ">"
		if p.src[p.pos-1] == '\'' {
			end = "'"
		}
		name, err := p.until(end)
		if err != nil {
			return nil, err
		}
		if name == "" || strings.ContainsAny(name, "()") || p.names[name] != 0 {
			return nil, fmt.Errorf("the group name %q is empty or used twice", name)
		}
		p.groups++
		p.names[name] = p.groups
		return p.closed(&node{kind: nodeCapture, group: p.groups})
	}
	return p.options()
}

// closed reads the body of a group and its closing parenthesis and puts it below n, if there is one.
func (p *regexParser) closed(n *node) (*node, error) {
	body, err := p.alternation()
	if err != nil {
		return nil, err
	}
	if !p.take(")") {
		return nil, fmt.Errorf("there is no closing )")
	}
	if n == nil {
		return body, nil
	}
	n.subs = []*node{body}
	return n, nil
}

// options reads (?im-x:...), or (?im-x), which holds up to the end of the group around it.
func (p *regexParser) options() (*node, error) {
	fold, dotAll, space := p.fold, p.dotAll, p.space
	for on := true; p.more(); {
		switch r := p.next(); r {
		case 'i':
			fold = on
		case 'm':
			dotAll = on
		case 'x':
			space = on
		case '-':
			on = false
		case ')':
			p.fold, p.dotAll, p.space = fold, dotAll, space
			rest, err := p.alternation() // (?i)a|b is (?i:a|b)
			if err != nil {
				return nil, err
			}
			return rest, nil
		case ':':
			outer := *p
			p.fold, p.dotAll, p.space = fold, dotAll, space
			n, err := p.closed(nil)
			p.fold, p.dotAll, p.space = outer.fold, outer.dotAll, outer.space
			return n, err
		default:
			return nil, fmt.Errorf("the group option %q is not supported", r)
		}
	}
	return nil, fmt.Errorf("there is no closing )")
}
