package fold

import (
	"fmt"
	"slices"
)

// Broadcast is the common shape of two shapes, by ONNX's (and numpy's) rule.
func Broadcast(a, b []int) ([]int, error) {
	n := max(len(a), len(b))
	out := make([]int, n)
	for i := range n {
		x, y := 1, 1
		if k := i - (n - len(a)); k >= 0 {
			x = a[k]
		}
		if k := i - (n - len(b)); k >= 0 {
			y = b[k]
		}
		switch {
		case x < 0 || y < 0:
			return nil, fmt.Errorf("shapes %v and %v: a dimension is negative", a, b)
		case x == y || y == 1:
			out[i] = x
		case x == 1:
			out[i] = y
		default:
			return nil, fmt.Errorf("shapes %v and %v do not broadcast", a, b)
		}
	}
	return out, nil
}

// broadcastIndex maps an element of shape out to the element of shape in that it comes from.
func broadcastIndex(in, out []int) func(i int) int {
	if slices.Equal(in, out) {
		return func(i int) int { return i }
	}
	so, si := strides(out), strides(in)
	skip := len(out) - len(in)
	return func(i int) int {
		k := 0
		for d := range out {
			x := i / so[d] % out[d]
			if d >= skip && in[d-skip] != 1 {
				k += x * si[d-skip]
			}
		}
		return k
	}
}

// Expand broadcasts a to a shape that it broadcasts to.
func Expand(a *Array, shape []int) (*Array, error) {
	full, err := Broadcast(a.Shape, shape)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(full, shape) {
		return nil, fmt.Errorf("shape %v does not broadcast to %v", a.Shape, shape)
	}
	return a.take(shape, broadcastIndex(a.Shape, shape))
}

// expand broadcasts both ways: dimensions of the wanted shape that are 1 keep the array's.
func expand(c Call) ([]*Array, error) {
	a := c.In[0]
	want, err := c.In[1].dims()
	if err != nil {
		return nil, err
	}
	shape, err := Broadcast(a.Shape, want)
	if err != nil {
		return nil, err
	}
	if slices.Equal(shape, a.Shape) {
		return []*Array{a}, nil
	}
	return one(a.take(shape, broadcastIndex(a.Shape, shape)))
}

// where chooses between two arrays by a third.
func where(c Call) ([]*Array, error) {
	cond, x, y := c.In[0], c.In[1], c.In[2]
	shape, err := Broadcast(cond.Shape, x.Shape)
	if err == nil {
		shape, err = Broadcast(shape, y.Shape)
	}
	if err != nil {
		return nil, err
	}
	out := Unknown(x.Type, shape...)
	if !cond.Known() || !x.Known() || !y.Known() {
		return []*Array{out}, nil
	}
	if err := out.alloc(); err != nil {
		return nil, err
	}
	ic, ix, iy := broadcastIndex(cond.Shape, shape), broadcastIndex(x.Shape, shape), broadcastIndex(y.Shape, shape)
	for i := range out.Size() {
		from, k := y, iy(i)
		if cond.Ints[ic(i)] != 0 {
			from, k = x, ix(i)
		}
		if out.Ints != nil {
			out.Ints[i] = from.Ints[k]
		} else {
			out.Floats[i] = from.Floats[k]
		}
	}
	return []*Array{out}, nil
}
