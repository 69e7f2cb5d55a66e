package corpus

import (
	"fmt"
	"slices"
	"strings"
)

// grammar is a language: its lists of names and its templates. See the package's description for the syntax.
type grammar struct {
	name      string
	forms     []string
	harmony   *harmony
	kinds     map[string]*kind
	templates map[string][]template // by split
}

// kind is a list or an entity.
type kind struct {
	tag      string // empty for a list
	atoms    []*item
	patterns []*item
}

// item is a name in its forms: one that serves for all, or one for each form of the grammar.
type item struct {
	forms []template
}

// template is what becomes a sentence, or a name, once its slots are filled.
type template []part

// numbers are the slots that become numbers, from the first one up to, but not including, the second.
var numbers = map[string][2]int{"year": {1900, 2025}, "born": {1880, 2001}, "day": {1, 29}, "num": {11, 100}}

// part is a word, or a slot with the suffix of its last word.
type part struct {
	word   string // where kind is nil
	number string // a key of numbers, where it is one
	kind   *kind
	form   int
	suffix string
}

// parse reads a language's file. Errors begin with name and the line's number.
func parse(name, text string) (*grammar, error) {
	p := parser{g: &grammar{
		name: name, forms: []string{"nom"}, kinds: map[string]*kind{}, templates: map[string][]template{},
	}}
	for i, line := range strings.Split(text, "\n") {
		if err := p.add(strings.TrimSpace(line)); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, i+1, err)
		}
	}
	return p.g, nil
}

// parser is the state between lines.
type parser struct {
	g     *grammar
	kind  *kind  // that items are added to
	split string // that templates are added to
}

// add reads one line.
func (p *parser) add(line string) error {
	words := strings.Fields(line)
	switch {
	case line == "" || strings.HasPrefix(line, "#"):
		return nil
	case strings.HasPrefix(line, "[") && slices.Contains(Splits(), strings.Trim(line, "[]")):
		p.split, p.kind = strings.Trim(line, "[]"), nil
		return nil
	case p.split != "":
		t, err := p.template(line)
		if err != nil {
			return err
		}
		p.g.templates[p.split] = append(p.g.templates[p.split], t)
		return nil
	case words[0] == "forms" && p.kind == nil && len(words) > 1:
		p.g.forms = words[1:]
		return nil
	case words[0] == "harmony" && p.kind == nil && len(words) == 2:
		h, err := newHarmony(words[1])
		p.g.harmony = h
		return err
	case words[0] == "list" && len(words) == 2:
		return p.open(words[1], "")
	case words[0] == "entity" && len(words) == 3:
		return p.open(words[1], words[2])
	case p.kind == nil:
		return fmt.Errorf("%q stands before the first list, entity or split", line)
	}
	return p.items(line)
}

// open starts a kind.
func (p *parser) open(name, tag string) error {
	if _, ok := numbers[name]; ok || p.g.kinds[name] != nil {
		return fmt.Errorf("there is a list or entity %q already", name)
	}
	p.kind = &kind{tag: tag}
	p.g.kinds[name] = p.kind
	return nil
}

// items adds a line of items to the current kind.
func (p *parser) items(line string) error {
	for text := range strings.SplitSeq(line, ";") {
		if strings.TrimSpace(text) == "" {
			continue
		}
		forms := strings.Split(text, "/")
		if len(forms) != 1 && len(forms) != len(p.g.forms) {
			return fmt.Errorf("%q has %d forms: it needs one, or %s", text, len(forms), strings.Join(p.g.forms, ", "))
		}
		it := &item{}
		pattern := false
		for _, form := range forms {
			t, err := p.template(form)
			if err != nil {
				return err
			}
			for _, part := range t {
				pattern = pattern || part.word == ""
			}
			it.forms = append(it.forms, t)
		}
		if pattern {
			p.kind.patterns = append(p.kind.patterns, it)
		} else {
			p.kind.atoms = append(p.kind.atoms, it)
		}
	}
	return nil
}

// template reads words and slots parted by spaces.
func (p *parser) template(line string) (template, error) {
	var t template
	for _, word := range strings.Fields(line) {
		part, err := p.part(word)
		if err != nil {
			return nil, err
		}
		t = append(t, part)
	}
	if len(t) == 0 {
		return nil, fmt.Errorf("%q holds a form without words", line)
	}
	return t, nil
}

// part reads a word or a slot.
func (p *parser) part(word string) (part, error) {
	if !strings.ContainsAny(word, "{}") {
		return part{word: word}, nil
	}
	inner, suffix, ok := strings.Cut(word, "}")
	if !ok || !strings.HasPrefix(inner, "{") || strings.ContainsAny(suffix, "{}") {
		return part{}, fmt.Errorf("%q is neither a word nor a slot {kind}, {kind:form} with a suffix", word)
	}
	name, form, hasForm := strings.Cut(inner[1:], ":")
	s := part{suffix: suffix}
	if _, ok := numbers[name]; ok {
		s.number = name
	} else if s.kind = p.g.kinds[name]; s.kind == nil || s.kind == p.kind {
		return part{}, fmt.Errorf("%q: there is no list or entity %q above", word, name)
	} else if len(s.kind.atoms)+len(s.kind.patterns) == 0 {
		return part{}, fmt.Errorf("%q: the list or entity %q is empty", word, name)
	}
	if hasForm {
		if s.form = slices.Index(p.g.forms, form); s.form < 0 {
			return part{}, fmt.Errorf("%q: there is no form %q; there are %s", word, form, strings.Join(p.g.forms, ", "))
		}
	}
	return s, nil
}
