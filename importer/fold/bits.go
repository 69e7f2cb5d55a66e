package fold

import (
	"fmt"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// bitShift moves the bits of unsigned numbers; those that are moved out are lost.
func bitShift(c Call) ([]*Array, error) {
	direction := ""
	if a := c.Node.Attribute("direction"); a != nil {
		direction = string(a.S)
	}
	var f func(x uint64, n uint64) uint64
	switch direction {
	case "LEFT":
		f = func(x, n uint64) uint64 { return x << n }
	case "RIGHT":
		f = func(x, n uint64) uint64 { return x >> n }
	default:
		return nil, fmt.Errorf("there is no direction %q", direction)
	}
	switch c.In[0].Type {
	case onnx.Uint8, onnx.Uint16, onnx.Uint32, onnx.Uint64:
	default:
		return nil, fmt.Errorf("the bits of %v are not moved", c.In[0])
	}
	b := binary{ints: func(x, y int64) (int64, error) { return int64(f(uint64(x), uint64(y))), nil }}
	return one(b.two(c.In[0], c.In[1]))
}

// eyeLike is 1 on the diagonal k of a matrix of the input's shape, 0 elsewhere.
func eyeLike(c Call) ([]*Array, error) {
	a := c.In[0]
	if len(a.Shape) != 2 {
		return nil, fmt.Errorf("%v is no matrix", a)
	}
	t := onnx.DataType(c.int("dtype", int64(a.Type)))
	if !anyType.has(t) {
		return nil, fmt.Errorf("a matrix of %v is not supported", t)
	}
	out := Unknown(t, a.Shape...)
	if err := out.alloc(); err != nil {
		return nil, err
	}
	k := c.int("k", 0)
	for i := range out.Size() {
		if int64(i%a.Shape[1])-int64(i/a.Shape[1]) != k {
			continue
		}
		if out.Floats != nil {
			out.Floats[i] = 1
		} else {
			out.Ints[i] = 1
		}
	}
	return []*Array{out}, nil
}
