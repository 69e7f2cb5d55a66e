package fold

import (
	"fmt"
	"math"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// constant returns the value of a Constant node, in any of the attributes that may hold it.
func constant(c Call) ([]*Array, error) {
	for _, a := range c.Node.Attributes {
		if a == nil {
			continue
		}
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

// constantOfShape repeats its attribute's element, the float 0 where there is none.
func constantOfShape(c Call) ([]*Array, error) {
	shape, err := c.In[0].dims()
	if err != nil {
		return nil, err
	}
	v := &Array{Type: onnx.Float, Floats: []float64{0}}
	if a := c.Node.Attribute("value"); a != nil && a.T != nil {
		if v, err = FromTensor(a.T); err != nil {
			return nil, err
		}
		if v.Size() != 1 {
			return nil, fmt.Errorf("the attribute value is %v, want one element", v)
		}
	}
	return one(v.take(shape, func(int) int { return 0 }))
}

// shape gives the input's dimensions, from start to end since opset 15.
func shape(c Call) ([]*Array, error) {
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

func size(c Call) ([]*Array, error) { return []*Array{Ints([]int64{int64(c.In[0].Size())})}, nil }

// rangeOf gives start, start + delta, … up to limit, without it.
func rangeOf(c Call) ([]*Array, error) {
	typ := c.In[0].Type
	for i, a := range c.In {
		switch {
		case a.Size() != 1:
			return nil, fmt.Errorf("input %d is %v, want one element", i, a)
		case !a.Known():
			return nil, errUnknown
		}
	}
	var n uint64
	if isFloat(typ) {
		start, limit, delta := c.In[0].Floats[0], c.In[1].Floats[0], c.In[2].Floats[0]
		count := math.Ceil(round(typ, limit-start) / delta)
		if math.IsNaN(count) || delta == 0 {
			return nil, fmt.Errorf("a range from %g to %g in steps of %g", start, limit, delta)
		}
		n = uint64(min(max(count, 0), MaxElements+1))
	} else {
		start, limit, delta := c.In[0].Ints[0], c.In[1].Ints[0], c.In[2].Ints[0]
		switch {
		case delta == 0:
			return nil, fmt.Errorf("a range from %d to %d in steps of 0", start, limit)
		case delta > 0 && limit > start: // differences of int64 fit uint64
			n = (uint64(limit)-uint64(start)-1)/uint64(delta) + 1
		case delta < 0 && limit < start:
			n = (uint64(start)-uint64(limit)-1)/-uint64(delta) + 1
		}
	}
	if n > MaxElements {
		return nil, fmt.Errorf("a range of %d elements or more is too large to fold", n)
	}
	out := Unknown(typ, int(n))
	if err := out.alloc(); err != nil {
		return nil, err
	}
	for i := range out.Floats {
		out.Floats[i] = round(typ, c.In[0].Floats[0]+round(typ, float64(i)*c.In[2].Floats[0]))
	}
	for i := range out.Ints {
		out.Ints[i] = c.In[0].Ints[0] + int64(i)*c.In[2].Ints[0]
	}
	return []*Array{out}, nil
}

func identity(c Call) ([]*Array, error) { return c.In[:1], nil }

// dropout is the identity, as at inference; its mask keeps all.
func dropout(c Call) ([]*Array, error) {
	if training := c.in(2); training != nil {
		if !training.Known() {
			return nil, errUnknown
		}
		if v, ok := training.Scalar(); !ok || v != 0 {
			return nil, fmt.Errorf("a dropout in training mode")
		}
	}
	return []*Array{c.In[0], Unknown(onnx.Bool, c.In[0].Shape...)}, nil
}
