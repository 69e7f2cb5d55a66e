package tokenize

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// object is a JSON object of the tokenizer file with its place in it, which every error names.
type object struct {
	path   string // as $.pre_tokenizer.pretokenizers[1]
	fields map[string]json.RawMessage
	depth  int // how many lists of components it is nested in
}

// maxDepth bounds the nesting of components.
const maxDepth = 50

// parseObject decodes a JSON object found at path.
func parseObject(path string, raw []byte) (object, error) {
	if !json.Valid(raw) {
		return object{path: path}, fmt.Errorf("reading %s: %w", path, json.Unmarshal(raw, new(any)))
	}
	return innerObject(path, raw)
}

// innerObject is parseObject for a part of what is known to be valid JSON.
func innerObject(path string, raw json.RawMessage) (o object, err error) {
	o.path = path
	if o.fields, err = splitObject(raw); err != nil {
		return o, fmt.Errorf("reading %s: %w", path, err)
	}
	return o, nil
}

// has reports whether the field is there and is not null.
func (o object) has(name string) bool {
	raw, ok := o.fields[name]
	return ok && !isNull(raw)
}

func isNull(raw json.RawMessage) bool { return bytes.Equal(bytes.TrimSpace(raw), []byte("null")) }

var errMissing = errors.New("the field is missing")

// decode decodes a field that must be there.
func (o object) decode(name string, into any) error {
	raw, ok := o.fields[name]
	if !ok {
		return fmt.Errorf("reading %s.%s: %w", o.path, name, errMissing)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("reading %s.%s: %w", o.path, name, err)
	}
	return nil
}

// decodeIf decodes a field that may be missing or null, in which case what into holds stays.
func (o object) decodeIf(name string, into any) error {
	if !o.has(name) {
		return nil
	}
	return o.decode(name, into)
}

// boolean returns a field that must be there and not null.
func (o object) boolean(name string) (v bool, err error) {
	var p *bool
	if err = o.decode(name, &p); err == nil && p == nil {
		err = o.errorf(name, "null is no boolean")
	}
	if err != nil {
		return false, err
	}
	return *p, nil
}

// booleanOr returns a field, or what it is to be when missing or null.
func (o object) booleanOr(name string, missing bool) (bool, error) {
	err := o.decodeIf(name, &missing)
	return missing, err
}

// text returns a string field that must be there and not null.
func (o object) text(name string) (string, error) {
	var p *string
	err := o.decode(name, &p)
	if err == nil && p == nil {
		err = o.errorf(name, "null is no string")
	}
	if err != nil {
		return "", err
	}
	return *p, nil
}

// character returns a field that must be a string of one character.
func (o object) character(name string) (rune, error) {
	s, err := o.text(name)
	if err != nil {
		return 0, err
	}
	if r := []rune(s); len(r) == 1 {
		return r[0], nil
	}
	return 0, o.errorf(name, "%q is not one character", s)
}

// errorf is an error about one field, or about the object where name is empty.
func (o object) errorf(name, format string, args ...any) error {
	path := o.path
	if name != "" {
		path += "." + name
	}
	return fmt.Errorf("reading %s: %w", path, fmt.Errorf(format, args...))
}

// build makes the component that o describes by the table of its types.
func build[T any](o object, types map[string]func(object) (T, error)) (T, error) {
	var none T
	kind, err := o.text("type")
	if err != nil {
		return none, err
	}
	make, ok := types[kind]
	if !ok {
		return none, o.errorf("type", "the type %q is not known", kind)
	}
	return make(o)
}

// buildList makes the components of an array of objects.
func buildList[T any](o object, name string, make func(object) (T, error)) ([]T, error) {
	var raws []json.RawMessage
	if o.depth >= maxDepth {
		return nil, o.errorf(name, "nested more than %d deep", maxDepth)
	}
	if err := o.decode(name, &raws); err != nil {
		return nil, err
	}
	list := []T{}
	for i, raw := range raws {
		item, err := innerObject(fmt.Sprintf("%s.%s[%d]", o.path, name, i), raw)
		if err != nil {
			return nil, err
		}
		item.depth = o.depth + 1
		c, err := make(item)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}
