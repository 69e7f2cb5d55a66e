package onnx

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
)

// F16 is the bits of an IEEE 754 half-precision number.
type F16 uint16

// BF16 is the bits of a bfloat16 number: the upper half of a float32's.
type BF16 uint16

// NewTensor makes a tensor of the elements in data: a slice of float32, float64, complex64, complex128, F16, BF16,
// bool, string, or any sized integer. The tensor keeps the slice where that has the right bytes already, so it must not
// change afterwards. The dimensions must fit its length; none make a scalar of one element.
func NewTensor(name string, dims []int64, data any) (*Tensor, error) {
	if s, ok := data.([]string); ok {
		return newStrings(name, dims, s)
	}
	typ, raw := rawOf(data)
	if typ == Undefined {
		return nil, fmt.Errorf("making tensor %q: no data type holds %T", name, data)
	}
	return NewRawTensor(name, typ, dims, raw)
}

// NewRawTensor makes a tensor of raw little-endian bytes, as Tensor.Bytes returns them. The tensor keeps the slice.
func NewRawTensor(name string, typ DataType, dims []int64, raw []byte) (*Tensor, error) {
	if raw == nil {
		raw = []byte{}
	}
	t := &Tensor{Name: name, Type: typ, Dims: dims, raw: raw}
	size, err := t.size()
	if err != nil {
		return nil, err
	}
	if len(raw) != size {
		return nil, t.errorf("%d bytes of data, want %d", len(raw), size)
	}
	return t, nil
}

// NewLazyTensor makes a tensor whose raw bytes are made only when the model is written, or Bytes is called, by write:
// a model larger than memory can be written this way. Each call of write must give the same bytes, as many as type
// and dimensions say, and calls may come from several goroutines.
func NewLazyTensor(name string, typ DataType, dims []int64, write func(io.Writer) error) (*Tensor, error) {
	t := &Tensor{Name: name, Type: typ, Dims: dims, lazy: write}
	if _, err := t.size(); err != nil {
		return nil, err
	}
	return t, nil
}

// NewExternalTensor makes a tensor whose elements stand in another file. They cannot be read through it before the
// model is written and opened again.
func NewExternalTensor(name string, typ DataType, dims []int64, at External) (*Tensor, error) {
	t := &Tensor{Name: name, Type: typ, Dims: dims, External: &at}
	size, err := t.size()
	switch {
	case err != nil:
		return nil, err
	case at.Length != 0 && at.Length != int64(size):
		return nil, t.errorf("external data %q: length %d, want %d", at.Location, at.Length, size)
	}
	return t, nil
}

func newStrings(name string, dims []int64, s []string) (*Tensor, error) {
	t := &Tensor{Name: name, Type: String, Dims: dims, strings: make([][]byte, len(s))}
	for i := range s {
		t.strings[i] = []byte(s[i])
	}
	n, err := t.Len()
	if err == nil && n != len(s) {
		err = t.errorf("%d elements of data, want %d", len(s), n)
	}
	if err != nil {
		return nil, err
	}
	return t, nil
}

// rawOf returns the data type of a slice and its elements as raw bytes; Undefined if there is none.
func rawOf(data any) (DataType, []byte) {
	switch s := data.(type) {
	case []float32:
		return Float, bytesOf(s, 4)
	case []float64:
		return Double, bytesOf(s, 8)
	case []F16:
		return Float16, bytesOf(s, 2)
	case []BF16:
		return Bfloat16, bytesOf(s, 2)
	case []int8:
		return Int8, bytesOf(s, 1)
	case []int16:
		return Int16, bytesOf(s, 2)
	case []int32:
		return Int32, bytesOf(s, 4)
	case []int64:
		return Int64, bytesOf(s, 8)
	case []uint8:
		return Uint8, s
	case []uint16:
		return Uint16, bytesOf(s, 2)
	case []uint32:
		return Uint32, bytesOf(s, 4)
	case []uint64:
		return Uint64, bytesOf(s, 8)
	case []bool:
		return Bool, bytesOf(s, 1)
	case []complex64:
		return Complex64, bytesOf(s, 4)
	case []complex128:
		return Complex128, bytesOf(s, 8)
	}
	return Undefined, nil
}

// bytesOf returns the numbers as little-endian bytes, of which each takes width: a view where the host is little-endian.
func bytesOf[T any](s []T, width int) []byte {
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(*new(T))))
	if littleEndian || width == 1 {
		return b
	}
	b = bytes.Clone(b)
	for i := 0; i < len(b); i += width {
		slices.Reverse(b[i : i+width])
	}
	return b
}

// WriteFloat32s writes numbers as little-endian bytes, in pieces where the host stores them otherwise: what
// NewLazyTensor's functions are made of.
func WriteFloat32s(w io.Writer, x []float32) error {
	const piece = 1 << 14
	if littleEndian {
		_, err := w.Write(bytesOf(x, 4))
		return err
	}
	for len(x) > 0 {
		n := min(len(x), piece)
		if _, err := w.Write(bytesOf(x[:n], 4)); err != nil {
			return err
		}
		x = x[n:]
	}
	return nil
}

// encodeLazy writes raw_data of a lazy tensor.
func (t *Tensor) encodeLazy(e *encoder) {
	size, err := t.size()
	if err != nil {
		e.failf("%w", err)
		return
	}
	e.upTo(rawData)
	e.head(rawData, protowire.BytesType, uint64(size))
	e.n += int64(size)
	if e.out == nil || e.err != nil {
		return
	}
	count := &counter{w: e.out}
	if err := t.lazy(count); err != nil {
		e.failf("writing tensor %v: %w", t, err)
	} else if count.n != int64(size) {
		e.failf("tensor %v: its writer gave %d bytes, want %d", t, count.n, size)
	}
}

// generate returns the bytes of a lazy tensor.
func (t *Tensor) generate(size int) ([]byte, error) {
	b := bytes.NewBuffer(make([]byte, 0, size))
	if err := t.lazy(b); err != nil {
		return nil, t.errorf("making the elements: %w", err)
	}
	if b.Len() != size {
		return nil, t.errorf("its writer gave %d bytes, want %d", b.Len(), size)
	}
	return b.Bytes(), nil
}
