package fold

import (
	"fmt"
	"slices"
)

// reshape follows the rules of 0 (keep, unless allowzero) and −1 (whatever is left).
func reshape(c Call) ([]*Array, error) {
	if err := c.need(2); err != nil {
		return nil, err
	}
	a := c.In[0]
	want, err := c.In[1].dims()
	if err != nil {
		return nil, err
	}
	out, rest, known := slices.Clone(want), -1, 1
	for i, d := range want {
		switch {
		case d == 0 && c.int("allowzero", 0) == 0:
			if i >= len(a.Shape) {
				return nil, fmt.Errorf("shape %v keeps dimension %d of %v", want, i, a.Shape)
			}
			out[i] = a.Shape[i]
			known *= out[i]
		case d == -1 && rest < 0:
			rest = i
		case d < 0:
			return nil, fmt.Errorf("cannot reshape to %v", want)
		default:
			known *= d
		}
	}
	if rest >= 0 {
		if known == 0 || a.Size()%known != 0 {
			return nil, fmt.Errorf("cannot reshape %v to %v", a.Shape, want)
		}
		out[rest] = a.Size() / known
		known *= out[rest]
	}
	if known != a.Size() {
		return nil, fmt.Errorf("cannot reshape %v to %v", a.Shape, want)
	}
	return []*Array{a.reshaped(out)}, nil
}

func flatten(c Call) ([]*Array, error) {
	if err := c.need(1); err != nil {
		return nil, err
	}
	a := c.In[0]
	k := c.int("axis", 1)
	if k < 0 {
		k += int64(len(a.Shape))
	}
	if k < 0 || k > int64(len(a.Shape)) {
		return nil, fmt.Errorf("axis %d is outside of rank %d", k, len(a.Shape))
	}
	rows, cols := 1, 1
	for i, d := range a.Shape {
		if i < int(k) {
			rows *= d
		} else {
			cols *= d
		}
	}
	return []*Array{a.reshaped([]int{rows, cols})}, nil
}

func transpose(c Call) ([]*Array, error) {
	if err := c.need(1); err != nil {
		return nil, err
	}
	a := c.In[0]
	n := len(a.Shape)
	perm := make([]int, n)
	for i := range perm {
		perm[i] = n - 1 - i
	}
	if p := c.Node.Attribute("perm"); p != nil {
		if len(p.Ints) != n {
			return nil, fmt.Errorf("perm %v does not fit rank %d", p.Ints, n)
		}
		seen := make([]bool, n)
		for i, x := range p.Ints {
			if x < 0 || x >= int64(n) || seen[x] {
				return nil, fmt.Errorf("perm %v is no permutation", p.Ints)
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

// squeeze takes its axes from an attribute before opset 13 and from an input since.
func squeeze(c Call) ([]*Array, error) {
	if err := c.need(1); err != nil {
		return nil, err
	}
	a := c.In[0]
	axes, given, err := c.intsOr(1, "axes")
	if err != nil {
		return nil, err
	}
	drop := make([]bool, len(a.Shape))
	for i, d := range a.Shape {
		drop[i] = !given && d == 1
	}
	for _, x := range axes {
		k, err := axis(x, len(a.Shape))
		if err != nil {
			return nil, err
		}
		if a.Shape[k] != 1 {
			return nil, fmt.Errorf("cannot squeeze axis %d of shape %v", k, a.Shape)
		}
		drop[k] = true
	}
	shape := []int{}
	for i, d := range a.Shape {
		if !drop[i] {
			shape = append(shape, d)
		}
	}
	return []*Array{a.reshaped(shape)}, nil
}

func unsqueeze(c Call) ([]*Array, error) {
	if err := c.need(1); err != nil {
		return nil, err
	}
	a := c.In[0]
	axes, ok, err := c.intsOr(1, "axes")
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("no axes are given")
	}
	n := len(a.Shape) + len(axes)
	added := make([]bool, n)
	for _, x := range axes {
		k, err := axis(x, n)
		if err != nil {
			return nil, err
		}
		if added[k] {
			return nil, fmt.Errorf("axis %d is added twice", k)
		}
		added[k] = true
	}
	shape, k := make([]int, n), 0
	for i := range shape {
		if added[i] {
			shape[i] = 1
		} else {
			shape[i] = a.Shape[k]
			k++
		}
	}
	return []*Array{a.reshaped(shape)}, nil
}

func expand(c Call) ([]*Array, error) {
	if err := c.need(2); err != nil {
		return nil, err
	}
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

func tile(c Call) ([]*Array, error) {
	if err := c.need(2); err != nil {
		return nil, err
	}
	a := c.In[0]
	reps, err := c.In[1].dims()
	if err != nil {
		return nil, err
	}
	if len(reps) != len(a.Shape) {
		return nil, fmt.Errorf("repeats %v do not fit shape %v", reps, a.Shape)
	}
	shape := slices.Clone(a.Shape)
	for i, r := range reps {
		if r < 0 {
			return nil, fmt.Errorf("negative repeat in %v", reps)
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

func concat(c Call) ([]*Array, error) {
	if err := c.need(max(1, len(c.In))); err != nil {
		return nil, err
	}
	first := c.In[0]
	k, err := axis(c.int("axis", 0), len(first.Shape))
	if err != nil {
		return nil, err
	}
	shape := slices.Clone(first.Shape)
	shape[k] = 0
	known := true
	for i, a := range c.In {
		same := len(a.Shape) == len(shape) && a.Type == first.Type
		for d := range shape {
			same = same && (d == k || a.Shape[d] == first.Shape[d])
		}
		if !same {
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
	inner := 1
	for _, d := range shape[k+1:] {
		inner *= d
	}
	outer := 1
	for _, d := range shape[:k] {
		outer *= d
	}
	at := 0
	for o := range outer {
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

// split takes the sizes of its parts from an attribute before opset 13 and from an input since; without them the
// parts are equal, the last one smaller where they do not divide.
func split(c Call) ([]*Array, error) {
	if err := c.need(1); err != nil {
		return nil, err
	}
	a := c.In[0]
	k, err := axis(c.int("axis", 0), len(a.Shape))
	if err != nil {
		return nil, err
	}
	sizes, given, err := c.intsOr(1, "split")
	if err != nil {
		return nil, err
	}
	n := len(c.Node.Outputs)
	if !given {
		if n == 0 {
			return nil, fmt.Errorf("no output is named")
		}
		each := (a.Shape[k] + n - 1) / n
		for left := a.Shape[k]; len(sizes) < n; left -= each {
			sizes = append(sizes, int64(max(0, min(each, left))))
		}
	}
	if len(sizes) != n {
		return nil, fmt.Errorf("%d outputs but %d sizes", n, len(sizes))
	}
	out := make([]*Array, n)
	lo := int64(0)
	for i, s := range sizes {
		if s < 0 || lo+s > int64(a.Shape[k]) {
			return nil, fmt.Errorf("parts %v do not fit axis %d of shape %v", sizes, k, a.Shape)
		}
		if out[i], err = a.window(k, int(lo), 1, int(s)); err != nil {
			return nil, err
		}
		lo += s
	}
	if lo != int64(a.Shape[k]) {
		return nil, fmt.Errorf("parts %v do not fill axis %d of shape %v", sizes, k, a.Shape)
	}
	return out, nil
}

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

func sliceAttr(c Call) ([]*Array, error) {
	starts, _, _ := c.intsOr(-1, "starts")
	ends, _, _ := c.intsOr(-1, "ends")
	axes, _, _ := c.intsOr(-1, "axes")
	return slice(c, starts, ends, axes, nil)
}

func sliceInput(c Call) ([]*Array, error) {
	var x [4][]int64
	for i := range x {
		v, _, err := c.intsOr(i+1, "")
		if err != nil {
			return nil, err
		}
		x[i] = v
	}
	return slice(c, x[0], x[1], x[2], x[3])
}

func slice(c Call, starts, ends, axes, steps []int64) ([]*Array, error) {
	if err := c.need(1); err != nil {
		return nil, err
	}
	a := c.In[0]
	if len(starts) != len(ends) || axes != nil && len(axes) != len(starts) || steps != nil && len(steps) != len(starts) {
		return nil, fmt.Errorf("starts %v, ends %v, axes %v and steps %v do not go together", starts, ends, axes, steps)
	}
	for i := range starts {
		x, step := int64(i), int64(1)
		if axes != nil {
			x = axes[i]
		}
		if steps != nil {
			step = steps[i]
		}
		k, err := axis(x, len(a.Shape))
		if err != nil {
			return nil, err
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

// sliceRange is the first index and the number of indices of start:end:step of a dimension of d.
func sliceRange(start, end, step, d int64) (lo, n int64) {
	if start < 0 {
		start += d
	}
	if end < 0 && end > -1<<62 {
		end += d
	}
	if step > 0 {
		start, end = min(max(start, 0), d), min(max(end, 0), d)
		return start, max(0, (end-start+step-1)/step)
	}
	start, end = min(max(start, 0), d-1), min(max(end, -1), d-1)
	return start, max(0, (start-end-step-1)/-step)
}

func gather(c Call) ([]*Array, error) {
	if err := c.need(2); err != nil {
		return nil, err
	}
	a, idx := c.In[0], c.In[1]
	k, err := axis(c.int("axis", 0), len(a.Shape))
	if err != nil {
		return nil, err
	}
	shape := slices.Concat(a.Shape[:k], idx.Shape, a.Shape[k+1:])
	if !a.Known() || !idx.Known() {
		return []*Array{Unknown(a.Type, shape...)}, nil
	}
	d := int64(a.Shape[k])
	pos := make([]int, len(idx.Ints))
	for i, x := range idx.Ints {
		if x < 0 {
			x += d
		}
		if x < 0 || x >= d {
			return nil, fmt.Errorf("index %d is outside of axis %d of shape %v", idx.Ints[i], k, a.Shape)
		}
		pos[i] = int(x)
	}
	inner := 1
	for _, d := range a.Shape[k+1:] {
		inner *= d
	}
	n := len(pos)
	return one(a.take(shape, func(i int) int {
		in, mid, out := i%inner, i/inner%n, i/inner/n
		return (out*a.Shape[k]+pos[mid])*inner + in
	}))
}

func gatherElements(c Call) ([]*Array, error) {
	if err := c.need(2); err != nil {
		return nil, err
	}
	a, idx := c.In[0], c.In[1]
	k, err := axis(c.int("axis", 0), len(a.Shape))
	if err != nil {
		return nil, err
	}
	if len(idx.Shape) != len(a.Shape) {
		return nil, fmt.Errorf("indices %v do not have the rank of %v", idx.Shape, a.Shape)
	}
	if !a.Known() || !idx.Known() {
		return []*Array{Unknown(a.Type, idx.Shape...)}, nil
	}
	to, from := strides(idx.Shape), strides(a.Shape)
	for d := range to {
		if d != k && idx.Shape[d] > a.Shape[d] {
			return nil, fmt.Errorf("indices %v do not fit %v", idx.Shape, a.Shape)
		}
	}
	for _, x := range idx.Ints {
		if x < -int64(a.Shape[k]) || x >= int64(a.Shape[k]) {
			return nil, fmt.Errorf("index %d is outside of axis %d of shape %v", x, k, a.Shape)
		}
	}
	return one(a.take(idx.Shape, func(i int) int {
		n := 0
		for d := range to {
			x := i / to[d] % idx.Shape[d]
			if d == k {
				if x = int(idx.Ints[i]); x < 0 {
					x += a.Shape[k]
				}
			}
			n += x * from[d]
		}
		return n
	}))
}
