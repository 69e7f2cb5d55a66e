package fold

import (
	"fmt"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

func cast(c Call) ([]*Array, error) { return one(convert(c.In[0], onnx.DataType(c.int("to", 0)))) }

func castLike(c Call) ([]*Array, error) { return one(convert(c.In[0], c.In[1].Type)) }

// convert changes the type: floating-point numbers are truncated towards zero, integers lose their upper bits, whatever
// is not zero is true.
func convert(a *Array, to onnx.DataType) (*Array, error) {
	if !anyType.has(to) {
		return nil, fmt.Errorf("a cast to %v is not supported", to)
	}
	out := Unknown(to, a.Shape...)
	switch {
	case !a.Known():
		return out, nil
	case a.Type == to:
		return a, nil
	}
	if err := out.alloc(); err != nil {
		return nil, err
	}
	for i := range out.Floats {
		if a.Ints != nil && to == onnx.Float {
			out.Floats[i] = float64(float32(a.Ints[i])) // by way of a float64 it would be rounded twice
		} else {
			out.Floats[i] = round(to, a.At(i))
		}
	}
	for i := range out.Ints {
		var v int64
		switch {
		case a.Ints != nil:
			v = a.Ints[i]
		case to == onnx.Bool:
			v = b2i(a.Floats[i] != 0)
		default:
			v = toInt(a.Floats[i])
		}
		var err error
		if out.Ints[i], err = wrap(to, v); err != nil {
			return nil, err
		}
	}
	return out, nil
}
