package tokenize

import "bytes"

// pattern is what the components Split and Replace look for: a regular expression or a plain string.
type pattern struct {
	plain []byte
	regex *regex
}

// readPattern reads an object with one field, String or Regex.
func readPattern(o object, name string) (*pattern, error) {
	inner, err := innerObject(o.path+"."+name, o.fields[name])
	if err != nil {
		return nil, err
	}
	if inner.has("String") {
		s, err := inner.text("String")
		if err != nil {
			return nil, err
		}
		if s != "" {
			return &pattern{plain: []byte(s)}, nil
		}
		re, err := compileRegex("") // which matches between all characters
		return &pattern{regex: re}, err
	}
	s, err := inner.text("Regex")
	if err != nil {
		return nil, err
	}
	re, err := compileRegex(s)
	if err != nil {
		return nil, inner.errorf("Regex", "%w", err)
	}
	return &pattern{regex: re}, nil
}

// findAll calls each for every match in text.
func (p *pattern) findAll(text []byte, each func(start, end int)) error {
	if p.regex != nil {
		return p.regex.findAll(text, each)
	}
	for at := 0; ; {
		n := bytes.Index(text[at:], p.plain)
		if n < 0 {
			return nil
		}
		each(at+n, at+n+len(p.plain))
		at += n + len(p.plain)
	}
}

// segments appends the segments of text[start:end]; inverted, the matches are what lies between.
func (p *pattern) segments(dst []segment, text []byte, start, end int, inverted bool) ([]segment, error) {
	from := start
	err := p.findAll(text[start:end], func(s, e int) {
		if from != start+s {
			dst = append(dst, segment{from, start + s, inverted})
		}
		dst = append(dst, segment{start + s, start + e, !inverted})
		from = start + e
	})
	if from != end {
		dst = append(dst, segment{from, end, inverted})
	}
	return dst, err
}
