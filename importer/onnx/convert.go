package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"unsafe"
)

// littleEndian tells whether the host stores numbers as ONNX does.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// unaligned tells whether the host's ordinary loads take numbers at any address.
const unaligned = runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64" || runtime.GOARCH == "386" ||
	runtime.GOARCH == "ppc64le"

// view returns b as numbers without copying, or false where this host needs a copy.
//
// Protobuf aligns nothing, so the view may begin at any byte. That is sound here: the numbers hold no pointers, for
// which alone Go demands alignment (the checks of -d=checkptr say so too); the compiler emits ordinary loads, which
// amd64 and arm64 define for any address of normal memory; and nothing loads them atomically. C code that gets such a
// view must not assume alignment either.
func view[T float32 | float64 | int64](b []byte) ([]T, bool) {
	size := unsafe.Sizeof(*new(T))
	p := unsafe.Pointer(unsafe.SliceData(b))
	if !littleEndian || !unaligned && uintptr(p)%size != 0 {
		return nil, false
	}
	return unsafe.Slice((*T)(p), uintptr(len(b))/size), true
}

// Float32s returns the elements as float32, read-only: a view of Bytes where the type is Float, at any alignment, and
// otherwise a conversion from any type of real numbers, rounded to nearest.
func (t *Tensor) Float32s() ([]float32, error) { return floatsOf[float32](t, Float) }

// Float64s returns the elements as float64, read-only: a view of Bytes where the type is Double, at any alignment, and
// otherwise a conversion from any type of real numbers, exact but for integers beyond 2⁵³.
func (t *Tensor) Float64s() ([]float64, error) { return floatsOf[float64](t, Double) }

func floatsOf[T float32 | float64](t *Tensor, same DataType) ([]T, error) {
	b, err := t.Bytes()
	if err != nil {
		return nil, err
	}
	if t.Type == same {
		if v, ok := view[T](b); ok {
			return v, nil
		}
	}
	n, err := t.Len()
	if err != nil {
		return nil, err
	}
	if t.Type == Complex64 || t.Type == Complex128 {
		return nil, t.errorf("elements are %v, not real numbers", t.Type)
	}
	out := make([]T, n)
	le := binary.LittleEndian
	switch t.Type {
	case Float:
		for i := range out {
			out[i] = T(math.Float32frombits(le.Uint32(b[4*i:])))
		}
	case Double:
		for i := range out {
			out[i] = T(math.Float64frombits(le.Uint64(b[8*i:])))
		}
	case Float16:
		for i := range out {
			out[i] = T(F16(le.Uint16(b[2*i:])).Float32())
		}
	case Bfloat16:
		for i := range out {
			out[i] = T(BF16(le.Uint16(b[2*i:])).Float32())
		}
	case Uint64:
		for i := range out {
			out[i] = T(le.Uint64(b[8*i:]))
		}
	default:
		if f, ok := smallFloats[t.Type]; ok {
			table, w := f.table(), t.Type.Bits()
			for i := range out {
				out[i] = T(table[bitsAt(b, i, w)])
			}
			return out, nil
		}
		for i := range out {
			out[i] = T(integerAt(b, i, t.Type))
		}
	}
	return out, nil
}

// Int64s returns the elements as int64, read-only: a view of Bytes where the type is Int64, at any alignment, and
// otherwise a conversion from any integer type or Bool. A Uint64 beyond int64 is an error.
func (t *Tensor) Int64s() ([]int64, error) {
	switch t.Type {
	case Int8, Int16, Int32, Int64, Uint8, Uint16, Uint32, Uint64, Bool, Int4, Uint4, Int2, Uint2:
	default:
		return nil, t.errorf("elements are %v, not integers", t.Type)
	}
	b, err := t.Bytes()
	if err != nil {
		return nil, err
	}
	if t.Type == Int64 {
		if v, ok := view[int64](b); ok {
			return v, nil
		}
	}
	n, err := t.Len()
	if err != nil {
		return nil, err
	}
	out := make([]int64, n)
	for i := range out {
		out[i] = integerAt(b, i, t.Type)
		if t.Type == Uint64 && out[i] < 0 {
			return nil, t.errorf("element %d, %d, does not fit int64", i, uint64(out[i]))
		}
	}
	return out, nil
}

// Numbers converts n integers of a type, of raw bytes as Bytes returns them, from element from on: part of a tensor that
// is too large to convert at once.
func Numbers(raw []byte, typ DataType, from, n int) ([]float32, error) {
	switch typ {
	case Int8, Int16, Int32, Int64, Uint8, Uint16, Uint32, Int4, Uint4, Int2, Uint2:
	default:
		return nil, fmt.Errorf("elements are %v, not integers", typ)
	}
	if have := len(raw) * 8 / typ.Bits(); from < 0 || n < 0 || from > have || n > have-from {
		return nil, fmt.Errorf("%d elements from %d on run past %d bytes", n, from, len(raw))
	}
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(integerAt(raw, from+i, typ))
	}
	return out, nil
}

// integerAt is element i of raw bytes of an integer type.
func integerAt(b []byte, i int, typ DataType) int64 {
	le := binary.LittleEndian
	switch typ {
	case Int8:
		return int64(int8(b[i]))
	case Uint8:
		return int64(b[i])
	case Bool:
		if b[i] != 0 {
			return 1
		}
		return 0
	case Int16:
		return int64(int16(le.Uint16(b[2*i:])))
	case Uint16:
		return int64(le.Uint16(b[2*i:]))
	case Int32:
		return int64(int32(le.Uint32(b[4*i:])))
	case Uint32:
		return int64(le.Uint32(b[4*i:]))
	case Int4:
		return int64(int8(bitsAt(b, i, 4)<<4) >> 4)
	case Int2:
		return int64(int8(bitsAt(b, i, 2)<<6) >> 6)
	case Uint4:
		return int64(bitsAt(b, i, 4))
	case Uint2:
		return int64(bitsAt(b, i, 2))
	}
	return int64(le.Uint64(b[8*i:])) // Int64, Uint64
}

// bitsAt is element i of elements of w ≤ 8 bits, packed from the lowest bits.
func bitsAt(b []byte, i, w int) byte {
	at, shift := i*w/8, i*w%8
	v := b[at] >> shift
	if shift+w > 8 {
		v |= b[at+1] << (8 - shift)
	}
	return v & (1<<w - 1)
}

// pack6 packs elements of 6 bits, one a byte, as raw_data has them.
func pack6(elements []byte) []byte {
	out := make([]byte, (6*len(elements)+7)/8)
	for i, v := range elements {
		at, shift := i*6/8, i*6%8
		wide := uint16(v&63) << shift
		out[at] |= byte(wide)
		if wide > 0xff {
			out[at+1] |= byte(wide >> 8)
		}
	}
	return out
}
