package fold

import (
	"fmt"
	"slices"
)

// reshape follows the rules of 0 (keep, unless allowzero) and −1 (whatever is left).
func reshape(c Call) ([]*Array, error) {
	a := c.In[0]
	want, err := c.In[1].dims()
	if err != nil {
		return nil, err
	}
	cannot := fmt.Errorf("cannot reshape %v to %v", a, want)
	out, rest := slices.Clone(want), -1
	for i, d := range want {
		switch {
		case d == 0 && c.int("allowzero", 0) == 0:
			if i >= len(a.Shape) {
				return nil, cannot
			}
			out[i] = a.Shape[i]
		case d == -1 && rest < 0:
			rest, out[i] = i, 1
		case d < 0:
			return nil, cannot
		}
	}
	if err := checkShape(out); err != nil {
		return nil, err
	}
	if rest >= 0 {
		known := product(out)
		if known == 0 || a.Size()%known != 0 {
			return nil, cannot
		}
		out[rest] = a.Size() / known
	}
	if product(out) != a.Size() {
		return nil, cannot
	}
	return []*Array{a.reshaped(out)}, nil
}

// flatten makes a matrix of the dimensions before an axis and those from it on.
func flatten(c Call) ([]*Array, error) {
	a := c.In[0]
	k := c.int("axis", 1)
	if k < 0 {
		k += int64(len(a.Shape))
	}
	if k < 0 || k > int64(len(a.Shape)) {
		return nil, fmt.Errorf("axis %d is outside of rank %d", c.int("axis", 1), len(a.Shape))
	}
	return []*Array{a.reshaped([]int{product(a.Shape[:k]), product(a.Shape[k:])})}, nil
}

// squeeze takes its axes from an attribute before opset 13 and from an input since; without them, or with none, it
// drops every dimension of 1.
func squeeze(c Call) ([]*Array, error) {
	a := c.In[0]
	x, _, err := c.intsOr(1, "axes")
	if err != nil {
		return nil, err
	}
	dropped := make([]bool, len(a.Shape))
	for i, d := range a.Shape {
		dropped[i] = len(x) == 0 && d == 1
	}
	for _, v := range x { // one may come twice
		k, err := axis(v, len(a.Shape))
		if err != nil {
			return nil, err
		}
		if a.Shape[k] != 1 {
			return nil, fmt.Errorf("cannot squeeze axis %d of %v", k, a)
		}
		dropped[k] = true
	}
	shape := []int{}
	for i, d := range a.Shape {
		if !dropped[i] {
			shape = append(shape, d)
		}
	}
	return []*Array{a.reshaped(shape)}, nil
}

// unsqueeze takes its axes, which are those of the result, from an attribute before opset 13 and from an input since.
func unsqueeze(c Call) ([]*Array, error) {
	a := c.In[0]
	x, ok, err := c.intsOr(1, "axes")
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("no axes are given")
	}
	n := len(a.Shape) + len(x)
	added, err := axes(x, n)
	if err != nil {
		return nil, err
	}
	shape, k := make([]int, n), 0
	for i := range shape {
		if slices.Contains(added, i) {
			shape[i] = 1
		} else {
			shape[i] = a.Shape[k]
			k++
		}
	}
	return []*Array{a.reshaped(shape)}, nil
}

// transpose reverses the axes where it has no permutation.
func transpose(c Call) ([]*Array, error) {
	a := c.In[0]
	n := len(a.Shape)
	perm := make([]int, n)
	for i := range perm {
		perm[i] = n - 1 - i
	}
	if p, ok := c.ints("perm"); ok {
		if len(p) != n {
			return nil, fmt.Errorf("perm %v does not fit rank %d", p, n)
		}
		seen := make([]bool, n)
		for i, x := range p {
			if x < 0 || x >= int64(n) || seen[x] {
				return nil, fmt.Errorf("perm %v is no permutation", p)
			}
			perm[i], seen[x] = int(x), true
		}
	}
	shape, from := make([]int, n), make([]int, n)
	s := strides(a.Shape)
	for i, p := range perm {
		shape[i], from[i] = a.Shape[p], s[p]
	}
	to := strides(shape)
	return one(a.take(shape, func(i int) int {
		k := 0
		for d := range to {
			k += i / to[d] % shape[d] * from[d]
		}
		return k
	}))
}
