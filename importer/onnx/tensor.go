package onnx

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/bits"

	"google.golang.org/protobuf/encoding/protowire"
)

// Tensor is a TensorProto: an array of elements in row-major order. Its elements are in the message (raw or typed), in
// an external file, or, for tensors made by NewLazyTensor, made when they are asked for. They are read through Bytes,
// Float32s, Float64s, Int64s and Strings, any number of times and from many goroutines.
type Tensor struct {
	Name      string
	DocString string
	Type      DataType
	Dims      []int64   // none for a scalar
	External  *External // where the elements are, if not in the message; setting it leaves inline elements unwritten
	Metadata  []StringPair
	Segment   *Segment // a part of a larger tensor; the elements of such tensors cannot be read
	Wire

	raw     []byte // raw_data, or nil
	rawAt   int64  // offset of raw in the file
	floats  packed
	int32s  packed
	int64s  packed
	doubles packed
	uint64s packed
	strings [][]byte
	lazy    func(io.Writer) error

	location int32        // data_location
	entries  []StringPair // external_data as decoded
	src      *source      // the file, nil in memory
}

// Segment is a TensorProto.Segment: the part of a larger tensor that a message holds.
type Segment struct {
	Begin, End int64
	Wire
}

func (s *Segment) fields(c *codec) {
	varint(c, 1, &s.Begin)
	varint(c, 2, &s.End)
}

const (
	rawData      protowire.Number = 9
	dataExternal int32            = 1 // the value of data_location for external data
)

func (t *Tensor) fields(c *codec) {
	location, entries, inline := &t.location, &t.entries, true
	if c.e != nil {
		l, e := t.externalFields()
		location, entries, inline = &l, &e, t.External == nil || t.External.decoded
	}
	ints(c, 1, &t.Dims)
	varint(c, 2, &t.Type)
	one(c, 3, "segment", &t.Segment)
	if inline {
		scalars(c, protowire.Number(floatData), protowire.Fixed32Type, &t.floats)
		scalars(c, protowire.Number(int32Data), protowire.VarintType, &t.int32s)
		blobs(c, protowire.Number(stringData), &t.strings)
		scalars(c, protowire.Number(int64Data), protowire.VarintType, &t.int64s)
	}
	text(c, 8, &t.Name)
	if inline {
		t.rawField(c)
		scalars(c, protowire.Number(doubleData), protowire.Fixed64Type, &t.doubles)
		scalars(c, protowire.Number(uint64Data), protowire.VarintType, &t.uint64s)
	}
	text(c, 12, &t.DocString)
	values(c, 13, "external_data", entries)
	varint(c, 14, location)
	values(c, 16, "metadata_props", &t.Metadata)
}

func (t *Tensor) rawField(c *codec) {
	if c.e != nil && t.lazy != nil {
		t.encodeLazy(c.e)
		return
	}
	blob(c, rawData, &t.raw)
	if c.d != nil && c.d.rec.num == rawData {
		t.rawAt = int64(c.d.rec.from)
	}
}

func (t *Tensor) finish(d *decoder) {
	t.src = d.src
	if t.location == dataExternal {
		t.External = parseExternal(t.entries)
	}
}

// Len is the number of elements: the product of the dimensions. A negative dimension, or a product that does not fit
// an int, is an error.
func (t *Tensor) Len() (int, error) {
	n, zero := uint64(1), false
	for i, d := range t.Dims {
		if d < 0 {
			return 0, t.errorf("dimension %d is %d", i, d)
		}
		zero = zero || d == 0
	}
	if zero {
		return 0, nil
	}
	for _, d := range t.Dims {
		hi, lo := bits.Mul64(n, uint64(d))
		if hi != 0 || lo > math.MaxInt {
			return 0, t.errorf("the shape has more elements than an address space")
		}
		n = lo
	}
	return int(n), nil
}

// size is the number of bytes of the elements, packed as raw_data has them.
func (t *Tensor) size() (int, error) {
	n, err := t.Len()
	if err != nil {
		return 0, err
	}
	w := t.Type.Bits()
	if w == 0 {
		return 0, t.errorf("elements of type %v have no raw bytes", t.Type)
	}
	hi, lo := bits.Mul64(uint64(n), uint64(w))
	if hi != 0 || lo > math.MaxInt64 || (lo+7)/8 > math.MaxInt {
		return 0, t.errorf("the shape has more bytes than an address space")
	}
	return int((lo + 7) / 8), nil
}

// Bytes returns the elements as raw little-endian bytes, read-only: elements of fewer than 8 bits packed from the
// lowest bits, complex numbers as pairs, bools as bytes. It is a view of raw_data, of packed floats and doubles, or of
// the external file, and a conversion of other typed fields. Strings have no raw bytes, and are an error.
func (t *Tensor) Bytes() ([]byte, error) {
	size, err := t.size()
	if err != nil {
		return nil, err
	}
	switch {
	case t.Segment != nil:
		return nil, t.errorf("segments of tensors are not supported")
	case t.External != nil:
		m, from, err := t.external(size)
		if err != nil {
			return nil, err
		}
		return m.data[from : from+size : from+size], nil
	case t.lazy != nil:
		return t.generate(size)
	}
	if t.src.closed() {
		return nil, t.errorf("the file is closed")
	}
	if t.raw != nil {
		if len(t.raw) != size {
			return nil, t.errorf("raw_data has %d bytes, want %d", len(t.raw), size)
		}
		return t.raw, nil
	}
	if size > 0 && !t.HasData() {
		return nil, t.errorf("it has no data")
	}
	switch dataTypes[t.Type].field {
	case floatData:
		return t.fixed("float_data", t.floats, size)
	case doubleData:
		return t.fixed("double_data", t.doubles, size)
	case int64Data:
		return t.varints("int64_data", t.int64s, size)
	case uint64Data:
		return t.varints("uint64_data", t.uint64s, size)
	default:
		return t.varints("int32_data", t.int32s, size)
	}
}

// HasData tells whether the tensor holds or refers to any elements at all.
func (t *Tensor) HasData() bool {
	inline := len(t.raw) + len(t.strings)
	for _, p := range []packed{t.floats, t.int32s, t.int64s, t.doubles, t.uint64s} {
		inline += len(p.b)
	}
	return inline > 0 || t.External != nil || t.lazy != nil
}

// fixed is the content of float_data or double_data, which are raw bytes already.
func (t *Tensor) fixed(field string, p packed, size int) ([]byte, error) {
	if len(p.b) != size {
		return nil, t.errorf("%s has %d bytes, want %d", field, len(p.b), size)
	}
	return p.b, nil
}

// varints converts the content of an integer field to raw bytes. Its entries are elements; for types of 4 and 2 bits
// they are bytes of packed elements, and for types of 6 bits elements that raw_data packs.
func (t *Tensor) varints(field string, p packed, size int) ([]byte, error) {
	n, width := size, t.Type.Bits()/8 // entries, and bytes of each
	switch {
	case width > 1:
		n = size / width
	case t.Type.Bits() == 6:
		n, _ = t.Len()
	}
	width = max(width, 1)
	if have := p.count(); have != n {
		return nil, t.errorf("%s has %d entries, want %d", field, have, n)
	}
	signed32 := dataTypes[t.Type].field == int32Data
	low, high := int64(-1)<<(8*width-1), int64(1)<<(8*width)-1 // a negative number may also stand as its bits
	if t.Type.Bits() == 6 {
		low, high = 0, 63
	}
	out := make([]byte, 0, n*width)
	for i, b := 0, p.b; len(b) > 0; i++ {
		v, k := protowire.ConsumeVarint(b)
		b = b[k:]
		if signed32 {
			v = uint64(int64(int32(v))) // as protobuf reads an int32
		}
		if x := int64(v); width < 8 && (x < low || x > high) && t.Type != Bool {
			return nil, t.errorf("%s[%d] = %d does not fit %v", field, i, x, t.Type)
		}
		switch width {
		case 1:
			if t.Type == Bool && v != 0 {
				v = 1
			}
			out = append(out, byte(v))
		case 2:
			out = binary.LittleEndian.AppendUint16(out, uint16(v))
		case 4:
			out = binary.LittleEndian.AppendUint32(out, uint32(v))
		default:
			out = binary.LittleEndian.AppendUint64(out, v)
		}
	}
	if t.Type.Bits() == 6 {
		return pack6(out), nil
	}
	return out, nil
}

// Strings returns the elements of a tensor of strings.
func (t *Tensor) Strings() ([]string, error) {
	n, err := t.Len()
	switch {
	case err != nil:
		return nil, err
	case t.Type != String:
		return nil, t.errorf("elements are %v, not string", t.Type)
	case t.External != nil || t.Segment != nil:
		return nil, t.errorf("strings in external data or segments are not supported")
	case len(t.strings) != n:
		return nil, t.errorf("string_data has %d entries, want %d", len(t.strings), n)
	case t.src.closed():
		return nil, t.errorf("the file is closed")
	}
	out := make([]string, n)
	for i, s := range t.strings {
		out[i] = string(s)
	}
	return out, nil
}

// String names the tensor for messages: `"encoder.weight" float[32,64]`.
func (t *Tensor) String() string {
	shape := &Shape{}
	for _, d := range t.Dims[:min(len(t.Dims), shownDims+1)] {
		shape.Dims = append(shape.Dims, FixedDim(d))
	}
	return fmt.Sprintf("%q %v%v", short(t.Name), t.Type, shape)
}

func (t *Tensor) errorf(format string, args ...any) error {
	return fmt.Errorf("tensor %v: %w", t, fmt.Errorf(format, args...))
}
