package tokenize

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"
)

// precompiled is SentencePiece's compiled character map: a double-array trie (darts-clone) from UTF-8 sequences to
// places in a pool of NUL-terminated replacements. The library looks up each grapheme cluster of under six bytes and
// takes the shortest entry that it begins with for the whole of it; where there is none, and in longer clusters, each
// character by itself.
type precompiled struct {
	trie  []uint32
	pool  []byte
	class *charTable
	plain [utf8.RuneSelf]bool // ASCII without an entry that cannot begin a cluster with other ASCII
}

func newPrecompiled(o object) (normaliser, error) {
	encoded, err := o.text("precompiled_charsmap")
	if err != nil {
		return nil, err
	}
	blob, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, o.errorf("precompiled_charsmap", "decoding base64: %w", err)
	}
	p, err := makePrecompiled(blob)
	if err != nil {
		return nil, o.errorf("precompiled_charsmap", "%w", err)
	}
	return p, nil
}

// makePrecompiled reads a character map as SentencePiece stores it: the size of the trie in bytes, the trie, the pool.
func makePrecompiled(blob []byte) (*precompiled, error) {
	if len(blob) < 4 {
		return nil, fmt.Errorf("%d bytes hold no trie", len(blob))
	}
	size := binary.LittleEndian.Uint32(blob) / 4
	blob = blob[4:]
	if uint64(size)*4 > uint64(len(blob)) || size == 0 {
		return nil, fmt.Errorf("a trie of %d units does not fit into %d bytes", size, len(blob))
	}
	p := &precompiled{trie: make([]uint32, size), pool: blob[4*size:], class: graphemes()}
	if !utf8.Valid(p.pool) {
		return nil, errors.New("the replacements are no valid UTF-8")
	}
	for i := range p.trie {
		p.trie[i] = binary.LittleEndian.Uint32(blob[4*i:])
	}
	for c := range p.plain {
		_, found := p.lookup([]byte{byte(c)})
		p.plain[c] = !found && c != '\r'
	}
	return p, nil
}

// lookup returns the replacement for the shortest entry that key begins with.
func (p *precompiled) lookup(key []byte) ([]byte, bool) {
	offset := func(unit uint32) uint32 { return unit >> 10 << (unit & (1 << 9) >> 6) }
	pos := offset(p.trie[0])
	for _, c := range key {
		if c == 0 {
			break
		}
		pos ^= uint32(c)
		if uint64(pos) >= uint64(len(p.trie)) {
			break
		}
		unit := p.trie[pos]
		if unit&(1<<31|0xff) != uint32(c) {
			break
		}
		pos ^= offset(unit)
		if unit>>8&1 == 1 {
			if uint64(pos) >= uint64(len(p.trie)) {
				break
			}
			return p.replacement(int(p.trie[pos] & (1<<31 - 1)))
		}
	}
	return nil, false
}

// replacement returns the text at a place of the pool up to its NUL.
func (p *precompiled) replacement(at int) ([]byte, bool) {
	if at > len(p.pool) {
		return nil, false
	}
	text := p.pool[at:]
	if end := bytes.IndexByte(text, 0); end >= 0 {
		text = text[:end]
	}
	return text, utf8.Valid(text)
}

// replacer applies replacements to an aligned text. What it has read may be ahead of what the alignment has consumed:
// the library forgets characters removed at the very beginning, and so do we, for the same offsets.
type replacer struct {
	*aligned
	read    int
	written bool // something has been written, lastSize bytes by a change of lastChange
	size    int
	change  int
}

func (p *precompiled) normalise(a *aligned) error {
	a.begin()
	t := replacer{aligned: a}
	for t.read < len(a.text) {
		if n := p.plainRun(a.text[t.read:]); n > 0 {
			t.pass(n)
			continue
		}
		end := clusterEnd(a.text, t.read, p.class)
		if cluster := a.text[t.read:end]; len(cluster) < 6 {
			if to, ok := p.lookup(cluster); ok {
				t.replace(cluster, to)
				continue
			}
		}
		for t.read < end {
			_, w := runeAt(a.text, t.read)
			if to, ok := p.lookup(a.text[t.read : t.read+w]); ok {
				t.replace(a.text[t.read:t.read+w], to)
			} else {
				t.pass(w)
			}
		}
	}
	// what is left over after characters forgotten at the beginning is nobody's
	a.commit()
	return nil
}

// plainRun returns the length of the ASCII at the beginning of text that stays as it is, each a cluster by itself.
func (p *precompiled) plainRun(text []byte) int {
	n := 0
	for n < len(text) && text[n] < utf8.RuneSelf && p.plain[text[n]] {
		n++
	}
	if n > 0 && n < len(text) && text[n] >= utf8.RuneSelf {
		n-- // may have marks after it
	}
	return n
}

// pass keeps n bytes as they are, whole characters.
func (t *replacer) pass(n int) {
	defer func() { t.read += n; t.written, t.size, t.change = true, 0, 0 }()
	if t.pos == t.read {
		t.keep(n)
		return
	}
	for i := t.read; i < t.read+n; {
		r, w := runeAt(t.text, i)
		t.put(r, 0)
		i += w
	}
}

// replace writes to in place of from: of more characters than from has the last are new, of fewer the last swallows the
// rest.
func (t *replacer) replace(from, to []byte) {
	t.read += len(from)
	olds, news := utf8.RuneCount(from), utf8.RuneCount(to)
	if news == 0 {
		t.remove(olds)
		return
	}
	for i := 1; len(to) > 0; i++ {
		r, w := utf8.DecodeRune(to)
		to = to[w:]
		change := 0
		if i > olds {
			change = 1
		} else if i == news {
			change = news - olds
		}
		t.put(r, change)
		t.written, t.size, t.change = true, w, change
	}
}

// remove adds n removed characters to the change of the character written last: one that was new becomes a replacement.
func (t *replacer) remove(n int) {
	t.open()
	if !t.written {
		return
	}
	if t.change > 0 {
		s := t.next()
		for i := len(t.newSpans) - t.size; i < len(t.newSpans); i++ {
			t.newSpans[i] = s
		}
	}
	t.change = min(t.change, 0) - n
	for ; n > 0 && t.pos < len(t.text); n-- {
		_, w := runeAt(t.text, t.pos)
		t.pos += w
	}
}
