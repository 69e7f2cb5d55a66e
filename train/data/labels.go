package data

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Labels are the labels that a model for these sentences needs: O, then B-type and I-type for each type of entity in
// the order of the types' names, both even where only one occurs.
func Labels(sentences ...[]Sentence) []string {
	types := map[string]bool{}
	for _, part := range sentences {
		for _, s := range part {
			for _, tag := range s.Tags {
				if _, entity, ok := SplitTag(tag); ok && entity != "" {
					types[entity] = true
				}
			}
		}
	}
	labels := []string{Outside}
	for _, entity := range slices.Sorted(maps.Keys(types)) {
		labels = append(labels, "B-"+entity, "I-"+entity)
	}
	return labels
}

// LabelSet numbers a model's labels: label i is column i of the logits.
type LabelSet struct {
	names []string
	index map[string]int
}

// NewLabelSet numbers names from 0 in their order. An empty or repeated name is an error, as is no name at all.
func NewLabelSet(names []string) (*LabelSet, error) {
	if len(names) == 0 {
		return nil, fmt.Errorf("numbering labels: there are none")
	}
	s := &LabelSet{names: slices.Clone(names), index: make(map[string]int, len(names))}
	for i, name := range names {
		if name == "" {
			return nil, fmt.Errorf("numbering labels: label %d has no name", i)
		}
		if first, ok := s.index[name]; ok {
			return nil, fmt.Errorf("numbering labels: labels %d and %d are both %q", first, i, name)
		}
		s.index[name] = i
	}
	return s, nil
}

// Len is the number of labels.
func (s *LabelSet) Len() int { return len(s.names) }

// Names are the labels in order.
func (s *LabelSet) Names() []string { return slices.Clone(s.names) }

// Name is label i, with 0 ≤ i < Len.
func (s *LabelSet) Name(i int) string { return s.names[i] }

// Index is the number of a label.
func (s *LabelSet) Index(name string) (int, bool) {
	i, ok := s.index[name]
	return i, ok
}

// Encode gives the number of each tag of a sentence. Errors begin with file, the name of the sentence's file, and the
// line's number.
func (s *LabelSet) Encode(file string, sentence Sentence) ([]int32, error) {
	ids := make([]int32, len(sentence.Tags))
	for i, tag := range sentence.Tags {
		id, ok := s.index[tag]
		if !ok {
			return nil, fmt.Errorf("%s:%d: the model has no label %q; it has %s",
				file, sentence.Line+i, tag, strings.Join(s.names, ", "))
		}
		ids[i] = int32(id)
	}
	return ids, nil
}

// Validate checks that the model has a label for every tag of the sentences of a file.
func (s *LabelSet) Validate(file string, sentences []Sentence) error {
	for _, sentence := range sentences {
		if _, err := s.Encode(file, sentence); err != nil {
			return err
		}
	}
	return nil
}
