package tokenize

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

var errEndOfPattern = errors.New("the pattern ends in the middle")

// escape reads what follows a backslash outside of brackets.
func (p *regexParser) escape() (*node, error) {
	if !p.more() {
		return nil, errEndOfPattern
	}
	asserted := func(a assertion) (*node, error) { p.next(); return &node{kind: nodeAssert, assert: a}, nil }
	switch r := p.peek(); r {
	case 'A':
		return asserted(textStart)
	case 'z':
		return asserted(textEnd)
	case 'Z':
		return asserted(textEndNewline)
	case 'G':
		return asserted(searchStart)
	case 'b':
		return asserted(wordBoundary)
	case 'B':
		return asserted(notWordBoundary)
	case 'R':
		p.next()
		return lineBreak(), nil
	case 'N', 'O':
		p.next()
		set := ranges{{0, unicode.MaxRune}}
		if r == 'N' {
			set = ranges{{'\n', '\n'}}.negate()
		}
		return &node{kind: nodeSet, set: set}, nil
	case 'k':
		return p.namedReference()
	case 'X', 'K', 'y', 'Y', 'g':
		return nil, fmt.Errorf("\\%c is not supported", r)
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return p.numberedReference()
	}
	set, r, err := p.charEscape()
	if err != nil {
		return nil, err
	}
	if set == nil {
		return p.setNode(ranges{{r, r}}), nil
	}
	switch p.src[p.pos-1] {
	case 'w':
		set = set.union(wordByAccident)
	case 'W':
		set = set.intersect(wordByAccident.negate())
	}
	return &node{kind: nodeSet, set: set}, nil // the case of classes is never folded outside of brackets
}

// lineBreak is \R: CR LF as one, or any line break.
func lineBreak() *node {
	one := func(set ranges) *node { return &node{kind: nodeSet, set: set} }
	pair := &node{kind: nodeConcat, subs: []*node{one(ranges{{'\r', '\r'}}), one(ranges{{'\n', '\n'}})}}
	single := one(ranges{{'\n', '\r'}, {0x85, 0x85}, {0x2028, 0x2029}})
	return &node{kind: nodeAtomic, subs: []*node{{kind: nodeAlternate, subs: []*node{pair, single}}}}
}

// namedReference reads \k<name>.
func (p *regexParser) namedReference() (*node, error) {
	p.next()
	end := ">"
	if p.take("'") {
		end = "'"
	} else if !p.take("<") {
		return p.setNode(ranges{{'k', 'k'}}), nil
	}
	name, err := p.until(end)
	if err != nil {
		return nil, err
	}
	n := &node{kind: nodeBackref}
	if n.group, err = strconv.Atoi(name); err != nil {
		n.name = name
	}
	return n, nil
}

// numberedReference reads \1 to \9, and larger numbers if there are so many groups; else they are octal.
func (p *regexParser) numberedReference() (*node, error) {
	start := p.pos
	for p.more() && p.pos < start+3 && p.peek() >= '0' && p.peek() <= '9' {
		p.next()
	}
	group, err := strconv.Atoi(p.src[start:p.pos])
	if err == nil && group > 9 && group > p.groups {
		p.pos = start
		_, r, err := p.charEscape()
		return p.setNode(ranges{{r, r}}), err
	}
	if err == nil && p.fold {
		err = fmt.Errorf("a reference under (?i) is not supported")
	}
	return &node{kind: nodeBackref, group: group}, err
}

// charEscape reads an escape that is a set or, where set is nil, a character.
func (p *regexParser) charEscape() (set ranges, _ rune, _ error) {
	if !p.more() {
		return nil, 0, errEndOfPattern
	}
	switch r := p.next(); r {
	case 'w':
		return wordCharacters(), 0, nil
	case 'W':
		return wordCharacters().negate(), 0, nil
	case 's':
		return whiteSpace, 0, nil
	case 'S':
		return whiteSpace.negate(), 0, nil
	case 'd':
		return category("Nd"), 0, nil
	case 'D':
		return category("Nd").negate(), 0, nil
	case 'h':
		return hexDigits, 0, nil
	case 'H':
		return hexDigits.negate(), 0, nil
	case 'p', 'P':
		return p.propertyEscape(r)
	case 'n':
		return nil, '\n', nil
	case 't':
		return nil, '\t', nil
	case 'r':
		return nil, '\r', nil
	case 'f':
		return nil, '\f', nil
	case 'v':
		return nil, '\v', nil
	case 'a':
		return nil, '\a', nil
	case 'e':
		return nil, 0x1b, nil
	case 'x', 'u', 'o', '0', '1', '2', '3', '4', '5', '6', '7':
		r, err := p.numericEscape(r)
		return nil, r, err
	case 'c', 'C', 'M':
		return nil, 0, fmt.Errorf("\\%c is not supported", r)
	default:
		return nil, r, nil
	}
}

func (p *regexParser) propertyEscape(r rune) (ranges, rune, error) {
	if !p.take("{") {
		return nil, r, nil
	}
	name, err := p.until("}")
	if err != nil {
		return nil, 0, err
	}
	name, negative := strings.CutPrefix(name, "^")
	set, err := property(name)
	if negative != (r == 'P') {
		set = set.negate()
	}
	if set == nil {
		set = ranges{}
	}
	return set, 0, err
}

// numericEscape reads \xHH, \x{H...}, \uHHHH, \o{O...} and \OOO.
func (p *regexParser) numericEscape(r rune) (rune, error) {
	base, most := 16, 2
	if r != 'x' && r != 'u' {
		base, most = 8, 3
	}
	if (r == 'x' || r == 'o') && p.take("{") {
		body, err := p.until("}")
		if err != nil {
			return 0, err
		}
		return codePoint(strings.TrimSpace(body), base)
	}
	if r == 'u' {
		most = 4
	} else if base == 8 && r != 'o' {
		p.pos-- // the first digit
	}
	allowed := "0123456789abcdefABCDEF"
	if base == 8 {
		allowed = "01234567"
	}
	start := p.pos
	for p.more() && p.pos < start+most && strings.ContainsRune(allowed, p.peek()) {
		p.next()
	}
	digits := p.src[start:p.pos]
	switch {
	case digits == "" && r == 'x':
		return 'x', nil
	case r == 'u' && len(digits) < 4:
		return 0, fmt.Errorf("\\u needs four digits")
	}
	c, err := codePoint(digits, base)
	if err == nil && r == 'x' && c >= utf8.RuneSelf {
		return p.byteEscapes(byte(c))
	}
	return c, err
}

// byteEscapes reads the further bytes of a character whose first was written as \xHH.
func (p *regexParser) byteEscapes(first byte) (rune, error) {
	bytes := []byte{first}
	for !utf8.FullRune(bytes) && len(p.src) >= p.pos+4 && p.src[p.pos:p.pos+2] == `\x` {
		b, err := strconv.ParseUint(p.src[p.pos+2:p.pos+4], 16, 8)
		if err != nil {
			break
		}
		p.pos += 4
		bytes = append(bytes, byte(b))
	}
	r, w := utf8.DecodeRune(bytes)
	if w != len(bytes) || r == utf8.RuneError {
		return 0, fmt.Errorf("the bytes % x are no character", bytes)
	}
	return r, nil
}

func codePoint(digits string, base int) (rune, error) {
	v, err := strconv.ParseUint(digits, base, 32)
	if err != nil || v > unicode.MaxRune {
		return 0, fmt.Errorf("%q is no code point", digits)
	}
	return rune(v), nil
}

// class reads a bracketed class whose opening bracket has been read.
func (p *regexParser) class(depth int) (ranges, error) {
	if depth > maxRegexDepth {
		return nil, fmt.Errorf("nested too deeply")
	}
	negative := p.take("^")
	var set, left ranges
	intersected := false
	finish := func() ranges {
		if p.fold {
			set = set.folded()
		}
		if intersected {
			return left.intersect(set)
		}
		return set
	}
	for first := true; ; first = false {
		if !p.more() {
			return nil, fmt.Errorf("there is no closing ]")
		}
		if p.take("&&") {
			left = finish()
			set, intersected = nil, true
			continue
		}
		if p.peek() == ']' && (!first || !strings.Contains(p.src[p.pos+1:], "]")) {
			if first {
				return nil, fmt.Errorf("the class is empty")
			}
			p.next()
			break
		}
		more, err := p.classItem(depth)
		if err != nil {
			return nil, err
		}
		set = append(set, more...)
	}
	if set = finish().normal(); negative {
		set = set.negate()
	}
	return set, nil
}

// classItem reads a class, a character or a range within brackets.
func (p *regexParser) classItem(depth int) (ranges, error) {
	if p.take("[") {
		if set, ok, err := p.posixBracket(); ok || err != nil {
			return set, err
		}
		return p.class(depth + 1)
	}
	set, lo, err := p.classChar()
	if err != nil {
		return nil, err
	}
	rest := p.src[p.pos:]
	ranged := len(rest) > 1 && rest[0] == '-' && rest[1] != ']' && !strings.HasPrefix(rest, "-&&")
	if set != nil {
		if ranged {
			return nil, fmt.Errorf("a class cannot begin a range")
		}
		return set, nil
	}
	if !ranged {
		return ranges{{lo, lo}}, nil
	}
	p.next()
	if p.peek() == '[' {
		return nil, fmt.Errorf("a class cannot end a range")
	}
	set, hi, err := p.classChar()
	switch {
	case err != nil:
		return nil, err
	case set != nil:
		return nil, fmt.Errorf("a class cannot end a range")
	case hi < lo:
		return nil, fmt.Errorf("the range %q-%q is empty", lo, hi)
	}
	out := ranges{{lo, hi}}
	if rest := p.src[p.pos:]; len(rest) > 0 && rest[0] == '-' { // after a range a hyphen is itself
		p.next()
		out = append(out, runeRange{'-', '-'})
	}
	return out, nil
}

func (p *regexParser) classChar() (ranges, rune, error) {
	r := p.next()
	if r != '\\' {
		return nil, r, nil
	}
	if p.take("b") {
		return nil, '\b', nil
	}
	return p.charEscape()
}

// posixBracket reads [:name:] or [:^name:], whose opening bracket has been read.
func (p *regexParser) posixBracket() (ranges, bool, error) {
	if !strings.HasPrefix(p.src[p.pos:], ":") {
		return nil, false, nil
	}
	end := strings.Index(p.src[p.pos:], ":]")
	if end < 1 || strings.ContainsAny(p.src[p.pos:p.pos+end], "]\\") {
		return nil, false, nil
	}
	name, negative := strings.CutPrefix(p.src[p.pos+1:p.pos+end], "^")
	set, ok := posixClass(name)
	if !ok {
		return nil, false, fmt.Errorf("the class [:%s:] is not known", name)
	}
	p.pos += end + 2
	if negative {
		set = set.negate()
	}
	return set, true, nil
}
