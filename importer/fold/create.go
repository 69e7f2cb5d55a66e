package fold

import (
	"fmt"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// constant returns the value of a Constant node, in any of the attributes that may hold it.
func constant(c Call) ([]*Array, error) {
	for _, a := range c.Node.Attributes {
		switch a.Name {
		case "value":
			if a.T == nil {
				return nil, fmt.Errorf("the attribute value is no tensor")
			}
			return one(FromTensor(a.T))
		case "value_int":
			return []*Array{Ints([]int64{a.I})}, nil
		case "value_ints":
			return []*Array{Ints(append([]int64{}, a.Ints...), len(a.Ints))}, nil
		case "value_float":
			return []*Array{{Type: onnx.Float, Floats: []float64{float64(a.F)}}}, nil
		case "value_floats":
			out := &Array{Type: onnx.Float, Shape: []int{len(a.Floats)}, Floats: make([]float64, len(a.Floats))}
			for i, v := range a.Floats {
				out.Floats[i] = float64(v)
			}
			return []*Array{out}, nil
		}
	}
	return nil, fmt.Errorf("a constant without a numeric value")
}

func constantOfShape(c Call) ([]*Array, error) {
	shape, err := c.in(0).dims()
	if err != nil {
		return nil, err
	}
	out := Unknown(onnx.Float, shape...)
	v := 0.0
	if a := c.Node.Attribute("value"); a != nil && a.T != nil {
		x, err := FromTensor(a.T)
		if err != nil {
			return nil, err
		}
		s, ok := x.Scalar()
		if !ok {
			return nil, fmt.Errorf("the attribute value has shape %v, want one element", x.Shape)
		}
		out.Type, v = x.Type, s
	}
	return one(out, out.fill(func(int) float64 { return v }))
}

// shape gives the input's dimensions, from start to end since opset 15.
func shape(c Call) ([]*Array, error) {
	if err := c.need(1); err != nil {
		return nil, err
	}
	n := int64(len(c.In[0].Shape))
	clamp := func(x int64) int64 {
		if x < 0 {
			x += n
		}
		return min(max(x, 0), n)
	}
	lo, hi := clamp(c.int("start", 0)), clamp(c.int("end", n))
	x := []int64{}
	for i := lo; i < hi; i++ {
		x = append(x, int64(c.In[0].Shape[i]))
	}
	return []*Array{Ints(x, len(x))}, nil
}

func size(c Call) ([]*Array, error) {
	if err := c.need(1); err != nil {
		return nil, err
	}
	return []*Array{Ints([]int64{int64(c.In[0].Size())})}, nil
}

func rangeOf(c Call) ([]*Array, error) {
	if err := c.need(3); err != nil {
		return nil, err
	}
	start, ok0 := c.In[0].Scalar()
	limit, ok1 := c.In[1].Scalar()
	delta, ok2 := c.In[2].Scalar()
	if !ok0 || !ok1 || !ok2 {
		return nil, errUnknown
	}
	if delta == 0 {
		return nil, fmt.Errorf("a range with step 0")
	}
	n := max(0, int(min((limit-start)/delta+1, MaxElements+1)))
	for n > 0 && (delta > 0 && start+float64(n-1)*delta >= limit || delta < 0 && start+float64(n-1)*delta <= limit) {
		n--
	}
	out := Unknown(c.In[0].Type, n)
	return one(out, out.fill(func(i int) float64 { return start + float64(i)*delta }))
}

func identity(c Call) ([]*Array, error) {
	if err := c.need(1); err != nil {
		return nil, err
	}
	return c.In[:1], nil
}

// dropout is the identity, as at inference; its mask keeps all.
func dropout(c Call) ([]*Array, error) {
	if err := c.need(1); err != nil {
		return nil, err
	}
	mask := Unknown(onnx.Bool, c.In[0].Shape...)
	return []*Array{c.In[0], mask}, nil
}

// shapeOf gives outputs of the type and shape of input i, never their elements.
func shapeOf(i int) Func {
	return func(c Call) ([]*Array, error) {
		if err := c.need(i + 1); err != nil {
			return nil, err
		}
		return []*Array{Unknown(c.In[i].Type, c.In[i].Shape...)}, nil
	}
}
