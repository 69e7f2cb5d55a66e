// Package safetensors reads and writes the safetensors format of Hugging Face: the length of a JSON header as eight
// little-endian bytes, the header {name: {dtype, shape, data_offsets}}, and the tensors' bytes one after another.
// No library for Go that can be had checks what it reads, so it is written here.
package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"sort"
)

// Tensor is one tensor of a file. Data holds its elements in row-major order, little-endian.
type Tensor struct {
	Name  string
	DType string // "F32", "F16", "BF16", "F64", "I64", …
	Shape []int
	Data  []byte
}

// File is the content of a safetensors file.
type File struct {
	Tensors  []Tensor // in the order of their bytes
	Metadata map[string]string
}

// widths are the bytes an element takes.
var widths = map[string]int{
	"BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2,
	"I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8,
}

// maxHeader bounds the header as the reference implementation does.
const maxHeader = 100_000_000

// Read reads a file.
func Read(path string) (*File, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return f, nil
}

// Parse decodes a file's content. The tensors are views of b.
func Parse(b []byte) (*File, error) {
	if len(b) < 8 {
		return nil, fmt.Errorf("%d bytes are no safetensors file", len(b))
	}
	n := binary.LittleEndian.Uint64(b)
	if n > maxHeader || n > uint64(len(b)-8) {
		return nil, fmt.Errorf("the header claims %d bytes of %d: truncated, or no safetensors file", n, len(b)-8)
	}
	header, data := b[8:8+n], b[8+n:]
	var entries map[string]json.RawMessage
	if err := json.Unmarshal(header, &entries); err != nil {
		return nil, fmt.Errorf("decoding the header: %w", err)
	}
	f := &File{}
	type entry struct {
		DType   string   `json:"dtype"`
		Shape   []int    `json:"shape"`
		Offsets []uint64 `json:"data_offsets"`
	}
	var begin []uint64
	for name, raw := range entries {
		if name == "__metadata__" {
			if err := json.Unmarshal(raw, &f.Metadata); err != nil {
				return nil, fmt.Errorf("decoding __metadata__: %w", err)
			}
			continue
		}
		var e entry
		if err := json.Unmarshal(raw, &e); err != nil {
			return nil, fmt.Errorf("decoding the entry of %q: %w", name, err)
		}
		size, err := bytesOf(e.DType, e.Shape)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		if len(e.Offsets) != 2 || e.Offsets[1] > uint64(len(data)) || e.Offsets[0] > e.Offsets[1] || e.Offsets[1]-e.Offsets[0] != size {
			return nil, fmt.Errorf("tensor %q: data_offsets %v do not fit %s%v in %d bytes of data", name, e.Offsets, e.DType, e.Shape, len(data))
		}
		f.Tensors = append(f.Tensors, Tensor{name, e.DType, e.Shape, data[e.Offsets[0]:e.Offsets[1]:e.Offsets[1]]})
		begin = append(begin, e.Offsets[0])
	}
	sort.Sort(byOffset{f.Tensors, begin})
	var end uint64
	for i, t := range f.Tensors {
		if begin[i] != end {
			return nil, fmt.Errorf("tensor %q starts at byte %d, want %d: the tensors overlap or leave a hole", t.Name, begin[i], end)
		}
		end += uint64(len(t.Data))
	}
	if end != uint64(len(data)) {
		return nil, fmt.Errorf("%d bytes follow the last tensor", uint64(len(data))-end)
	}
	return f, nil
}

// byOffset sorts tensors by where they begin; empty ones before others that begin there.
type byOffset struct {
	t     []Tensor
	begin []uint64
}

func (s byOffset) Len() int { return len(s.t) }
func (s byOffset) Swap(i, j int) {
	s.t[i], s.t[j] = s.t[j], s.t[i]
	s.begin[i], s.begin[j] = s.begin[j], s.begin[i]
}
func (s byOffset) Less(i, j int) bool {
	if s.begin[i] != s.begin[j] {
		return s.begin[i] < s.begin[j]
	}
	if len(s.t[i].Data) != len(s.t[j].Data) {
		return len(s.t[i].Data) < len(s.t[j].Data)
	}
	return s.t[i].Name < s.t[j].Name
}

// bytesOf is the size of a tensor, checked against overflow.
func bytesOf(dtype string, shape []int) (uint64, error) {
	w, ok := widths[dtype]
	if !ok {
		return 0, fmt.Errorf("unknown dtype %q", dtype)
	}
	n := uint64(w)
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("negative dimension in shape %v", shape)
		}
		if d > 0 && n > math.MaxInt64/uint64(d) {
			return 0, fmt.Errorf("shape %v is too large", shape)
		}
		n *= uint64(d)
	}
	return n, nil
}

// Write encodes tensors, sorted by name, and metadata. The same content gives the same bytes.
func Write(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	ts := slices.Clone(tensors)
	slices.SortFunc(ts, func(a, b Tensor) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	var h bytes.Buffer
	h.WriteByte('{')
	if len(metadata) > 0 {
		m, err := json.Marshal(metadata) // sorts keys
		if err != nil {
			return err
		}
		fmt.Fprintf(&h, `"__metadata__":%s,`, m)
	}
	var off uint64
	for i, t := range ts {
		size, err := bytesOf(t.DType, t.Shape)
		switch {
		case err != nil:
			return fmt.Errorf("tensor %q: %w", t.Name, err)
		case size != uint64(len(t.Data)):
			return fmt.Errorf("tensor %q: %d bytes for %s%v", t.Name, len(t.Data), t.DType, t.Shape)
		case t.Name == "__metadata__" || i > 0 && t.Name == ts[i-1].Name:
			return fmt.Errorf("tensor name %q is reserved or used twice", t.Name)
		}
		name, err := json.Marshal(t.Name)
		if err != nil {
			return err
		}
		shape, err := json.Marshal(append([]int{}, t.Shape...))
		if err != nil {
			return err
		}
		fmt.Fprintf(&h, `%s:{"dtype":%q,"shape":%s,"data_offsets":[%d,%d]},`, name, t.DType, shape, off, off+size)
		off += size
	}
	head := bytes.TrimSuffix(h.Bytes(), []byte{','})
	head = append(head, '}')
	for len(head)%8 != 0 { // so that the data is aligned
		head = append(head, ' ')
	}
	if err := binary.Write(w, binary.LittleEndian, uint64(len(head))); err != nil {
		return err
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	for _, t := range ts {
		if _, err := w.Write(t.Data); err != nil {
			return err
		}
	}
	return nil
}

// F32 makes a float32 tensor.
func F32(name string, x []float32, shape ...int) Tensor {
	b := make([]byte, 0, 4*len(x))
	for _, v := range x {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return Tensor{name, "F32", slices.Clone(shape), b}
}

// Float32s returns the elements of a floating-point tensor as float32.
func (t Tensor) Float32s() ([]float32, error) {
	x := make([]float32, 0, len(t.Data)/max(1, widths[t.DType]))
	switch t.DType {
	case "F32":
		for b := t.Data; len(b) > 0; b = b[4:] {
			x = append(x, math.Float32frombits(binary.LittleEndian.Uint32(b)))
		}
	case "BF16":
		for b := t.Data; len(b) > 0; b = b[2:] {
			x = append(x, math.Float32frombits(uint32(binary.LittleEndian.Uint16(b))<<16))
		}
	case "F16":
		for b := t.Data; len(b) > 0; b = b[2:] {
			x = append(x, half(binary.LittleEndian.Uint16(b)))
		}
	case "F64":
		for b := t.Data; len(b) > 0; b = b[8:] {
			x = append(x, float32(math.Float64frombits(binary.LittleEndian.Uint64(b))))
		}
	default:
		return nil, fmt.Errorf("tensor %q: dtype %s is no floating-point type that can be read", t.Name, t.DType)
	}
	return x, nil
}

// half widens an IEEE 754 binary16 number.
func half(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10&31), uint32(h&0x3ff)
	switch {
	case exp == 31:
		return math.Float32frombits(sign | 0xff<<23 | frac<<13)
	case exp == 0: // zero or subnormal: frac·2⁻²⁴
		v := float32(frac) / (1 << 24)
		return math.Float32frombits(math.Float32bits(v) | sign)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// ErrMissing is wrapped by Get's errors.
var ErrMissing = errors.New("no such tensor")

// Get returns the tensor of a name.
func (f *File) Get(name string) (Tensor, error) {
	for _, t := range f.Tensors {
		if t.Name == name {
			return t, nil
		}
	}
	return Tensor{}, fmt.Errorf("%w: %q", ErrMissing, name)
}
