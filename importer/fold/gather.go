package fold

import (
	"fmt"
	"slices"
)

// gather takes the slices of an axis that the indices number; negative ones count from the end.
func gather(c Call) ([]*Array, error) {
	a, idx := c.In[0], c.In[1]
	k, err := axis(c.int("axis", 0), len(a.Shape))
	if err != nil {
		return nil, err
	}
	shape := slices.Concat(a.Shape[:k], idx.Shape, a.Shape[k+1:])
	pos, err := positions(a, idx, k)
	if err != nil {
		return nil, err
	}
	if !a.Known() || !idx.Known() {
		return []*Array{Unknown(a.Type, shape...)}, nil
	}
	inner, n, d := product(a.Shape[k+1:]), len(pos), a.Shape[k]
	return one(a.take(shape, func(i int) int {
		in, mid, out := i%inner, i/inner%n, i/inner/n
		return (out*d+pos[mid])*inner + in
	}))
}

// gatherElements takes for each index the element at its own place but for the axis, where the index tells.
func gatherElements(c Call) ([]*Array, error) {
	a, idx := c.In[0], c.In[1]
	k, err := axis(c.int("axis", 0), len(a.Shape))
	if err != nil {
		return nil, err
	}
	fits := len(idx.Shape) == len(a.Shape)
	for d := range a.Shape {
		fits = fits && (d == k || idx.Shape[d] <= a.Shape[d])
	}
	if !fits {
		return nil, fmt.Errorf("indices %v do not fit %v", idx, a)
	}
	pos, err := positions(a, idx, k)
	if err != nil {
		return nil, err
	}
	if !a.Known() || !idx.Known() {
		return []*Array{Unknown(a.Type, idx.Shape...)}, nil
	}
	to, from := strides(idx.Shape), strides(a.Shape)
	return one(a.take(idx.Shape, func(i int) int {
		n := pos[i] * from[k]
		for d := range to {
			if d != k {
				n += i / to[d] % idx.Shape[d] * from[d]
			}
		}
		return n
	}))
}

// positions are known indices of axis k of a, counted from its start; nil where they are not known.
func positions(a, idx *Array, k int) ([]int, error) {
	if !idx.Known() {
		return nil, nil
	}
	d := int64(a.Shape[k])
	pos := make([]int, len(idx.Ints))
	for i, x := range idx.Ints {
		if x < -d || x >= d {
			return nil, fmt.Errorf("index %d is outside of axis %d of %v", x, k, a)
		}
		if x < 0 {
			x += d
		}
		pos[i] = int(x)
	}
	return pos, nil
}
