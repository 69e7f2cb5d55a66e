package tokenize

import "bytes"

// metaspace is SentencePiece's way with spaces: each becomes a visible character, usually U+2581, which also begins the
// text by the scheme, and words begin where it stands. As a decoder it is its own reverse.
type metaspace struct {
	mark   string
	scheme string // always, first (at the beginning of the original only) or never
	split  bool
}

func readMetaspace(o object) (metaspace, error) {
	m := metaspace{scheme: "always"}
	r, err := o.character("replacement")
	if err != nil {
		return m, err
	}
	m.mark = string(r)
	if err := o.decodeIf("prepend_scheme", &m.scheme); err != nil {
		return m, err
	}
	switch m.scheme {
	case "always", "first", "never":
	default:
		return m, o.errorf("prepend_scheme", "the scheme %q is not known", m.scheme)
	}
	prefix, err := o.booleanOr("add_prefix_space", true)
	if err != nil {
		return m, err
	}
	if !prefix && m.scheme != "never" {
		return m, o.errorf("add_prefix_space", "false contradicts the prepend_scheme %q", m.scheme)
	}
	m.split, err = o.booleanOr("split", true)
	return m, err
}

func newMetaspace(o object) (preTokenizer, error) {
	m, err := readMetaspace(o)
	return m, err
}

func (m metaspace) preTokenize(p *pieces) error {
	err := p.rewrite(func(w *pieceWriter, start, end int) error {
		text := p.text[start:end]
		begins := bytes.HasPrefix(text, []byte(m.mark)) || text[0] == ' '
		if first := p.span(start, firstRune(text)+start); !begins &&
			(m.scheme == "always" || m.scheme == "first" && first.start == 0) {
			w.write(m.mark, first)
		}
		for {
			n := bytes.IndexByte(text, ' ')
			if n < 0 {
				break
			}
			w.copy(start, start+n)
			w.write(m.mark, p.span(start+n, start+n+1))
			start += n + 1
			text = text[n+1:]
		}
		w.copy(start, end)
		return nil
	})
	if err != nil || !m.split {
		return err
	}
	mark := []byte(m.mark)
	return p.cut(func(start, end int) error {
		for i := start + 1; i < end; i++ {
			n := bytes.Index(p.text[i:end], mark)
			if n < 0 {
				break
			}
			i += n
			p.emit(start, i)
			start = i
		}
		p.emit(start, end)
		return nil
	})
}

// firstRune returns the width of the first character.
func firstRune(text []byte) int {
	_, w := runeAt(text, 0)
	return w
}
