package tokenize

import (
	"bytes"
	"unicode/utf8"
)

// spmNormaliser is SentencePiece's own: user-defined pieces stay as they are, elsewhere the longest entry of the
// character map counts; then spaces are put in order. The span of a byte reaches from where its source begins to where
// that of the next byte begins, so that tokens cover the text without gaps.
type spmNormaliser struct {
	charsmap *precompiled // may be nil
	user     *trie        // may be nil
	spec     spmNormalSpec
	suffix   bool
}

func newSPMNormaliser(spec spmNormalSpec, user *trie) (*spmNormaliser, error) {
	n := &spmNormaliser{user: user, spec: spec}
	if len(spec.charsmap) == 0 {
		return n, nil
	}
	var err error
	n.charsmap, err = makePrecompiled(spec.charsmap)
	return n, within(err, "precompiled_charsmap")
}

// next returns what the beginning of text becomes, and how many bytes of it do.
func (n *spmNormaliser) next(text []byte) (to []byte, length int) {
	if n.user != nil {
		node := uint32(root)
		for i, c := range text {
			var ok bool
			if node, ok = n.user.step(node, c); !ok {
				break
			}
			if _, ok := n.user.key(node); ok {
				length = i + 1
			}
		}
		if length > 0 {
			return text[:length], length
		}
	}
	if n.charsmap != nil {
		if to, length = n.charsmap.longest(text); length > 0 {
			return to, length
		}
	}
	_, length = runeAt(text, 0)
	return text[:length], length
}

func (n *spmNormaliser) normalise(a *aligned) error {
	text := a.text
	a.begin()
	a.open()
	at := 0
	if n.spec.removeExtraSpaces {
		for at < len(text) {
			to, length := n.next(text[at:])
			if string(to) != " " {
				break
			}
			at += length
		}
	}
	if at < len(text) {
		n.rewrite(a, text, at)
	}
	a.pos = len(text)
	a.commit()
	return nil
}

// rewrite writes text[at:], which does not begin with spaces that go.
func (n *spmNormaliser) rewrite(a *aligned, text []byte, at int) {
	space := " "
	if n.spec.escapeSpaces {
		space = spaceMark
	}
	write := func(part string) { // spans hold where each byte begins, for now
		a.newText = append(a.newText, part...)
		for range len(part) {
			a.newSpans = append(a.newSpans, span{start: a.base + int32(at)})
		}
	}
	if n.spec.dummyPrefix && !n.suffix {
		write(space)
	}
	afterSpace := n.spec.removeExtraSpaces
	for at < len(text) {
		to, length := n.next(text[at:])
		if afterSpace {
			to = bytes.TrimLeft(to, " ")
		}
		if len(to) > 0 {
			afterSpace = n.spec.removeExtraSpaces && to[len(to)-1] == ' '
		}
		for len(to) > 0 {
			k := bytes.IndexByte(to, ' ')
			if k < 0 {
				write(string(to))
				break
			}
			write(string(to[:k]))
			write(space)
			to = to[k+1:]
		}
		at += length
	}
	if n.spec.removeExtraSpaces {
		for bytes.HasSuffix(a.newText, []byte(space)) {
			k := len(a.newText) - len(space)
			at = int(a.newSpans[k].start - a.base)
			a.newText, a.newSpans = a.newText[:k], a.newSpans[:k]
		}
	}
	if n.spec.dummyPrefix && n.suffix {
		write(space)
	}
	end := a.base + int32(at)
	for i := len(a.newSpans) - 1; i >= 0; i-- {
		a.newSpans[i].end = end
		end = a.newSpans[i].start
	}
}

// longest returns the replacement for the longest entry that text begins with, and that entry's length, 0 without one.
// Entries that end within a character are no entries.
func (p *precompiled) longest(text []byte) (to []byte, length int) {
	offset := func(unit uint32) uint32 { return unit >> 10 << (unit & (1 << 9) >> 6) }
	pos := offset(p.trie[0])
	for i, c := range text {
		pos ^= uint32(c)
		if uint64(pos) >= uint64(len(p.trie)) {
			break
		}
		unit := p.trie[pos]
		if unit&(1<<31|0xff) != uint32(c) {
			break
		}
		pos ^= offset(unit)
		if unit>>8&1 == 0 || i+1 < len(text) && !utf8.RuneStart(text[i+1]) {
			continue
		}
		if uint64(pos) >= uint64(len(p.trie)) {
			break
		}
		if found, ok := p.replacement(int(p.trie[pos] & (1<<31 - 1))); ok {
			to, length = found, i+1
		}
	}
	return to, length
}
