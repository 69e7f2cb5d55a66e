package onnx

import "fmt"

// DataType is a TensorProto.DataType: the type of a tensor's elements. Numbers that ONNX adds later stay numbers.
type DataType int32

// The data types up to IR version 14.
const (
	Undefined      DataType = 0
	Float          DataType = 1
	Uint8          DataType = 2
	Int8           DataType = 3
	Uint16         DataType = 4
	Int16          DataType = 5
	Int32          DataType = 6
	Int64          DataType = 7
	String         DataType = 8
	Bool           DataType = 9
	Float16        DataType = 10
	Double         DataType = 11
	Uint32         DataType = 12
	Uint64         DataType = 13
	Complex64      DataType = 14
	Complex128     DataType = 15
	Bfloat16       DataType = 16
	Float8E4M3FN   DataType = 17
	Float8E4M3FNUZ DataType = 18
	Float8E5M2     DataType = 19
	Float8E5M2FNUZ DataType = 20
	Uint4          DataType = 21
	Int4           DataType = 22
	Float4E2M1     DataType = 23
	Float8E8M0     DataType = 24
	Uint2          DataType = 25
	Int2           DataType = 26
	Float6E2M3     DataType = 27
	Float6E3M2     DataType = 28
)

// typedField is the number of the TensorProto field that holds a type's elements where raw_data does not.
type typedField int32

const (
	floatData  typedField = 4
	int32Data  typedField = 5
	stringData typedField = 6
	int64Data  typedField = 7
	doubleData typedField = 10
	uint64Data typedField = 11
)

// dataTypes describes the types by number: the name in ONNX's type strings, the bits of an element, the typed field.
var dataTypes = [...]struct {
	name  string
	bits  int
	field typedField
}{
	Undefined:      {name: "undefined"},
	Float:          {"float", 32, floatData},
	Uint8:          {"uint8", 8, int32Data},
	Int8:           {"int8", 8, int32Data},
	Uint16:         {"uint16", 16, int32Data},
	Int16:          {"int16", 16, int32Data},
	Int32:          {"int32", 32, int32Data},
	Int64:          {"int64", 64, int64Data},
	String:         {"string", 0, stringData},
	Bool:           {"bool", 8, int32Data},
	Float16:        {"float16", 16, int32Data},
	Double:         {"double", 64, doubleData},
	Uint32:         {"uint32", 32, uint64Data},
	Uint64:         {"uint64", 64, uint64Data},
	Complex64:      {"complex64", 64, floatData},
	Complex128:     {"complex128", 128, doubleData},
	Bfloat16:       {"bfloat16", 16, int32Data},
	Float8E4M3FN:   {"float8e4m3fn", 8, int32Data},
	Float8E4M3FNUZ: {"float8e4m3fnuz", 8, int32Data},
	Float8E5M2:     {"float8e5m2", 8, int32Data},
	Float8E5M2FNUZ: {"float8e5m2fnuz", 8, int32Data},
	Uint4:          {"uint4", 4, int32Data},
	Int4:           {"int4", 4, int32Data},
	Float4E2M1:     {"float4e2m1", 4, int32Data},
	Float8E8M0:     {"float8e8m0", 8, int32Data},
	Uint2:          {"uint2", 2, int32Data},
	Int2:           {"int2", 2, int32Data},
	Float6E2M3:     {"float6e2m3", 6, int32Data},
	Float6E3M2:     {"float6e3m2", 6, int32Data},
}

func (t DataType) known() bool { return t > Undefined && int(t) < len(dataTypes) }

// Bits is the size of one element, 0 where it has none: strings, and types that this package does not know. Elements
// of fewer than 8 bits are packed, the first in the lowest bits.
func (t DataType) Bits() int {
	if !t.known() {
		return 0
	}
	return dataTypes[t].bits
}

// String is the type's name in ONNX's type strings: "float", "int64", "float8e4m3fn".
func (t DataType) String() string {
	if !t.known() && t != Undefined {
		return fmt.Sprintf("data type %d", int32(t))
	}
	return dataTypes[t].name
}
