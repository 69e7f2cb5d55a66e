package tokenize

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// jsonScanner walks over JSON that is known to be valid, without making anything of what it skips: vocabularies are large.
type jsonScanner struct {
	data []byte
	at   int
}

// next skips white space and returns the byte that follows, 0 at the end.
func (s *jsonScanner) next() byte {
	for s.at < len(s.data) {
		switch c := s.data[s.at]; c {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return c
		}
	}
	return 0
}

// take consumes c if it comes next.
func (s *jsonScanner) take(c byte) bool {
	if s.next() != c {
		return false
	}
	s.at++
	return true
}

// value consumes a value and returns it.
func (s *jsonScanner) value() []byte {
	s.next()
	from, depth := s.at, 0
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case '"':
			s.skipString()
		case '[', '{':
			depth++
			s.at++
		case ']', '}':
			depth--
			s.at++
		default:
			s.at++
		}
		if depth == 0 && s.ended(from) {
			break
		}
	}
	return s.data[from:s.at]
}

// ended reports whether the value that began at from is over.
func (s *jsonScanner) ended(from int) bool {
	switch s.data[from] {
	case '"', '[', '{':
		return true
	}
	if s.at >= len(s.data) {
		return true
	}
	switch s.data[s.at] {
	case ',', ']', '}', ' ', '\t', '\n', '\r':
		return true
	}
	return false
}

// skipString consumes a string.
func (s *jsonScanner) skipString() {
	for s.at++; s.at < len(s.data); s.at++ {
		switch s.data[s.at] {
		case '\\':
			s.at++
		case '"':
			s.at++
			return
		}
	}
}

// texts collects strings in one piece of memory.
type texts struct {
	arena []byte
	ends  []int
}

// add consumes a string of s.
func (t *texts) add(s *jsonScanner) bool {
	if s.next() != '"' {
		return false
	}
	from, plain := s.at, true
	for s.at++; s.at < len(s.data) && s.data[s.at] != '"'; s.at++ {
		if s.data[s.at] == '\\' {
			plain = false
			s.at++
		}
	}
	s.at = min(s.at+1, len(s.data))
	raw := s.data[from:s.at]
	if inner := raw[1:max(1, len(raw)-1)]; plain && utf8.Valid(inner) {
		t.arena = append(t.arena, inner...)
	} else {
		var text string
		if json.Unmarshal(raw, &text) != nil {
			return false
		}
		t.arena = append(t.arena, text...)
	}
	t.ends = append(t.ends, len(t.arena))
	return true
}

// all returns the strings.
func (t *texts) all() []string {
	list, from, memory := make([]string, len(t.ends)), 0, string(t.arena)
	for i, end := range t.ends {
		list[i], from = memory[from:end], end
	}
	return list
}

// splitObject returns the fields of a valid object; of equal names the last counts.
func splitObject(raw []byte) (map[string]json.RawMessage, error) {
	s := &jsonScanner{data: raw}
	if !s.take('{') {
		return nil, fmt.Errorf("%.100s is no object", s.data[s.at:])
	}
	fields := map[string]json.RawMessage{}
	for s.next() != '}' {
		var name string
		if err := json.Unmarshal(s.value(), &name); err != nil {
			return nil, err
		}
		s.take(':')
		fields[name] = s.value()
		if !s.take(',') {
			break
		}
	}
	return fields, nil
}

// scanScored reads an array of pairs of a text and a number.
func scanScored(raw []byte) ([]scoredPiece, error) {
	s := &jsonScanner{data: raw}
	if !s.take('[') {
		return nil, fmt.Errorf("%.100s is no array", raw)
	}
	var names texts
	var list []scoredPiece
	for s.next() != ']' {
		from := s.at
		ok := s.take('[') && names.add(s) && s.take(',')
		if ok {
			score, err := libraryFloat(s.value())
			if err != nil {
				return nil, fmt.Errorf("entry %d: %w", len(list), err)
			}
			list = append(list, scoredPiece{score: score})
			ok = s.take(']')
		}
		if !ok {
			s.at = from
			return nil, fmt.Errorf("entry %d: %.100s is no pair of a piece and its score", len(list), s.value())
		}
		if !s.take(',') {
			break
		}
	}
	for i, text := range names.all() {
		list[i].text = text
	}
	return list, nil
}

// scanIDs reads an object of ids by text.
func scanIDs(raw []byte) ([]vocabularyEntry, error) {
	s := &jsonScanner{data: raw}
	if !s.take('{') {
		return nil, fmt.Errorf("%.100s is no object", raw)
	}
	var names texts
	var list []vocabularyEntry
	for s.next() != '}' {
		if !names.add(s) {
			return nil, fmt.Errorf("entry %d: its text cannot be read", len(list))
		}
		s.take(':')
		value := s.value()
		id, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("entry %d: %.50s is no id", len(list), value)
		}
		list = append(list, vocabularyEntry{id: id})
		if !s.take(',') {
			break
		}
	}
	for i, text := range names.all() {
		if list[i].text = text; list[i].id < 0 || list[i].id > math.MaxInt32 {
			return nil, fmt.Errorf("the id %d of %q is out of range", list[i].id, text)
		}
	}
	return list, nil
}
