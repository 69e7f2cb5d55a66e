package fold

import "fmt"

// clipAttr bounds elements by attributes: Clip before opset 11.
func clipAttr(c Call) ([]*Array, error) {
	bound := func(name string) *Array {
		a := c.Node.Attribute(name)
		if a == nil {
			return nil
		}
		return &Array{Type: c.In[0].Type, Shape: []int{}, Floats: []float64{float64(a.F)}}
	}
	return clip(c.In[0], bound("min"), bound("max"))
}

// clipInput bounds elements by scalars, either of which may be left out: Clip from opset 11 on.
func clipInput(c Call) ([]*Array, error) {
	for i := 1; i < 3; i++ {
		if b := c.in(i); b != nil && b.Type != c.In[0].Type {
			return nil, fmt.Errorf("input %d is %v, want %v", i, b.Type, c.In[0].Type)
		}
	}
	return clip(c.In[0], c.in(1), c.in(2))
}

// clip is min(max(x, low), high), so that high wins where it is below low.
func clip(x, low, high *Array) ([]*Array, error) {
	for _, b := range []struct {
		bound *Array
		op    string
	}{{low, "Max"}, {high, "Min"}} {
		if b.bound == nil {
			continue
		}
		if len(b.bound.Shape) != 0 {
			return nil, fmt.Errorf("the bound %v is not a scalar", b.bound)
		}
		var err error
		if x, err = binaries[b.op].two(x, b.bound); err != nil {
			return nil, err
		}
	}
	return []*Array{x}, nil
}
