package fold

import (
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// Quantised operators give types and shapes alone: what they round is never a shape or an index.

func quantizeLinear(c Call) ([]*Array, error) {
	t := onnx.Uint8
	if z := c.in(2); z != nil {
		t = z.Type
	}
	return []*Array{Unknown(t, c.In[0].Shape...)}, nil
}

func dequantizeLinear(c Call) ([]*Array, error) {
	return []*Array{Unknown(c.In[1].Type, c.In[0].Shape...)}, nil
}

func dynamicQuantizeLinear(c Call) ([]*Array, error) {
	return []*Array{Unknown(onnx.Uint8, c.In[0].Shape...), Unknown(onnx.Float), Unknown(onnx.Uint8)}, nil
}

func matMulInteger(c Call) ([]*Array, error) {
	y, err := multiply(Unknown(onnx.Int32, c.In[0].Shape...), Unknown(onnx.Int32, c.In[1].Shape...))
	return one(y, err)
}
