package onnx

import (
	"fmt"
	"strconv"
)

// External tells where a tensor's elements stand outside the model's file.
type External struct {
	Location string // path of the file relative to the model's folder, with forward slashes
	Offset   int64  // in bytes; multiples of 4096 map best
	Length   int64  // in bytes; 0 where it is not given, and then the tensor's size
	Checksum string // SHA1 of the file; not checked

	decoded bool
	err     error // what is wrong with the entries in the file
}

// The keys of external_data.
const (
	keyLocation = "location"
	keyOffset   = "offset"
	keyLength   = "length"
	keyChecksum = "checksum"
)

// parseExternal reads the entries of external_data. A faulty entry is an error for who asks for the elements: the
// model can still be read.
func parseExternal(entries []StringPair) *External {
	x := &External{decoded: true}
	for _, e := range entries {
		switch e.Key {
		case keyLocation:
			x.Location = e.Value
		case keyOffset:
			x.Offset = x.number(e)
		case keyLength:
			x.Length = x.number(e)
		case keyChecksum:
			x.Checksum = e.Value
		}
	}
	return x
}

func (x *External) number(e StringPair) int64 {
	n, err := strconv.ParseInt(e.Value, 10, 64)
	if (err != nil || n < 0) && x.err == nil {
		x.err = fmt.Errorf("external data: %s is %q, not a number of bytes", e.Key, short(e.Value))
	}
	return n
}

// same tells whether x and y name the same place.
func (x *External) same(y *External) bool {
	return x.Location == y.Location && x.Offset == y.Offset && x.Length == y.Length && x.Checksum == y.Checksum
}

// externalFields returns data_location and external_data to encode: as they were decoded, unless External was changed.
func (t *Tensor) externalFields() (int32, []StringPair) {
	x := t.External
	switch {
	case x == nil && t.location == dataExternal:
		return 0, nil // the elements have moved into the message
	case x == nil:
		return t.location, t.entries
	case x.decoded && x.same(parseExternal(t.entries)):
		return dataExternal, t.entries
	}
	entries := []StringPair{{Key: keyLocation, Value: x.Location}}
	if x.Offset != 0 {
		entries = append(entries, StringPair{Key: keyOffset, Value: strconv.FormatInt(x.Offset, 10)})
	}
	if x.Length != 0 {
		entries = append(entries, StringPair{Key: keyLength, Value: strconv.FormatInt(x.Length, 10)})
	}
	if x.Checksum != "" {
		entries = append(entries, StringPair{Key: keyChecksum, Value: x.Checksum})
	}
	for _, e := range t.entries {
		switch e.Key {
		case keyLocation, keyOffset, keyLength, keyChecksum:
		default:
			entries = append(entries, e)
		}
	}
	return dataExternal, entries
}

// external maps the file that holds the elements, and returns where in it their size bytes begin.
func (t *Tensor) external(size int) (*mapping, int, error) {
	x := t.External
	switch {
	case x.err != nil:
		return nil, 0, t.errorf("%w", x.err)
	case t.src == nil:
		return nil, 0, t.errorf("external data %q: the model was not opened from a file", short(x.Location))
	case x.Length != 0 && x.Length != int64(size):
		return nil, 0, t.errorf("external data %q: length %d, want %d", short(x.Location), x.Length, size)
	}
	m, err := t.src.open(x.Location)
	if err != nil {
		return nil, 0, t.errorf("external data %q: %w", short(x.Location), err)
	}
	if have := int64(len(m.data)); x.Offset < 0 || x.Offset > have || int64(size) > have-x.Offset {
		return nil, 0, t.errorf("external data %q: %d bytes at offset %d run past its end at %d",
			x.Location, size, x.Offset, have)
	}
	return m, int(x.Offset), nil
}

// Location is a place in a file.
type Location struct {
	File           string // path, as the model's Path is: absolute, or relative to the working folder
	Offset, Length int64  // in bytes
}

// Location tells where on disk the elements stand in one piece as raw little-endian bytes: in raw_data, packed floats
// or doubles of the model's file, or in external data. It is false where they stand nowhere so, and where they cannot
// be read at all (Bytes tells why).
func (t *Tensor) Location() (Location, bool) {
	size, err := t.size()
	if err != nil || t.src == nil || t.lazy != nil {
		return Location{}, false
	}
	if t.External != nil && t.Segment == nil {
		m, from, err := t.external(size)
		if err != nil {
			return Location{}, false
		}
		return Location{File: m.path, Offset: int64(from), Length: int64(size)}, true
	}
	if _, err := t.Bytes(); err != nil {
		return Location{}, false
	}
	here := func(at int64) (Location, bool) {
		return Location{File: t.src.main.path, Offset: at, Length: int64(size)}, true
	}
	field := dataTypes[t.Type].field
	switch {
	case t.raw != nil:
		return here(t.rawAt)
	case field == floatData && t.floats.whole:
		return here(t.floats.at)
	case field == doubleData && t.doubles.whole:
		return here(t.doubles.at)
	}
	return Location{}, false
}
