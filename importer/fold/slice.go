package fold

import (
	"fmt"
	"math"
	"slices"
)

// window takes n elements along an axis, from start on in steps.
func (a *Array) window(axis, start, step, n int) (*Array, error) {
	shape := slices.Clone(a.Shape)
	shape[axis] = n
	to, from := strides(shape), strides(a.Shape)
	return a.take(shape, func(i int) int {
		k := start * from[axis]
		for d := range to {
			x := i / to[d] % shape[d]
			if d == axis {
				x *= step
			}
			k += x * from[d]
		}
		return k
	})
}

// sliceAttr is Slice before opset 10.
func sliceAttr(c Call) ([]*Array, error) {
	starts, ok := c.ints("starts")
	ends, ok2 := c.ints("ends")
	if !ok || !ok2 {
		return nil, fmt.Errorf("the attribute starts or ends is missing")
	}
	axes, given := c.ints("axes")
	if !given {
		axes = nil
	} else if axes == nil {
		axes = []int64{}
	}
	return slice(c.In[0], starts, ends, axes, nil)
}

func sliceInput(c Call) ([]*Array, error) {
	var x [4][]int64
	for i := range x {
		if in := c.in(i + 1); in != nil && len(in.Shape) != 1 {
			return nil, fmt.Errorf("input %d, %v, is not a vector", i+1, in)
		}
		v, _, err := c.vector(i + 1)
		if err != nil {
			return nil, err
		}
		x[i] = v
	}
	return slice(c.In[0], x[0], x[1], x[2], x[3])
}

// slice takes start:end:step of axes: the first ones, and steps of 1, where those are nil.
func slice(a *Array, starts, ends, along, steps []int64) ([]*Array, error) {
	if along == nil {
		for i := range starts {
			along = append(along, int64(i))
		}
	}
	if len(starts) != len(ends) || len(along) != len(starts) || steps != nil && len(steps) != len(starts) {
		return nil, fmt.Errorf("starts %v, ends %v, axes %v and steps %v do not go together", starts, ends, along, steps)
	}
	ks, err := axes(along, len(a.Shape))
	if err != nil {
		return nil, err
	}
	for i, k := range ks {
		step := int64(1)
		if steps != nil {
			step = steps[i]
		}
		if step == 0 {
			return nil, fmt.Errorf("a slice with step 0")
		}
		lo, n := sliceRange(starts[i], ends[i], step, int64(a.Shape[k]))
		if a, err = a.window(k, int(lo), int(step), int(n)); err != nil {
			return nil, err
		}
	}
	return []*Array{a}, nil
}

// sliceRange is the first index and the number of indices of start:end:step of a dimension of d: negative bounds count
// from the end, and those outside are moved to it. Going backwards, an end of the largest int32 or int64 means all, as
// onnxruntime reads it.
func sliceRange(start, end, step, d int64) (lo, n int64) {
	if start < 0 {
		start += d
	}
	if end < 0 {
		end += d
	}
	if step > 0 {
		start, end = min(max(start, 0), d), min(max(end, 0), d)
		if end <= start {
			return 0, 0
		}
		return start, (end-start-1)/step + 1
	}
	if end == math.MaxInt32 || end == math.MaxInt64 {
		end = -1
	}
	start, end = min(max(start, 0), d-1), min(max(end, -1), d-1)
	if end >= start {
		return 0, 0
	}
	return start, int64(uint64(start-end-1)/-uint64(step)) + 1 // −step may not fit int64
}

// splitEven is Split before opset 18: without sizes the parts are equal.
func splitEven(c Call) ([]*Array, error) {
	a, n := c.In[0], len(c.Node.Outputs)
	k, err := axis(c.int("axis", 0), len(a.Shape))
	if err != nil {
		return nil, err
	}
	sizes, given, err := c.intsOr(1, "split")
	if err != nil {
		return nil, err
	}
	if !given {
		if n == 0 || a.Shape[k]%n != 0 {
			return nil, fmt.Errorf("axis %d of %v has no %d equal parts", k, a, n)
		}
		sizes = slices.Repeat([]int64{int64(a.Shape[k] / n)}, n)
	}
	return a.parts(k, sizes, n)
}

// split without sizes makes num_outputs parts, the last one smaller where they do not divide.
func split(c Call) ([]*Array, error) {
	a, n := c.In[0], len(c.Node.Outputs)
	k, err := axis(c.int("axis", 0), len(a.Shape))
	if err != nil {
		return nil, err
	}
	sizes, given, err := c.vector(1)
	if err != nil {
		return nil, err
	}
	if given {
		return a.parts(k, sizes, n)
	}
	if want := c.int("num_outputs", int64(n)); n == 0 || want != int64(n) {
		return nil, fmt.Errorf("%d outputs are named, but num_outputs is %d", n, want)
	}
	each := (a.Shape[k] + n - 1) / n
	last := a.Shape[k] - each*(n-1)
	if last <= 0 {
		return nil, fmt.Errorf("axis %d of %v has no %d parts of up to %d", k, a, n, each)
	}
	sizes = append(slices.Repeat([]int64{int64(each)}, n-1), int64(last))
	return a.parts(k, sizes, n)
}

// parts cuts a along an axis into n pieces of the given sizes.
func (a *Array) parts(k int, sizes []int64, n int) ([]*Array, error) {
	if len(sizes) != n {
		return nil, fmt.Errorf("%d outputs but %d sizes", n, len(sizes))
	}
	out := make([]*Array, n)
	lo, d := int64(0), int64(a.Shape[k])
	for i, s := range sizes {
		if s < 0 || s > d-lo {
			return nil, fmt.Errorf("parts %v do not fit axis %d of %v", sizes, k, a)
		}
		var err error
		if out[i], err = a.window(k, int(lo), 1, int(s)); err != nil {
			return nil, err
		}
		lo += s
	}
	if lo != d {
		return nil, fmt.Errorf("parts %v do not fill axis %d of %v", sizes, k, a)
	}
	return out, nil
}
