package onnx

import "fmt"

// AttributeType tells which field of an Attribute is in use. Numbers that ONNX adds later stay numbers.
type AttributeType int32

// The types of attributes.
const (
	AttrUndefined     AttributeType = 0
	AttrFloat         AttributeType = 1
	AttrInt           AttributeType = 2
	AttrString        AttributeType = 3
	AttrTensor        AttributeType = 4
	AttrGraph         AttributeType = 5
	AttrFloats        AttributeType = 6
	AttrInts          AttributeType = 7
	AttrStrings       AttributeType = 8
	AttrTensors       AttributeType = 9
	AttrGraphs        AttributeType = 10
	AttrSparseTensor  AttributeType = 11
	AttrSparseTensors AttributeType = 12
	AttrType          AttributeType = 13
	AttrTypes         AttributeType = 14
)

var attributeTypeNames = [...]string{"undefined", "float", "int", "string", "tensor", "graph", "floats", "ints",
	"strings", "tensors", "graphs", "sparse_tensor", "sparse_tensors", "type_proto", "type_protos"}

// String is the type's name in lower case.
func (t AttributeType) String() string {
	if t < 0 || int(t) >= len(attributeTypeNames) {
		return fmt.Sprintf("attribute type %d", int32(t))
	}
	return attributeTypeNames[t]
}

// Attribute is an AttributeProto: a named constant of a node. Type says which of the value fields is in use. It is
// set for every decoded attribute with a value, also where an old file leaves it out.
type Attribute struct {
	Name        string
	RefAttrName string // in a function: the attribute of the function's caller that this one takes its value from
	DocString   string
	Type        AttributeType

	F            float32
	I            int64
	S            []byte // UTF-8 text, mostly; a view of the file
	T            *Tensor
	G            *Graph
	TP           *Type
	SparseTensor *SparseTensor

	Floats        []float32
	Ints          []int64
	Strings       [][]byte
	Tensors       []*Tensor
	Graphs        []*Graph
	Types         []*Type
	SparseTensors []*SparseTensor
	Wire

	decoded bool // so presence is known from the file
}

// Field numbers of AttributeProto that presence depends on.
const (
	attrF    = 2
	attrI    = 3
	attrS    = 4
	attrType = 20
)

func (a *Attribute) fields(c *codec) {
	if c.e != nil {
		a = a.explicit()
		c.w = &a.Wire
	}
	text(c, 1, &a.Name)
	float(c, attrF, &a.F)
	varint(c, attrI, &a.I)
	blob(c, attrS, &a.S)
	one(c, 5, "t", &a.T)
	one(c, 6, "g", &a.G)
	floats(c, 7, &a.Floats)
	ints(c, 8, &a.Ints)
	blobs(c, 9, &a.Strings)
	list(c, 10, "tensors", &a.Tensors)
	list(c, 11, "graphs", &a.Graphs)
	text(c, 13, &a.DocString)
	one(c, 14, "tp", &a.TP)
	list(c, 15, "type_protos", &a.Types)
	varint(c, attrType, &a.Type)
	text(c, 21, &a.RefAttrName)
	one(c, 22, "sparse_tensor", &a.SparseTensor)
	list(c, 23, "sparse_tensors", &a.SparseTensors)
}

// finish infers a missing type, as IR version 1 needs it, which had no type field.
func (a *Attribute) finish(*decoder) {
	a.decoded = true
	if a.Type == AttrUndefined && !a.has(attrType) {
		a.Type = a.infer()
	}
}

// infer is the type of the first value field that is set.
func (a *Attribute) infer() AttributeType {
	switch {
	case a.has(attrF):
		return AttrFloat
	case a.has(attrI):
		return AttrInt
	case a.S != nil:
		return AttrString
	case a.T != nil:
		return AttrTensor
	case a.G != nil:
		return AttrGraph
	case len(a.Floats) > 0:
		return AttrFloats
	case len(a.Ints) > 0:
		return AttrInts
	case len(a.Strings) > 0:
		return AttrStrings
	case len(a.Tensors) > 0:
		return AttrTensors
	case len(a.Graphs) > 0:
		return AttrGraphs
	case a.TP != nil:
		return AttrType
	case len(a.Types) > 0:
		return AttrTypes
	case a.SparseTensor != nil:
		return AttrSparseTensor
	case len(a.SparseTensors) > 0:
		return AttrSparseTensors
	}
	return AttrUndefined
}

// explicit is a copy to encode. A new attribute writes its scalar even where that is zero, since ONNX wants exactly one
// value field present; a decoded one writes the type only if the file had it or it is no longer the inferred one.
func (a *Attribute) explicit() *Attribute {
	x := *a
	if !a.decoded && a.RefAttrName == "" {
		switch a.Type {
		case AttrFloat:
			x.mark(attrF)
		case AttrInt:
			x.mark(attrI)
		case AttrString:
			if a.S == nil {
				x.S = []byte{}
			}
		}
	}
	if a.decoded && !a.has(attrType) && a.Type == a.infer() {
		x.Type = AttrUndefined
	}
	return &x
}
