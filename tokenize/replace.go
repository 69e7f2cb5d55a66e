package tokenize

// replace puts a text in place of every match of a pattern, as a normaliser or as a decoder.
type replace struct {
	pattern *pattern
	content string
}

func readReplace(o object) (replace, error) {
	var r replace
	var err error
	if r.pattern, err = readPattern(o, "pattern"); err != nil {
		return r, err
	}
	r.content, err = o.text("content")
	return r, err
}

func newReplace(o object) (normaliser, error) {
	r, err := readReplace(o)
	return r, err
}

func (r replace) normalise(a *aligned) error {
	if len(a.text) == 0 {
		return nil
	}
	var matches [][2]int
	if err := r.pattern.findAll(a.text, func(start, end int) { matches = append(matches, [2]int{start, end}) }); err != nil {
		return err
	}
	if len(matches) > 0 {
		a.replaceAll(matches, r.content)
	}
	return nil
}

// decode leaves a token alone on which the pattern takes too many steps.
func (r replace) decode(tokens []string) []string {
	for i, t := range tokens {
		var out []byte
		from := 0
		err := r.pattern.findAll([]byte(t), func(start, end int) {
			out = append(append(out, t[from:start]...), r.content...)
			from = end
		})
		if err == nil && t != "" {
			tokens[i] = string(append(out, t[from:]...))
		}
	}
	return tokens
}
