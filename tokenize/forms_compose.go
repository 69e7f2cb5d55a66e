package tokenize

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// decomposition is the normaliser NFD or NFKD.
type decomposition form

func (d decomposition) normalise(a *aligned) error {
	if needsForm(a.text, charFlags()) {
		decompose(a, form(d))
	}
	return nil
}

// composer is the normaliser NFC or NFKC.
type composer struct {
	form  form
	quick norm.Form
	pairs map[[2]rune]rune // what two characters become, Hangul aside
}

func newComposer(f form) *composer {
	c := &composer{form: f, quick: norm.NFC, pairs: map[[2]rune]rune{}}
	if f == compatibility {
		c.quick = norm.NFKC
	}
	flags := charFlags()
	for r := rune(utf8.RuneSelf); r <= unicode.MaxRune; r++ {
		if flags.at(r)&flagNormal == 0 || r >= 0xac00 && r <= 0xd7a3 {
			continue
		}
		s := string(r)
		full := []rune(norm.NFD.String(s))
		if len(full) < 2 || norm.NFC.String(s) != s { // of the others some are excluded from composition
			continue
		}
		last := len(full) - 1
		if first := []rune(norm.NFC.String(string(full[:last]))); len(first) == 1 {
			c.pairs[[2]rune{first[0], full[last]}] = r
		}
	}
	return c
}

// compose returns what two characters become together.
func (c *composer) compose(a, b rune) (rune, bool) {
	const l, v, t, s = 0x1100, 0x1161, 0x11a7, 0xac00
	switch {
	case a >= l && a < l+19 && b >= v && b < v+21:
		return s + ((a-l)*21+b-v)*28, true
	case a >= s && a < s+11172 && (a-s)%28 == 0 && b > t && b < t+28:
		return a + b - t, true
	}
	r, ok := c.pairs[[2]rune{a, b}]
	return r, ok
}

func (c *composer) normalise(a *aligned) error {
	if c.quick.IsNormal(a.text) {
		return nil
	}
	d := decomposer{flags: charFlags(), form: c.form}
	a.begin()
	var out []part // what is not yet written: the last starter and what follows it
	starter := none
	last := uint8(0) // the class of the character before, 0 right after the starter
	flush := func() {
		for _, p := range out {
			a.put(p.r, p.change)
		}
		out = out[:0]
	}
	for src := a.text; len(src) > 0; {
		src = d.next(src)
		for _, p := range d.parts {
			if starter == none {
				if p.class == 0 {
					starter = len(out)
				}
				out = append(out, p)
				continue
			}
			if last == 0 || last < p.class {
				if r, ok := c.compose(out[starter].r, p.r); ok {
					out[starter].r = r
					out[starter].change += p.change - 1
					continue
				}
			}
			if p.class == 0 {
				flush()
				starter = 0
			}
			out = append(out, p)
			last = p.class
		}
	}
	flush()
	a.commit()
	return nil
}
