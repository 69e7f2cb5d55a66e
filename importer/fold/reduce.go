package fold

import (
	"fmt"
	"math"
	"slices"
)

// reducer folds values into one and finishes with their number, for floating-point numbers and for integers. Without
// an identity there is no result for no values.
type reducer struct {
	start  float64
	step   func(acc, x float64) float64
	finish func(acc float64, n int) float64

	first    int64
	ints     func(acc, x int64) int64
	finished func(acc int64, n int) int64

	identity bool
}

func asIs[T int64 | float64](acc T, _ int) T { return acc }

var (
	sum  = reducer{0, sumOf[float64], asIs[float64], 0, sumOf[int64], asIs[int64], true}
	prod = reducer{1, productOf[float64], asIs[float64], 1, productOf[int64], asIs[int64], true}
	mean = reducer{0, sumOf[float64], func(a float64, n int) float64 { return a / float64(n) },
		0, sumOf[int64], func(a int64, n int) int64 { return a / int64(n) }, false}
	maximum = reducer{math.Inf(-1), most[float64], asIs[float64], math.MinInt64, most[int64], asIs[int64], false}
	minimum = reducer{math.Inf(1), least[float64], asIs[float64], math.MaxInt64, least[int64], asIs[int64], false}
)

// reduce folds along axes, which are an attribute in older opsets (until 13 for ReduceSum, 18 for the others) and an
// input since.
func reduce(r reducer) Func {
	return func(c Call) ([]*Array, error) {
		a := c.In[0]
		x, given, err := c.intsOr(1, "axes")
		if err != nil {
			return nil, err
		}
		all := !given || len(x) == 0
		if all && c.int("noop_with_empty_axes", 0) != 0 {
			return []*Array{a}, nil
		}
		folded, err := axes(x, len(a.Shape))
		if err != nil {
			return nil, err
		}
		kept, out := slices.Clone(a.Shape), []int{}
		for i, d := range a.Shape {
			if all || slices.Contains(folded, i) {
				kept[i] = 1
			} else {
				out = append(out, d)
			}
		}
		if c.int("keepdims", 1) != 0 {
			out = kept
		}
		return one(a.fold(kept, out, r))
	}
}

// fold reduces a to shape kept, which has ones where it folds, and gives the result another shape.
func (a *Array) fold(kept, shape []int, r reducer) (*Array, error) {
	out := Unknown(a.Type, shape...)
	if !a.Known() {
		return out, nil
	}
	if err := out.alloc(); err != nil {
		return nil, err
	}
	n := out.Size()
	if n == 0 {
		return out, nil
	}
	count := a.Size() / n
	if count == 0 && !r.identity {
		return nil, fmt.Errorf("there is nothing to reduce in %v", a)
	}
	to := broadcastIndex(kept, a.Shape)
	if out.Floats != nil {
		for i := range out.Floats {
			out.Floats[i] = r.start
		}
		for i, x := range a.Floats {
			k := to(i)
			out.Floats[k] = r.step(out.Floats[k], x)
		}
		for i, x := range out.Floats {
			out.Floats[i] = round(out.Type, r.finish(x, count))
		}
		return out, nil
	}
	for i := range out.Ints {
		out.Ints[i] = r.first
	}
	for i, x := range a.Ints {
		k := to(i)
		out.Ints[k] = r.ints(out.Ints[k], x)
	}
	for i, x := range out.Ints {
		var err error
		if out.Ints[i], err = wrap(out.Type, r.finished(x, count)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// cumSum adds up along an axis: each element with those before it, or without itself (exclusive), or with those after
// it (reverse).
func cumSum(c Call) ([]*Array, error) {
	a, at := c.In[0], c.In[1]
	if at.Size() != 1 {
		return nil, fmt.Errorf("the axis is %v, want one element", at)
	}
	out := Unknown(a.Type, a.Shape...)
	if !at.Known() { // whatever it is
		return []*Array{out}, nil
	}
	k, err := axis(at.Ints[0], len(a.Shape))
	if err != nil {
		return nil, err
	}
	if !a.Known() {
		return []*Array{out}, nil
	}
	if err := out.alloc(); err != nil {
		return nil, err
	}
	exclusive, reverse := c.int("exclusive", 0) != 0, c.int("reverse", 0) != 0
	d, step := a.Shape[k], strides(a.Shape)[k]
	for line := range a.Size() / max(d, 1) {
		first := line/step*step*d + line%step
		var total float64
		var count int64
		for i := range d {
			j := first + i*step
			if reverse {
				j = first + (d-1-i)*step
			}
			if a.Floats != nil {
				sum := round(a.Type, total+a.Floats[j])
				if out.Floats[j] = sum; exclusive {
					out.Floats[j] = total
				}
				total = sum
				continue
			}
			sum := count + a.Ints[j]
			if out.Ints[j] = sum; exclusive {
				out.Ints[j] = count
			}
			if out.Ints[j], err = wrap(a.Type, out.Ints[j]); err != nil {
				return nil, err
			}
			count = sum
		}
	}
	return []*Array{out}, nil
}
