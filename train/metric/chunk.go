// Package metric scores sequence labelling by whole entities, as the Python package seqeval does
// (github.com/chakki-works/seqeval), and compares systems by the bootstrap.
package metric

import (
	"fmt"
	"strings"
)

// Mode says which tags make an entity.
type Mode int

const (
	// Conlleval is seqeval's default, after CoNLL's script conlleval: an I that follows O or another type starts an
	// entity. It takes the prefixes B, I, E and S.
	Conlleval Mode = iota
	// StrictIOB2 is seqeval's mode="strict" with scheme=IOB2: only B starts an entity, and an I that continues none
	// belongs to none.
	StrictIOB2
)

// modeNames are the modes' names in reports.
var modeNames = [...]string{"conlleval", "strict-iob2"}

// String is the mode's name: conlleval or strict-iob2.
func (m Mode) String() string {
	if m < 0 || int(m) >= len(modeNames) {
		return fmt.Sprintf("mode(%d)", int(m))
	}
	return modeNames[m]
}

// MarshalText gives the mode's name.
func (m Mode) MarshalText() ([]byte, error) {
	if m < 0 || int(m) >= len(modeNames) {
		return nil, fmt.Errorf("unknown scoring mode %d", int(m))
	}
	return []byte(modeNames[m]), nil
}

// UnmarshalText takes the mode's name.
func (m *Mode) UnmarshalText(text []byte) error {
	for i, name := range modeNames {
		if string(text) == name {
			*m = Mode(i)
			return nil
		}
	}
	return fmt.Errorf("unknown scoring mode %q: it is one of %s", text, strings.Join(modeNames[:], ", "))
}

// Chunk is one entity of a sentence: the words from Start up to, but not including, End.
type Chunk struct {
	Type       string
	Start, End int
}

// Chunks finds the entities of one sentence, in order. A tag is O, or a prefix with a dash and a type; a prefix alone
// has the type "_". Anything else is an error, as is a mode that does not exist.
func Chunks(tags []string, mode Mode) ([]Chunk, error) {
	if mode != Conlleval && mode != StrictIOB2 {
		return nil, fmt.Errorf("finding entities: unknown scoring mode %d", int(mode))
	}
	var chunks []Chunk
	open := false // whether the last chunk of chunks may go on
	prev := parsed{prefix: 'O'}
	for i, tag := range tags {
		t, err := parse(tag, mode)
		if err != nil {
			return nil, fmt.Errorf("finding entities: word %d: %w", i, err)
		}
		if open && ends(prev, t) {
			chunks[len(chunks)-1].End = i
			open = false
		}
		if starts(prev, t, mode) {
			chunks = append(chunks, Chunk{Type: t.entity, Start: i})
			open = true
		}
		prev = t
	}
	if open {
		chunks[len(chunks)-1].End = len(tags)
	}
	return chunks, nil
}

// parsed is a tag in its two parts.
type parsed struct {
	prefix byte
	entity string // empty for O
}

func parse(tag string, mode Mode) (parsed, error) {
	if tag == "O" {
		return parsed{prefix: 'O'}, nil
	}
	prefixes := "BIES"
	if mode == StrictIOB2 {
		prefixes = "BI"
	}
	prefix, entity, _ := strings.Cut(tag, "-")
	if len(prefix) != 1 || !strings.Contains(prefixes, prefix) {
		return parsed{}, fmt.Errorf("the tag %q is neither O nor one of the prefixes %s with a type (%s)", tag, prefixes, mode)
	}
	if entity == "" {
		entity = "_"
	}
	return parsed{prefix[0], entity}, nil
}

// ends tells whether the entity that prev belongs to ends before t.
func ends(prev, t parsed) bool {
	return prev.prefix == 'E' || prev.prefix == 'S' ||
		t.prefix == 'B' || t.prefix == 'S' || t.prefix == 'O' || prev.entity != t.entity
}

// starts tells whether an entity starts at t.
func starts(prev, t parsed, mode Mode) bool {
	switch {
	case t.prefix == 'B' || t.prefix == 'S':
		return true
	case t.prefix == 'O' || mode == StrictIOB2:
		return false
	}
	return prev.prefix == 'O' || prev.prefix == 'E' || prev.prefix == 'S' || prev.entity != t.entity
}
