// Package data reads labelled sentences for token classification and keeps track of their labels.
package data

import "strings"

// Sentence is one labelled sentence: Words[i] carries Tags[i].
//
// The lines of a sentence stand together in its file, so word i stands on line Line+i. Sentences that were not read
// from a file have Line 0.
type Sentence struct {
	Words []string
	Tags  []string
	Line  int // the line of the first word, counted from 1
	// Repaired is the number of tags that Options.Repair changed.
	Repaired int
}

// Repaired is the number of tags that Options.Repair changed in all sentences.
func Repaired(sentences []Sentence) int {
	n := 0
	for _, s := range sentences {
		n += s.Repaired
	}
	return n
}

// Outside is the tag of a word that belongs to no entity.
const Outside = "O"

// SplitTag splits an IOB2 tag into its prefix, 'O', 'B' or 'I', and the type of its entity, empty for O.
// ok is false where tag is none of O, B-type and I-type; a type holds no white space.
func SplitTag(tag string) (prefix byte, entity string, ok bool) {
	if tag == Outside {
		return 'O', "", true
	}
	p, entity, found := strings.Cut(tag, "-")
	if !found || entity == "" || (p != "B" && p != "I") || strings.ContainsAny(entity, " \t\r\n") {
		return 0, "", false
	}
	return p[0], entity, true
}

// Continues tells whether tag may follow prev in IOB2 (prev is O before the first word): an I-type needs a B-type or an
// I-type of the same type before it.
func Continues(prev, tag string) bool {
	prefix, entity, ok := SplitTag(tag)
	if !ok {
		return false
	}
	if prefix != 'I' {
		return true
	}
	before, beforeEntity, ok := SplitTag(prev)
	return ok && before != 'O' && beforeEntity == entity
}
