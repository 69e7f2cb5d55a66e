package tokenize

import (
	"fmt"
	"unicode/utf8"
)

// regexMatcher runs a regular expression over a text by backtracking, with a stack of its own and a bound on its steps,
// which are the same on every machine.
type regexMatcher struct {
	*regex
	text      []byte
	search    int // where the search began
	end       int // of the text that may be consumed: where a look behind stands, else the end of text
	registers []int
	stack     []regexFrame
	steps     int
}

// regexFrame is a choice not yet taken, or a register to be set back.
type regexFrame struct {
	pc       int // where to go on; noRetry for a register
	pos      int
	lowest   int // opLoop: the loop may be given back one character at a time down to here; else noLoop
	register int
}

const (
	noRetry = -1
	noLoop  = -1
)

// Steps that a search may take: so many, and so many more for each byte. An ordinary pattern needs a few a byte.
const (
	regexSteps        = 1 << 20
	regexStepsPerByte = 256
)

// findAll calls each for every match in text, in order: leftmost, the first alternative that leads to one, and no empty
// match where the one before ends.
func (r *regex) findAll(text []byte, each func(start, end int)) error {
	m := regexMatcher{
		regex: r, text: text, end: len(text), registers: make([]int, r.registers),
		steps: regexSteps + regexStepsPerByte*len(text),
	}
	last := -1
	for at := 0; at <= len(text); {
		start, end, ok, err := m.find(at)
		if err != nil || !ok {
			return err
		}
		if start == end && end == last {
			if at == len(text) {
				return nil
			}
			_, w := utf8.DecodeRune(text[at:])
			at += w
			continue
		}
		each(start, end)
		at, last = end, end
	}
	return nil
}

// find returns the leftmost match that begins at or after a place.
func (m *regexMatcher) find(from int) (start, end int, ok bool, err error) {
	m.search = from
	for at := from; ; {
		if m.first != nil {
			for at < len(m.text) {
				r, w := runeAt(m.text, at)
				if m.first.has(r) {
					break
				}
				at += w
			}
			if at == len(m.text) {
				return 0, 0, false, nil
			}
		}
		for i := range m.registers {
			m.registers[i] = -1
		}
		if end, ok = m.run(0, at); ok {
			return at, end, true, nil
		}
		if m.steps < 0 {
			err = fmt.Errorf("the regular expression %.100q takes too many steps on %d bytes", m.source, len(m.text))
			return 0, 0, false, err
		}
		if at >= len(m.text) {
			return 0, 0, false, nil
		}
		_, w := utf8.DecodeRune(m.text[at:])
		at += w
	}
}

// run runs the program from pc at pos up to its opDone and returns the position there.
func (m *regexMatcher) run(pc, pos int) (int, bool) {
	base := len(m.stack)
	for {
		ok := true
		inst := &m.insts[pc]
		if m.steps--; m.steps < 0 {
			m.stack = m.stack[:base]
			return 0, false
		}
		pc++
		switch inst.op {
		case opDone:
			m.stack = m.stack[:base]
			return pos, true
		case opDoneBehind:
			if ok = pos == m.end; ok {
				m.stack = m.stack[:base]
				return pos, true
			}
		case opSet:
			if ok = pos < m.end; ok {
				r, w := runeAt(m.text, pos)
				if ok = inst.set.has(r); ok {
					pos += w
				}
			}
		case opLoop:
			pos, ok = m.loop(inst, pc, pos)
		case opSplit:
			m.stack = append(m.stack, regexFrame{pc: inst.y, pos: pos, lowest: noLoop})
			pc = inst.x
		case opJump:
			pc = inst.x
		case opAssert:
			ok = m.assert(inst.assert, pos)
		case opLook:
			ok = m.look(inst, pc, pos) != inst.negative
			pc = inst.x
		case opAtomic:
			pos, ok = m.sub(pc, pos)
			pc = inst.x
		case opSave:
			m.stack = append(m.stack, regexFrame{pc: noRetry, pos: m.registers[inst.x], register: inst.x})
			m.registers[inst.x] = pos
		case opCheck:
			if pos == m.registers[inst.x] {
				pc = inst.y
			}
		case opBackref:
			pos, ok = m.backref(inst.x, pos)
		}
		if !ok {
			if pc, pos, ok = m.backtrack(base); !ok {
				return 0, false
			}
		}
	}
}

// loop takes as many characters of a set as it can and leaves a frame to give them back.
func (m *regexMatcher) loop(inst *regexInst, pc, pos int) (int, bool) {
	count, lowest := 0, pos
	for count < inst.max && pos < m.end {
		r, w := runeAt(m.text, pos)
		if !inst.set.has(r) {
			break
		}
		pos += w
		if count++; count == inst.min {
			lowest = pos
		}
	}
	m.steps -= count / 4
	if count < inst.min {
		return pos, false
	}
	if pos > lowest {
		m.stack = append(m.stack, regexFrame{pc: pc, pos: pos, lowest: lowest})
	}
	return pos, true
}

// backtrack returns to the choice left last.
func (m *regexMatcher) backtrack(base int) (pc, pos int, ok bool) {
	for len(m.stack) > base {
		f := &m.stack[len(m.stack)-1]
		if f.pc == noRetry {
			m.registers[f.register] = f.pos
		} else if f.lowest == noLoop {
			pc, pos = f.pc, f.pos
			m.stack = m.stack[:len(m.stack)-1]
			return pc, pos, true
		} else if f.pos > f.lowest {
			_, w := utf8.DecodeLastRune(m.text[:f.pos])
			f.pos -= w
			return f.pc, f.pos, true
		}
		m.stack = m.stack[:len(m.stack)-1]
	}
	return 0, 0, false
}

// sub runs the program of a look or an atomic group. Of what it leaves on the stack only the registers that it has
// changed stay, to be set back when the match around it is given up.
func (m *regexMatcher) sub(pc, pos int) (int, bool) {
	var old []int
	if len(m.registers) > 2 {
		old = append(old, m.registers...)
	}
	end, ok := m.run(pc, pos)
	if !ok {
		return pos, false
	}
	for i, v := range old {
		if v != m.registers[i] {
			m.stack = append(m.stack, regexFrame{pc: noRetry, pos: v, register: i})
		}
	}
	return end, true
}

// look reports whether the program of a look matches at pos or, looking behind, up to it.
func (m *regexMatcher) look(inst *regexInst, pc, pos int) bool {
	outer := m.end
	defer func() { m.end = outer }()
	m.end = len(m.text)
	if !inst.behind {
		_, ok := m.sub(pc, pos)
		return ok
	}
	m.end = pos
	at := pos
	for back := 0; inst.max == unbounded || back <= inst.max; back++ {
		if back >= inst.min {
			if _, ok := m.sub(pc, at); ok {
				return true
			}
		}
		if at == 0 || m.steps < 0 {
			break
		}
		_, w := utf8.DecodeLastRune(m.text[:at])
		at -= w
	}
	return false
}

// backref matches what a group has matched; a group that has not matched never does.
func (m *regexMatcher) backref(register, pos int) (int, bool) {
	start, end := m.registers[register], m.registers[register+1]
	if start < 0 || end < start {
		return pos, false
	}
	n := end - start
	if pos+n > m.end || string(m.text[pos:pos+n]) != string(m.text[start:end]) {
		return pos, false
	}
	m.steps -= n / 16
	return pos + n, true
}

func (m *regexMatcher) assert(a assertion, pos int) bool {
	switch a {
	case lineStart:
		return pos == 0 || m.text[pos-1] == '\n' && pos < len(m.text)
	case lineEnd:
		return pos == len(m.text) || m.text[pos] == '\n'
	case textStart:
		return pos == 0
	case textEnd:
		return pos == len(m.text)
	case textEndNewline:
		return pos == len(m.text) || pos == len(m.text)-1 && m.text[pos] == '\n'
	case searchStart:
		return pos == m.search
	}
	return m.boundary(pos) == (a == wordBoundary)
}

// boundary reports whether exactly one of the characters around pos is a word character.
func (m *regexMatcher) boundary(pos int) bool {
	before, after := false, false
	if pos > 0 {
		r, _ := utf8.DecodeLastRune(m.text[:pos])
		before = m.word.has(r)
	}
	if pos < len(m.text) {
		r, _ := runeAt(m.text, pos)
		after = m.word.has(r)
	}
	return before != after
}
