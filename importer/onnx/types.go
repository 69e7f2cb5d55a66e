package onnx

import (
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// ValueInfo is a ValueInfoProto: the name and type of an input, an output or an inner value.
type ValueInfo struct {
	Name      string
	Type      *Type
	DocString string
	Metadata  []StringPair
	Wire
}

func (v *ValueInfo) fields(c *codec) {
	text(c, 1, &v.Name)
	one(c, 2, "type", &v.Type)
	text(c, 3, &v.DocString)
	values(c, 4, "metadata_props", &v.Metadata)
}

// Type is a TypeProto. At most one of its pointers is set.
type Type struct {
	Tensor     *TensorType
	Sparse     *TensorType
	Sequence   *ElemType
	Optional   *ElemType
	Map        *MapType
	Opaque     *OpaqueType
	Denotation string
	Wire
}

func (t *Type) fields(c *codec) {
	oneof(c, t, 1, "tensor_type", &t.Tensor)
	oneof(c, t, 4, "sequence_type", &t.Sequence)
	oneof(c, t, 5, "map_type", &t.Map)
	text(c, 6, &t.Denotation)
	oneof(c, t, 7, "opaque_type", &t.Opaque)
	oneof(c, t, 8, "sparse_tensor_type", &t.Sparse)
	oneof(c, t, 9, "optional_type", &t.Optional)
}

// oneof is a field of TypeProto's oneof: of several in a file the last one counts.
func oneof[T any, P messagePtr[T]](c *codec, t *Type, n protowire.Number, name string, p *P) {
	if c.d != nil && c.d.rec.num == n && c.d.rec.typ == protowire.BytesType && *p == nil {
		t.Tensor, t.Sparse, t.Sequence, t.Optional, t.Map, t.Opaque = nil, nil, nil, nil, nil, nil
	}
	one(c, n, name, p)
}

// TensorType is a tensor's element type and shape. A nil Shape is one of unknown rank; an empty one is a scalar's.
type TensorType struct {
	Elem  DataType
	Shape *Shape
	Wire
}

func (t *TensorType) fields(c *codec) {
	varint(c, 1, &t.Elem)
	one(c, 2, "shape", &t.Shape)
}

// ElemType is the element type of a sequence or an optional.
type ElemType struct {
	Elem *Type
	Wire
}

func (t *ElemType) fields(c *codec) { one(c, 1, "elem_type", &t.Elem) }

// MapType is the type of a map.
type MapType struct {
	Key   DataType // an integer type or String
	Value *Type
	Wire
}

func (t *MapType) fields(c *codec) {
	varint(c, 1, &t.Key)
	one(c, 2, "value_type", &t.Value)
}

// OpaqueType is a type that only its domain knows.
type OpaqueType struct {
	Domain, Name string
	Wire
}

func (t *OpaqueType) fields(c *codec) {
	text(c, 1, &t.Domain)
	text(c, 2, &t.Name)
}

// Shape is a TensorShapeProto.
type Shape struct {
	Dims []Dim
	Wire
}

func (s *Shape) fields(c *codec) { values(c, 1, "dim", &s.Dims) }

// Dim is one dimension of a shape: fixed where Known is set, else symbolic where Param is not empty, else unknown.
type Dim struct {
	Value      int64
	Known      bool
	Param      string
	Denotation string
	Wire
}

// FixedDim is a dimension of a known size.
func FixedDim(n int64) Dim { return Dim{Value: n, Known: true} }

// SymbolicDim is a dimension that bears a name instead of a size.
func SymbolicDim(name string) Dim { return Dim{Param: name} }

func (d *Dim) fields(c *codec) {
	size(c, &d.Value, &d.Known, &d.Param)
	text(c, 3, &d.Denotation)
}

// size is the oneof of a size and its name in fields 1 and 2: of both in a file the last one counts.
func size(c *codec, value *int64, known *bool, param *string) {
	if c.e != nil {
		if *known {
			c.e.varint(1, uint64(*value))
		} else {
			text(c, 2, param)
		}
		return
	}
	if c.d.take(1, protowire.VarintType) {
		*known, *value, *param = true, int64(c.d.rec.value), ""
	}
	if c.d.rec.num == 2 && c.d.rec.typ == protowire.BytesType {
		*known, *value = false, 0
	}
	text(c, 2, param)
}

// String is the size, the name, or "?".
func (d Dim) String() string {
	switch {
	case d.Known:
		return strconv.FormatInt(d.Value, 10)
	case d.Param != "":
		return short(d.Param)
	}
	return "?"
}

// String is the type for messages, such as tensor(float)[batch,sequence,32], tensor(int64)[] for a scalar,
// tensor(float) where the rank is unknown, or seq(map(int64,tensor(float))).
func (t *Type) String() string {
	switch {
	case t == nil:
		return "unknown"
	case t.Tensor != nil:
		return "tensor" + t.Tensor.String()
	case t.Sparse != nil:
		return "sparse_tensor" + t.Sparse.String()
	case t.Sequence != nil:
		return "seq(" + t.Sequence.Elem.String() + ")"
	case t.Optional != nil:
		return "optional(" + t.Optional.Elem.String() + ")"
	case t.Map != nil:
		return fmt.Sprintf("map(%v,%v)", t.Map.Key, t.Map.Value)
	case t.Opaque != nil:
		return fmt.Sprintf("opaque(%s,%s)", t.Opaque.Domain, t.Opaque.Name)
	}
	return "unknown"
}

// String is the element type and the shape: (float)[batch,32].
func (t *TensorType) String() string {
	if t.Shape == nil {
		return fmt.Sprintf("(%v)", t.Elem)
	}
	return fmt.Sprintf("(%v)%v", t.Elem, t.Shape)
}

// shownDims is how many dimensions a message shows.
const shownDims = 16

// String is the dimensions in brackets, the first 16 of them: [batch,32].
func (s *Shape) String() string {
	var dims []string
	for _, d := range s.Dims[:min(len(s.Dims), shownDims)] {
		dims = append(dims, d.String())
	}
	if len(s.Dims) > shownDims {
		dims = append(dims, "…")
	}
	return "[" + strings.Join(dims, ",") + "]"
}

// short cuts a name from a file for a message.
func short(name string) string {
	const most = 300
	if len(name) <= most {
		return name
	}
	return name[:most] + "…"
}
