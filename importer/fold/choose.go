package fold

import (
	"fmt"
	"slices"
)

// nonZero lists the places of the elements that are not 0, a column for each. How many there are must be known.
func nonZero(c Call) ([]*Array, error) {
	a := c.In[0]
	if !a.Known() {
		return nil, errUnknown
	}
	var at []int
	for i := range a.Size() {
		if a.At(i) != 0 {
			at = append(at, i)
		}
	}
	n := len(at)
	rank := len(a.Shape)
	if rank == 0 { // of which a place is one of a vector
		a, rank = a.reshaped([]int{1}), 1
	}
	if n > MaxElements/rank {
		return nil, a.tooLarge()
	}
	out := Ints(make([]int64, n*rank), rank, n)
	for d, s := range strides(a.Shape) {
		for j, i := range at {
			out.Ints[d*n+j] = int64(i / s % a.Shape[d])
		}
	}
	return []*Array{out}, nil
}

// compress takes the slices of an axis, or the elements, for which a condition holds. How many there are must be known.
func compress(c Call) ([]*Array, error) {
	a, cond := c.In[0], c.In[1]
	switch {
	case len(cond.Shape) != 1:
		return nil, fmt.Errorf("the condition %v is not a vector", cond)
	case !cond.Known():
		return nil, errUnknown
	}
	k := 0
	if c.Node.Attribute("axis") == nil {
		a = a.reshaped([]int{a.Size()})
	} else {
		var err error
		if k, err = axis(c.int("axis", 0), len(a.Shape)); err != nil {
			return nil, err
		}
	}
	if cond.Shape[0] > a.Shape[k] {
		return nil, fmt.Errorf("the condition %v is longer than axis %d of %v", cond, k, a)
	}
	var at []int
	for i, v := range cond.Ints {
		if v != 0 {
			at = append(at, i)
		}
	}
	shape := slices.Clone(a.Shape)
	shape[k] = len(at)
	inner, d, n := product(a.Shape[k+1:]), a.Shape[k], len(at)
	return one(a.take(shape, func(i int) int { return (i/inner/n*d+at[i/inner%n])*inner + i%inner }))
}

// reverseSequence turns round the first elements of each sequence, as many as its length.
func reverseSequence(c Call) ([]*Array, error) {
	a, lengths := c.In[0], c.In[1]
	t, b := int(c.int("time_axis", 0)), int(c.int("batch_axis", 1))
	if len(a.Shape) < 2 || min(t, b) != 0 || max(t, b) != 1 {
		return nil, fmt.Errorf("%v has no axes %d of time and %d of sequences", a, t, b)
	}
	if !slices.Equal(lengths.Shape, a.Shape[b:b+1]) {
		return nil, fmt.Errorf("the lengths %v do not fit %v", lengths, a)
	}
	for _, n := range lengths.Ints {
		if n < 0 || n > int64(a.Shape[t]) {
			return nil, fmt.Errorf("a sequence of %d in %v", n, a)
		}
	}
	if !a.Known() || !lengths.Known() {
		return []*Array{Unknown(a.Type, a.Shape...)}, nil
	}
	s := strides(a.Shape)
	return one(a.take(a.Shape, func(i int) int {
		x, n := i/s[t]%a.Shape[t], int(lengths.Ints[i/s[b]%a.Shape[b]])
		if x >= n {
			return i
		}
		return i + (n-1-2*x)*s[t]
	}))
}
