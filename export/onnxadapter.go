package export

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	flatbuffers "github.com/google/flatbuffers/go"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// Slots are the values that a delta gives to the inputs of a slotted graph, in the order of their names.
type Slots []Slot

// Slot is one of them.
type Slot struct {
	Name string
	Dims []int64
	Data []float32
}

// The format of .onnx_adapter: FlatBuffers with the identifier "TORT" (onnxruntime/lora/adapter_format/adapter_schema.fbs)
//
//	table Parameter { name:string; dims:[int64]; data_type:int32; raw_data:[uint8]; }   // 8-byte aligned
//	table Adapter   { format_version:int; adapter_version:int; model_version:int; parameters:[Parameter]; }

const (
	adapterIdentifier = "TORT"
	adapterFormat     = 1
)

// EncodeAdapter encodes slots as an .onnx_adapter. model is a number that tells bases apart; onnxruntime stores it and
// does not look. The same slots give the same bytes.
func EncodeAdapter(slots Slots, model int32) []byte {
	size := 1024
	for _, s := range slots {
		size += 4*len(s.Data) + len(s.Name) + 128
	}
	b := flatbuffers.NewBuilder(size)
	offs := make([]flatbuffers.UOffsetT, len(slots))
	for i, s := range slots {
		raw := make([]byte, 0, 4*len(s.Data))
		for _, v := range s.Data {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
		}
		b.StartVector(1, len(raw), 8)
		for k := len(raw) - 1; k >= 0; k-- {
			b.PrependByte(raw[k])
		}
		data := b.EndVector(len(raw))
		b.StartVector(8, len(s.Dims), 8)
		for k := len(s.Dims) - 1; k >= 0; k-- {
			b.PrependInt64(s.Dims[k])
		}
		dims := b.EndVector(len(s.Dims))
		name := b.CreateString(s.Name)
		b.StartObject(4)
		b.PrependUOffsetTSlot(0, name, 0)
		b.PrependUOffsetTSlot(1, dims, 0)
		b.PrependInt32Slot(2, int32(onnx.Float), 0)
		b.PrependUOffsetTSlot(3, data, 0)
		offs[i] = b.EndObject()
	}
	b.StartVector(4, len(offs), 4)
	for i := len(offs) - 1; i >= 0; i-- {
		b.PrependUOffsetT(offs[i])
	}
	params := b.EndVector(len(offs))
	b.StartObject(4)
	b.PrependInt32Slot(0, adapterFormat, 0)
	b.PrependInt32Slot(1, 1, 0)
	b.PrependInt32Slot(2, model, 0)
	b.PrependUOffsetTSlot(3, params, 0)
	b.FinishWithFileIdentifier(b.EndObject(), []byte(adapterIdentifier))
	return b.FinishedBytes()
}

// DecodeAdapter decodes an .onnx_adapter of float32 parameters. The library for FlatBuffers trusts what it reads, so
// that this walks the bytes itself and checks every offset.
func DecodeAdapter(b []byte) (slots Slots, model int32, err error) {
	r := reader(b)
	if len(b) < 8 || string(b[4:8]) != adapterIdentifier {
		return nil, 0, errors.New("the file has no identifier TORT: it is no .onnx_adapter")
	}
	root, err := r.offset(0)
	if err != nil {
		return nil, 0, err
	}
	format, err := r.int32(root, 0)
	if err != nil {
		return nil, 0, err
	}
	if format != adapterFormat {
		return nil, 0, fmt.Errorf("the adapter has format %d, want %d", format, adapterFormat)
	}
	if model, err = r.int32(root, 2); err != nil {
		return nil, 0, err
	}
	at, n, err := r.vector(root, 3, 4)
	if err != nil {
		return nil, 0, err
	}
	for i := range n {
		p, err := r.offset(at + 4*i)
		if err != nil {
			return nil, 0, err
		}
		s, err := r.parameter(p)
		if err != nil {
			return nil, 0, fmt.Errorf("parameter %d: %w", i, err)
		}
		slots = append(slots, s)
	}
	return slots, model, nil
}

// reader reads FlatBuffers from bytes that may be anything.
type reader []byte

var errAdapter = errors.New("the file is damaged: an offset points outside of it")

func (r reader) uint32(at int) (uint32, error) {
	if at < 0 || at > len(r)-4 {
		return 0, errAdapter
	}
	return binary.LittleEndian.Uint32(r[at:]), nil
}

// offset follows a relative offset.
func (r reader) offset(at int) (int, error) {
	v, err := r.uint32(at)
	if err != nil || uint64(v) > uint64(len(r)-at) {
		return 0, errAdapter
	}
	return at + int(v), nil
}

// field is where a table's field stands, 0 where it is left out.
func (r reader) field(table, i int) (int, error) {
	v, err := r.uint32(table)
	if err != nil {
		return 0, err
	}
	vt := table - int(int32(v))
	if vt < 0 || vt > len(r)-4 {
		return 0, errAdapter
	}
	size := int(binary.LittleEndian.Uint16(r[vt:]))
	if size > len(r)-vt {
		return 0, errAdapter
	}
	if 4+2*i+2 > size {
		return 0, nil
	}
	off := int(binary.LittleEndian.Uint16(r[vt+4+2*i:]))
	if off == 0 {
		return 0, nil
	}
	return table + off, nil
}

func (r reader) int32(table, i int) (int32, error) {
	at, err := r.field(table, i)
	if err != nil || at == 0 {
		return 0, err
	}
	v, err := r.uint32(at)
	return int32(v), err
}

// vector is where a vector's elements of a width stand, and how many there are.
func (r reader) vector(table, i, width int) (at, n int, err error) {
	f, err := r.field(table, i)
	if err != nil || f == 0 {
		return 0, 0, err
	}
	v, err := r.offset(f)
	if err != nil {
		return 0, 0, err
	}
	c, err := r.uint32(v)
	if err != nil || uint64(c)*uint64(width) > uint64(len(r)-v-4) {
		return 0, 0, errAdapter
	}
	return v + 4, int(c), nil
}

func (r reader) parameter(p int) (s Slot, err error) {
	at, n, err := r.vector(p, 0, 1)
	if err != nil {
		return s, err
	}
	s.Name = string(r[at : at+n])
	if at, n, err = r.vector(p, 1, 8); err != nil {
		return s, err
	}
	size := uint64(1)
	for i := range n {
		d := int64(binary.LittleEndian.Uint64(r[at+8*i:]))
		if d < 0 || d > 0 && size > math.MaxInt32/uint64(d) {
			return s, fmt.Errorf("%q has a dimension of %d", s.Name, d)
		}
		size *= uint64(d)
		s.Dims = append(s.Dims, d)
	}
	t, err := r.int32(p, 2)
	if err != nil {
		return s, err
	}
	if onnx.DataType(t) != onnx.Float {
		return s, fmt.Errorf("%q has the type %v, want float", s.Name, onnx.DataType(t))
	}
	if at, n, err = r.vector(p, 3, 1); err != nil {
		return s, err
	}
	if uint64(n) != 4*size {
		return s, fmt.Errorf("%q has %d bytes for %v", s.Name, n, s.Dims)
	}
	s.Data = make([]float32, size)
	for i := range s.Data {
		s.Data[i] = math.Float32frombits(binary.LittleEndian.Uint32(r[at+4*i:]))
	}
	return s, nil
}
