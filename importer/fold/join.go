package fold

import (
	"fmt"
	"slices"
)

func tile(c Call) ([]*Array, error) {
	a := c.In[0]
	reps, err := c.In[1].dims()
	if err != nil {
		return nil, err
	}
	if len(reps) != len(a.Shape) {
		return nil, fmt.Errorf("repeats %v do not fit %v", reps, a)
	}
	shape := slices.Clone(a.Shape)
	for i, r := range reps {
		if r < 0 {
			return nil, fmt.Errorf("negative repeat in %v", reps)
		}
		if r > 0 && shape[i] > maxShape/r {
			return nil, fmt.Errorf("%v repeated %v times has more elements than an address space", a, reps)
		}
		shape[i] *= r
	}
	to, from := strides(shape), strides(a.Shape)
	return one(a.take(shape, func(i int) int {
		k := 0
		for d := range to {
			k += i / to[d] % shape[d] % a.Shape[d] * from[d]
		}
		return k
	}))
}

// concat joins arrays along an axis.
func concat(c Call) ([]*Array, error) {
	first := c.In[0]
	if c.Node.Attribute("axis") == nil {
		return nil, fmt.Errorf("the attribute axis is missing")
	}
	k, err := axis(c.int("axis", 0), len(first.Shape))
	if err != nil {
		return nil, err
	}
	shape := slices.Clone(first.Shape)
	shape[k] = 0
	known := true
	for i, a := range c.In {
		fits := len(a.Shape) == len(shape)
		for d := range shape {
			fits = fits && (d == k || a.Shape[d] == first.Shape[d])
		}
		if !fits || a.Shape[k] > maxShape-shape[k] {
			return nil, fmt.Errorf("cannot join %v and %v (input %d) along axis %d", first, a, i, k)
		}
		shape[k] += a.Shape[k]
		known = known && a.Known()
	}
	out := Unknown(first.Type, shape...)
	if !known {
		return []*Array{out}, nil
	}
	if err := out.alloc(); err != nil {
		return nil, err
	}
	inner, at := product(shape[k+1:]), 0
	for o := range product(shape[:k]) {
		for _, a := range c.In {
			n := a.Shape[k] * inner
			if out.Ints != nil {
				at += copy(out.Ints[at:], a.Ints[o*n:(o+1)*n])
			} else {
				at += copy(out.Floats[at:], a.Floats[o*n:(o+1)*n])
			}
		}
	}
	return []*Array{out}, nil
}
